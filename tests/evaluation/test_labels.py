"""Labels: missing and unlabelled videos, and splits without leakage."""

from dataclasses import replace
from pathlib import Path

import pytest

from dover_plugin.errors import SettingsError, VideoError
from dover_plugin.evaluation.labels import (
    LabelledVideo,
    assign_splits,
    check_readable,
    check_videos,
    of_split,
)


def test_labels_without_videos_and_videos_without_labels(tmp_path: Path) -> None:
    for name in ("a.mp4", "c.mp4"):
        (tmp_path / name).write_bytes(b"x")
    rows = [LabelledVideo(tmp_path / "a.mp4", 1), LabelledVideo(tmp_path / "b.mp4", 2)]
    with pytest.raises(SettingsError, match=r"1 of 2 labelled videos .*b\.mp4'"):
        check_videos(rows, tmp_path)
    assert check_videos(rows[:1], tmp_path) == [str(tmp_path / "c.mp4")]


def test_all_videos_that_cannot_be_opened_are_named(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"no video")
    rows = [LabelledVideo(tmp_path / name, 1) for name in ("a.mp4", "b.mp4")]
    done: list[tuple[str, int, int]] = []
    with pytest.raises(VideoError, match=r"(?s)2 of 2 labelled .*a\.mp4.*b\.mp4"):
        check_readable(rows, lambda *step: done.append(step))
    assert done == [("opening", 1, 2), ("opening", 2, 2)]


def test_a_group_lies_in_one_split() -> None:
    rows = [LabelledVideo(Path(f"{i}.mp4"), i, group=str(i // 5)) for i in range(100)]
    done = assign_splits(rows, 1, 0.1, 0.2)
    groups = {name: {r.group for r in done if r.split == name} for name in ("train", "val", "test")}
    assert [len(found) for found in groups.values()] == [14, 2, 4]
    assert len(set.union(*groups.values())) == 20
    assert done == assign_splits(rows, 1, 0.1, 0.2) != assign_splits(rows, 2, 0.1, 0.2)
    assert [replace(row, split=None) for row in done] == rows


def test_named_splits_are_kept_and_checked() -> None:
    train, unnamed = (
        LabelledVideo(Path("a"), 1, group="x", split="train"),
        LabelledVideo(Path("b"), 2, group="y"),
    )
    with pytest.raises(SettingsError, match="1 of 2 rows"):
        assign_splits([train, unnamed], 1, 0.1, 0.2)
    leak = [train, LabelledVideo(Path("b"), 2, group="x", split="test")]
    with pytest.raises(SettingsError, match="lies in two splits, train and test"):
        assign_splits(leak, 1, 0.1, 0.2)
    named = [train, replace(unnamed, split="test")]
    assert assign_splits(named, 1, 0.1, 0.2) == named


def test_the_rows_of_a_split() -> None:
    rows = [LabelledVideo(Path(name), 1, split=name) for name in ("train", "test")]
    assert of_split(rows, "test", Path("labels.csv")) == rows[1:]
    with pytest.raises(SettingsError, match="'val'; 'test', 'train' are named"):
        of_split(rows, "val", Path("labels.csv"))
    with pytest.raises(SettingsError, match="names no split"):
        of_split([LabelledVideo(Path("a"), 1)], "val", Path("labels.csv"))
