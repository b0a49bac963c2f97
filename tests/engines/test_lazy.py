"""A scorer travels between processes; the network is loaded where it is used."""

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from dover_plugin import ReadOptions, Scorer, SettingsError, WeightsError, read
from dover_plugin.engines import lazy


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Name and device of the engines that are made."""
    found: list[tuple[Any, ...]] = []
    make = lazy.make_engine

    def making(name: str, network: Any, *rest: Any) -> Any:
        found.append((name, rest[1]))
        return make(name, network, *rest)

    monkeypatch.setattr(lazy, "make_engine", making)
    return found


def test_a_copy_builds_its_engine_at_its_first_use(
    seeded: dict[str, Path], clip: Path, built: list[Any]
) -> None:
    scorer = Scorer(weights=seeded["dover-open"], device="cpu", repeats=2, start=5)
    data = pickle.dumps(scorer)
    assert len(data) < 5000
    copy = pickle.loads(data)
    assert len(built) == 1
    assert (copy.settings, copy.read_options) == (scorer.settings, scorer.read_options)
    assert copy.score(clip) == scorer.score(clip)
    assert built[1:] == [(scorer.engine.name, scorer.settings.device)]
    again = pickle.loads(pickle.dumps(copy))
    with ThreadPoolExecutor(4) as threads:  # one engine, whichever thread is first
        engines = {id(each) for each in threads.map(lambda _: again.engine, range(8))}
    assert len(engines) == 1
    assert len(built) == 3


def test_weights_are_found_from_another_folder(
    seeded: dict[str, Path], clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.safetensors").write_bytes(seeded["dover-open"].read_bytes())
    monkeypatch.chdir(tmp_path)
    data = pickle.dumps(Scorer(device="cpu", weights="a.safetensors"))
    monkeypatch.chdir("/")
    assert pickle.loads(data).score(clip).overall > 0
    weights = load_file(tmp_path / "a.safetensors")
    save_file(
        {**weights, next(iter(weights)): weights[next(iter(weights))] + 1},
        tmp_path / "a.safetensors",
    )
    with pytest.raises(WeightsError, match="and the scorer was made with"):
        pickle.loads(data).score(clip)
    (tmp_path / "a.safetensors").unlink()
    with pytest.raises(WeightsError):
        pickle.loads(data).score(clip)


def test_a_device_that_is_not_here_is_an_error(clip: Path) -> None:
    scorer = Scorer(device="cpu")
    scorer._engine._choice = ("torch", "cuda:99", "float32")
    copy = pickle.loads(pickle.dumps(scorer))
    with pytest.raises(SettingsError, match="cuda:99"):
        copy.score(clip)


def test_reading_and_scoring_can_be_apart(bundled: Scorer, clip: Path) -> None:
    views = pickle.loads(pickle.dumps(read(clip, bundled.read_options)))
    assert bundled.score_views(*views) == bundled.score(clip)
    assert read(clip).info.num_frames == 60


def test_views_of_another_seed_are_refused(bundled: Scorer, clip: Path) -> None:
    with pytest.raises(SettingsError, match=r"seed 3 and 1 repeats.*Pass scorer.read_options"):
        bundled.score_views(*read(clip, ReadOptions(seed=3)))


def test_the_record_is_that_of_the_video(bundled: Scorer, clip: Path) -> None:
    assert bundled.score_views(*read(clip, ReadOptions(start=7))).settings.reading == "start=7"
    assert bundled.score(clip).settings.reading is None


def test_locks_do_not_travel(bundled: Scorer) -> None:
    assert isinstance(bundled._engine._lock, type(threading.Lock()))
    assert "_lock" not in bundled._engine.__getstate__()
