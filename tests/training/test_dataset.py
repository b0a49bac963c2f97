"""Samples: random and centred ones, and their cache."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from clips import write_clip

from dover_plugin.errors import VideoError
from dover_plugin.evaluation.labels import LabelledVideo
from dover_plugin.training.dataset import CENTRED, Arrays, Rng, VideoDataset, ViewBuilder
from dover_plugin.training.run_folder import TrainingError


@dataclass
class Counting:
    """A builder of random numbers that counts how often a video is read."""

    reads: list[str] = field(default_factory=list)
    name: str = "numbers"

    def __call__(self, row: LabelledVideo, rngs: Sequence[Rng]) -> list[Arrays]:
        self.reads.append(row.file.name)
        return [{"number": rng.random(2) if rng else np.zeros(2)} for rng in rngs]


@pytest.fixture
def rows(tmp_path: Path) -> list[LabelledVideo]:
    files = [tmp_path / f"{name}.mp4" for name in "ab"]
    for file in files:
        file.write_bytes(b"content")
    return [LabelledVideo(file, 1.0, technical=2.0) for file in files]


def numbers(dataset: VideoDataset, sample: int, index: int = 0) -> list[float]:
    tensors = dataset[(sample, index)]
    assert isinstance(tensors, dict)
    values: list[float] = tensors["number"].tolist()
    return values


def test_cached_samples_are_reused_in_turn(rows: list[LabelledVideo], tmp_path: Path) -> None:
    build = Counting()
    cached = VideoDataset(rows, build, seed=3, cached_samples=2, cache=tmp_path / "cache")
    assert cached.missing(0) == [(0, 0), (0, 1)]
    first, second = numbers(cached, 0), numbers(cached, 1)
    assert build.reads == ["a.mp4"]  # one pass builds both samples
    assert first != second
    assert (numbers(cached, 2), numbers(cached, 3)) == (first, second)
    assert numbers(cached, CENTRED) == [0, 0]
    assert build.reads == ["a.mp4", "a.mp4"]
    assert numbers(cached, 0, 1) not in (first, second)
    assert cached.missing(0) == cached.missing(1) == []
    again = VideoDataset(rows, build, seed=3, cached_samples=2, cache=tmp_path / "cache")
    other = VideoDataset(rows, build, seed=4, cached_samples=2, cache=tmp_path / "cache")
    assert numbers(again, 0) == first != numbers(other, 0)
    assert numbers(other, CENTRED) == [0, 0]
    assert build.reads.count("a.mp4") == 3  # the centred sample does not depend on the seed


def test_without_a_cache_every_epoch_has_new_samples(
    rows: list[LabelledVideo], tmp_path: Path
) -> None:
    fresh = VideoDataset(rows, Counting(), seed=3, cached_samples=0, cache=tmp_path / "cache")
    samples = [tuple(numbers(fresh, epoch)) for epoch in range(4)]
    assert len(set(samples)) == 4
    assert samples == [tuple(numbers(fresh, epoch)) for epoch in range(4)]
    assert fresh.missing(0) == [(0, 0), (0, 1)]
    assert not (tmp_path / "cache").exists()


def test_damaged_cache_files_and_changed_videos_are_read_again(
    rows: list[LabelledVideo], tmp_path: Path
) -> None:
    build = Counting()
    cached = VideoDataset(rows, build, seed=3, cached_samples=1, cache=tmp_path / "cache")
    first = numbers(cached, 0)
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(file.read_bytes()[:50])
    assert numbers(cached, 0) == first
    assert len(build.reads) == 2
    rows[0].file.write_bytes(b"other content")
    numbers(cached, 0)
    assert len(build.reads) == 3


def test_labels_are_part_of_a_sample(rows: list[LabelledVideo], tmp_path: Path) -> None:
    dataset = VideoDataset(rows, Counting(), seed=0, cached_samples=0, cache=tmp_path)
    sample = dataset[(0, 0)]
    assert isinstance(sample, dict)
    assert (float(sample["overall"]), float(sample["technical"])) == (1, 2)
    assert sample["aesthetic"].isnan()


def test_errors_are_returned(rows: list[LabelledVideo], tmp_path: Path) -> None:
    blocked = tmp_path / "cache"
    dataset = VideoDataset(rows, ViewBuilder(), seed=0, cached_samples=1, cache=blocked)
    assert isinstance(dataset[(0, 0)], VideoError)  # not a video
    rows[1].file.unlink()
    missing = dataset[(0, 1)]
    assert isinstance(missing, VideoError)
    assert "No such file" in str(missing)


def test_a_cache_that_cannot_be_written(
    rows: list[LabelledVideo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    dataset = VideoDataset(rows, Counting(), seed=0, cached_samples=1, cache=tmp_path / "cache")
    error = dataset[(0, 0)]
    assert isinstance(error, TrainingError)
    assert "No space left" in str(error)
    assert not list((tmp_path / "cache").iterdir())


def test_random_views_differ_from_the_centred_ones(tmp_path: Path) -> None:
    row = LabelledVideo(write_clip(tmp_path / "a.mp4", 40, (320, 480)), 1.0)
    dataset = VideoDataset([row], ViewBuilder(), seed=0, cached_samples=0, cache=tmp_path)
    random, again, centred = (dataset[(number, 0)] for number in (0, 0, CENTRED))
    assert isinstance(random, dict)
    assert isinstance(again, dict)
    assert isinstance(centred, dict)
    frames = random["technical_view"].shape[1]
    assert random["technical_view"].shape == (1, frames, 224, 224, 3)
    assert centred["technical_view"].shape == (3, frames, 224, 224, 3)
    assert centred["aesthetic_view"].shape == (1, frames, 224, 224, 3)
    assert torch.equal(random["technical_view"], again["technical_view"])
    assert not torch.equal(random["technical_view"][0], centred["technical_view"][0])
