"""Passes over several videos: each video gets the maps that it gets alone."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from clips import write_clip

from dover_plugin import Scorer
from dover_plugin.engines.passes import Passes
from dover_plugin.engines.pool import EnginePool
from dover_plugin.engines.torch_engine import VIDEOS, TorchEngine
from dover_plugin.errors import EngineError
from dover_plugin.preprocessing.views import Views
from dover_plugin.scores import Maps
from dover_plugin.weights import load
from dover_plugin.weights.registry import published

SMALL = ("dover-open", "dover-mobile", "fast-vqa-m")
CPU = torch.device("cpu")


def engine(seeded: dict[str, Path], model: str, videos: int, device: torch.device) -> TorchEngine:
    network, _ = load.load_network(model, seeded[model])
    return TorchEngine(network, device, videos=videos)


def random_views(model: str, count: int) -> list[Views]:
    rng = np.random.default_rng(3)
    found = [Views.blank(published(model).sampling) for _ in range(count)]
    for views in found:
        for view in (views.technical, views.aesthetic):
            view[:] = rng.integers(0, rng.integers(50, 255), view.shape)
    return found


def equal(one: Maps, other: Maps) -> bool:
    return all(
        np.array_equal(getattr(one, branch), getattr(other, branch)) for branch in one.branches
    )


def devices() -> list[torch.device]:
    return [CPU, torch.device("cuda")] if torch.cuda.is_available() else [CPU]


@pytest.mark.parametrize("device", devices(), ids=str)
@pytest.mark.parametrize("model", SMALL)
def test_maps_depend_on_no_other_video_of_the_pass(
    model: str, device: torch.device, seeded: dict[str, Path]
) -> None:
    made = engine(seeded, model, 3, device)
    videos = random_views(model, 3)
    alone = [made.run(views) for views in videos]
    assert not equal(alone[0], alone[1])
    for order in ([2, 0, 1], [1, 2]):
        found = made._pass([videos[index] for index in order])
        assert len(found) == len(order)
        for index, maps in zip(order, found, strict=True):
            assert equal(maps, alone[index])
    expected = engine(seeded, model, 1, device).run(videos[0])
    for branch in expected.branches:
        assert np.abs(getattr(expected, branch) - getattr(alone[0], branch)).max() < 1e-4


def test_threads_share_passes() -> None:
    """Four threads that come while a pass runs are served by two passes of two."""
    sizes: list[int] = []
    started, may_end = threading.Event(), threading.Event()

    def run(videos: Sequence[Views]) -> list[Maps]:
        sizes.append(len(videos))
        started.set()
        may_end.wait(timeout=60)
        return [Maps(technical=views.technical.astype(np.float32)) for views in videos]

    passes = Passes(run, 2)
    videos = random_views("dover-open", 5)
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(passes.run, videos[0])
        started.wait(timeout=60)
        others = [pool.submit(passes.run, views) for views in videos[1:]]
        while passes._waiting.qsize() < 4:
            threading.Event().wait(0.01)
        may_end.set()
        found = [future.result(timeout=60) for future in (first, *others)]
    assert sizes == [1, 2, 2]
    for views, maps in zip(videos, found, strict=True):
        assert np.array_equal(maps.technical, views.technical)


def test_an_error_reaches_every_video_of_the_pass_and_the_next_one_runs() -> None:
    calls = []

    def run(videos: Sequence[Views]) -> list[Maps]:
        calls.append(len(videos))
        if len(calls) == 1:
            raise EngineError("The device is gone.")
        return [Maps() for _ in videos]

    passes = Passes(run, 2)
    views = random_views("dover-open", 1)[0]
    with pytest.raises(EngineError, match=r"The device is gone\."):
        passes.run(views)
    assert passes.run(views) == Maps()


def test_a_batch_keeps_its_order_and_scores(seeded: dict[str, Path], tmp_path: Path) -> None:
    clips = [
        str(write_clip(tmp_path / f"{i}.mp4", 20 + 4 * i, (224 + 16 * i, 256))) for i in range(5)
    ]
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    clips.insert(2, str(tmp_path / "bad.mp4"))
    scorer = Scorer("dover-open", "cpu", engine="torch")
    expected = list(scorer.score_many(clips))
    passes = engine(seeded, "dover-open", 2, CPU)
    assert passes.parallel == 4
    scorer._engine._engine = EnginePool([passes, engine(seeded, "dover-open", 2, CPU)])
    assert scorer.engine.parallel == 8
    found = list(scorer.score_many(clips, workers=2))
    assert [result.path for result in found] == clips
    assert [result.error for result in found] == [result.error for result in expected]
    for one, other in zip(found, expected, strict=True):
        if one.error is None:
            assert one.raw == pytest.approx(other.raw, abs=1e-5)  # type: ignore[union-attr]


def test_a_cpu_runs_one_video_at_a_time(seeded: dict[str, Path]) -> None:
    network, _ = load.load_network("dover-open", seeded["dover-open"])
    assert TorchEngine(network, CPU).parallel == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_has_room_for_several(seeded: dict[str, Path]) -> None:
    network, _ = load.load_network("dover-open", seeded["dover-open"])
    assert TorchEngine(network, torch.device("cuda")).parallel == 2 * VIDEOS
