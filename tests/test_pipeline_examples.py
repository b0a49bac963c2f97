"""The adapters in examples/pipelines run in real pipelines and give the scores of the scorer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from clips import write_clip

from dover_plugin import Scorer

FOLDER = Path(__file__).parents[1] / "examples/pipelines"


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two videos and a broken one, and what each example has to print after the path."""
    folder = tmp_path_factory.mktemp("pipeline")
    (folder / "broken.mp4").write_text("no video")
    paths = [write_clip(folder / f"{i}.mp4", 8, (64, 96 + 16 * i)) for i in range(2)]
    scorer = Scorer(device="cpu", engine="torch")
    expected = {str(path): f"{scorer.score(path).overall:.4f}" for path in paths}
    return {**expected, str(folder / "broken.mp4"): "failed:"}


def printed(name: str, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", FOLDER / name, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ | {"DOVER_ENGINE": "torch", "CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def check(lines: list[str], videos: dict[str, str]) -> None:
    assert len(lines) == len(videos), lines
    for line, (path, score) in zip(lines, videos.items(), strict=True):
        assert line.startswith(f"{path} {score}"), line


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_a_data_loader(method: str, videos: dict[str, str]) -> None:
    if method not in torch.multiprocessing.get_all_start_methods():
        pytest.skip(f"no start method {method} on this system")
    check(printed("dataloader.py", "--start-method", method, *videos), videos)


def test_ray_data(videos: dict[str, str]) -> None:
    pytest.importorskip("ray")
    lines = [line for line in printed("ray_data.py", *videos) if line.split()[0] in videos]
    check(lines, videos)


def test_tables_of_pandas_and_polars(videos: dict[str, str]) -> None:
    pytest.importorskip("polars")
    *lines, kept = printed("dataframe.py", *videos)
    check(lines, videos)
    good = [path for path, score in videos.items() if score != "failed:"]
    assert kept.split(": ")[1].split() == good


def test_a_stage_of_curation(videos: dict[str, str]) -> None:
    check(printed("curation_stage.py", *videos), videos)


def test_a_metric(videos: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    good = {path: score for path, score in videos.items() if score != "failed:"}
    check(printed("metric.py", *good), good)
    monkeypatch.syspath_prepend(FOLDER)
    from metric import VideoQuality  # type: ignore[import-not-found]

    metric = VideoQuality(Scorer(device="cpu", engine="torch"))
    metric.update(torch.zeros((2, 4, 3, 64, 96)))
    metric.update(next(iter(good)))
    assert len(metric.values["overall"]) == 3
    assert set(metric.compute()) == {"overall", "technical", "aesthetic"}


def test_adapters_take_models_with_one_score(
    videos: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    from curation_stage import Clip, QualityStage
    from metric import VideoQuality

    scorer = Scorer(device="cpu", engine="torch", branches=("technical",))
    metric, stage = VideoQuality(scorer), QualityStage(minimum=0.0)
    assert metric.compute() == {}
    stage.scorer = scorer
    path = next(iter(videos))
    metric.update(path)
    assert list(metric.compute()) == ["technical"]
    assert stage.process_batch([Clip(each) for each in videos])[0].path == path
