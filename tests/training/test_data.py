"""Batches: their order, and errors of the processes that read them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dover_plugin.errors import SettingsError, VideoError
from dover_plugin.evaluation.labels import LabelledVideo
from dover_plugin.training import data
from dover_plugin.training.data import load_batches, plan_batches
from dover_plugin.training.dataset import VideoDataset, ViewBuilder


def test_batches_hold_every_video_once_an_epoch() -> None:
    batches = plan_batches(10, 4, 3, seed=0)
    assert [len(batch) for batch in batches] == [4, 4, 2] * 3
    for epoch in range(3):
        keys = [key for batch in batches[3 * epoch : 3 * epoch + 3] for key in batch]
        assert sorted(keys) == [(epoch, i) for i in range(10)]
    assert batches[:3] != [[(0, i) for _, i in batch] for batch in batches[3:6]]
    assert batches == plan_batches(10, 4, 3, seed=0) != plan_batches(10, 4, 3, seed=1)
    # A batch of one video has no correlation.
    assert [len(batch) for batch in plan_batches(9, 4, 1, seed=0)] == [4, 4]


def test_a_worker_process_names_a_broken_video(labels: list[LabelledVideo], tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    rows = [replace(labels[0], file=broken), labels[1]]
    dataset = VideoDataset(rows, ViewBuilder(), seed=0, cached_samples=0, cache=tmp_path)
    with pytest.raises(VideoError, match=r"^[^\n]*broken\.mp4' cannot be read[^\n]*$"):
        list(load_batches(dataset, [[(0, 1), (0, 0)]], workers=1))


def test_a_dead_worker_process_is_reported(
    labels: list[LabelledVideo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dead_loader(*_: object, **__: object) -> Iterator[None]:
        raise RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly")
        yield  # makes this a generator: the error is raised when the first batch is requested

    monkeypatch.setattr(data, "DataLoader", dead_loader)
    dataset = VideoDataset(labels[:2], ViewBuilder(), seed=0, cached_samples=0, cache=tmp_path)
    with pytest.raises(SettingsError, match="fewer --workers"):
        list(load_batches(dataset, [[(0, 0), (0, 1)]], workers=0))
