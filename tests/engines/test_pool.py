"""Several engines behind the interface of one, and the devices that a Scorer is given."""

import threading
from pathlib import Path

import pytest
import torch
from clips import write_clip

from dover_plugin import Failure, Scorer, SettingsError
from dover_plugin.engines.pool import EnginePool
from dover_plugin.engines.torch_engine import TorchEngine, find_devices
from dover_plugin.preprocessing.views import Views
from dover_plugin.scores import Maps
from dover_plugin.weights import load, store

MODEL = "dover-open"


class Meeting(TorchEngine):
    """A real engine that waits until as many engines run as the barrier counts."""

    def __init__(self, barrier: threading.Barrier) -> None:
        network, _ = load.load_network(MODEL, store.find(MODEL))
        super().__init__(network, torch.device("cpu"))
        self._barrier = barrier
        self.runs = 0

    def run(self, views: Views) -> Maps:
        self._barrier.wait(timeout=60)
        self.runs += 1
        return super().run(views)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("clips")
    return [str(write_clip(folder / f"{i}.mp4", 20 + 4 * i, (224 + 16 * i, 256))) for i in range(4)]


def pooled(count: int) -> tuple[Scorer, list[Meeting]]:
    barrier = threading.Barrier(count)
    engines = [Meeting(barrier) for _ in range(count)]
    scorer = Scorer(MODEL, "cpu", engine="torch")
    scorer._engine._engine = EnginePool(engines)  # after it was built for one device
    return scorer, engines


def test_two_engines_run_at_once_and_results_keep_their_order(clips: list[str]) -> None:
    expected = [Scorer(MODEL, "cpu", engine="torch").score(clip).raw for clip in clips]
    scorer, engines = pooled(2)
    found = list(scorer.score_many(clips, workers=2))
    assert [result.path for result in found] == clips
    assert [result.raw for result in found] == expected  # type: ignore[union-attr]
    assert [engine.runs for engine in engines] == [2, 2]
    as_read = dict(scorer.score_as_read(clips, workers=2))
    assert [as_read[clip].raw for clip in clips] == expected  # type: ignore[union-attr]


def test_a_bad_video_is_a_row_and_the_consumer_may_stop(clips: list[str], tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    scorer, _ = pooled(1)
    results = list(scorer.score_many([str(tmp_path / "bad.mp4"), clips[0]]))
    assert isinstance(results[0], Failure)
    assert results[1].error is None
    scorer.engine.parallel = 2  # two threads in front of one engine
    stream = scorer.score_many(clips)
    next(stream)
    stream.close()  # type: ignore[attr-defined]


def test_a_pool_says_what_it_is() -> None:
    _, engines = pooled(2)
    pool = EnginePool(engines)
    assert (pool.name, pool.device, pool.precision, pool.parallel) == (
        "torch",
        "cpu,cpu",
        "float32",
        2,
    )


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("cpu,cpu", r"Device 'cpu' is listed twice in 'cpu,cpu'\. List it once\."),
        ("cpu, cpu:0", r"Device 'cpu:0' is listed twice"),
        ("cpu,", r"No device is named ''"),
        ("cpu,sound", r"No device is named 'sound'"),
        ("cuda,cuda:0", r"Device 'cuda:0' is listed twice"),
        ("cuda:0,cpu", r"of several types"),
    ],
)
def test_a_bad_list_of_devices_is_one_error(names: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        find_devices(names)
    with pytest.raises(SettingsError, match=message):
        Scorer(MODEL, names)


@pytest.mark.skipif(torch.cuda.is_available(), reason="is for machines without CUDA")
def test_all_devices_need_one() -> None:
    with pytest.raises(SettingsError, match="Device 'all' needs CUDA devices, and 0 were found"):
        find_devices("all")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_all_cuda_devices() -> None:
    assert find_devices("all")[0] == torch.device("cuda", 0)
