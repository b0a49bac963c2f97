"""A scorer travels between processes; the network is loaded where it is used."""

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dover_plugin import ReadOptions, Scorer, SettingsError, WeightsError, read
from dover_plugin.engines import lazy


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The engines that are made, as the arguments of make_engine."""
    found: list[tuple[Any, ...]] = []
    make = lazy.make_engine

    def making(name: str, network: Any, *rest: Any) -> Any:
        found.append((name, *rest))
        return make(name, network, *rest)

    monkeypatch.setattr(lazy, "make_engine", making)
    return found


def test_a_copy_builds_its_engine_at_its_first_use(
    seeded: dict[str, Path], clip: Path, built: list[Any]
) -> None:
    scorer = Scorer("dover-mobile", weights=seeded["dover-mobile"], repeats=2, start=5)
    data = pickle.dumps(scorer)
    assert len(data) < 5000
    copy = pickle.loads(data)
    assert len(built) == 1
    assert (copy.settings, copy.read_options) == (scorer.settings, scorer.read_options)
    assert copy.score(clip) == scorer.score(clip)
    assert [each[:2] for each in built[1:]] == [(scorer.engine.name, scorer.settings.device)]
    again = pickle.loads(pickle.dumps(copy))
    with ThreadPoolExecutor(4) as threads:  # one engine, whichever thread is first
        engines = {id(each) for each in threads.map(lambda _: again.engine, range(8))}
    assert len(engines) == 1
    assert len(built) == 3


def test_weights_are_found_from_another_folder(
    seeded: dict[str, Path], clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.pth").write_bytes(seeded["dover-mobile"].read_bytes())
    monkeypatch.chdir(tmp_path)
    data = pickle.dumps(Scorer("dover-mobile", "cpu", weights="a.pth"))
    monkeypatch.chdir("/")
    assert pickle.loads(data).score(clip).overall > 0
    (tmp_path / "a.pth").write_bytes((seeded["dover-mobile"]).read_bytes() + b"0")
    with pytest.raises(WeightsError, match="and the scorer was made with"):
        pickle.loads(data).score(clip)
    (tmp_path / "a.pth").unlink()
    with pytest.raises(WeightsError):
        pickle.loads(data).score(clip)


def test_a_device_that_is_not_here_is_an_error(
    seeded: dict[str, Path], clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = Scorer("dover-mobile", "cpu", weights=seeded["dover-mobile"])
    scorer._engine._choice = ("torch", "cuda:99", "float32")
    copy = pickle.loads(pickle.dumps(scorer))
    with pytest.raises(SettingsError, match="cuda:99"):
        copy.score(clip)


def test_reading_and_scoring_can_be_apart(mobile: Scorer, clip: Path) -> None:
    views = pickle.loads(pickle.dumps(read(clip, mobile.read_options)))
    assert mobile.score_views(*views) == mobile.score(clip)
    assert read(clip).info.num_frames == 60


def test_views_of_another_seed_are_refused(mobile: Scorer, clip: Path) -> None:
    with pytest.raises(SettingsError, match=r"seed 3 and 1 repeats.*Pass scorer.read_options"):
        mobile.score_views(*read(clip, ReadOptions(seed=3)))


def test_the_record_is_that_of_the_video(mobile: Scorer, clip: Path) -> None:
    assert mobile.score_views(*read(clip, ReadOptions(start=7))).settings.reading == "start=7"
    assert mobile.score(clip).settings.reading is None


def test_locks_do_not_travel(mobile: Scorer) -> None:
    assert isinstance(mobile._engine._lock, type(threading.Lock()))
    assert "_lock" not in mobile._engine.__getstate__()
