"""Labelled videos, checks of their files, and splits without leakage between groups."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path

import numpy as np

from dover_plugin.errors import SettingsError, VideoError
from dover_plugin.io.files import find_videos
from dover_plugin.io.open import open_source

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class LabelledVideo:
    """A video and its mean opinion scores (MOS).

    Attributes:
        file: the video.
        overall: overall MOS, in any unit; higher is better.
        technical: technical MOS; NaN where unknown.
        aesthetic: aesthetic MOS; NaN where unknown.
        group: source content of the video; a group never lies in two splits.
        split: "train", "val" or "test"; None if the label table names no split.
    """

    file: Path
    overall: float
    technical: float = nan
    aesthetic: float = nan
    group: str = ""
    split: str | None = None


def check_videos(labels: Sequence[LabelledVideo], videos: Path) -> list[str]:
    """Videos of the folder that have no label.

    Raises:
        SettingsError: labelled videos are missing; the message names them.
    """
    missing = [row.file for row in labels if not row.file.is_file()]
    if missing:
        raise SettingsError(
            f"{len(missing)} of {len(labels)} labelled videos are missing in '{videos}', for "
            f"example {some([str(file) for file in missing])}. Check --videos, or remove their "
            "rows from the table."
        )
    labelled = {row.file.resolve() for row in labels}
    found = [Path(file) for file in find_videos([str(videos)])]
    return [str(file) for file in found if file.is_file() and file.resolve() not in labelled]


def of_split(labels: Sequence[LabelledVideo], name: str, table: Path) -> list[LabelledVideo]:
    """The rows whose split is ``name``.

    Raises:
        SettingsError: there is no such row.
    """
    rows = [row for row in labels if row.split == name]
    if not rows:
        named = sorted({row.split for row in labels if row.split})
        listed = f"{some(named)} are named" if named else "the table names no split"
        raise SettingsError(
            f"No row of '{table}' has the split {name!r}; {listed}. Omit --split to use all rows."
        )
    return rows


def check_readable(
    labels: Sequence[LabelledVideo], progress: Callable[[str, int, int], None]
) -> None:
    """Open every video, so that broken files are reported before training starts.

    Raises:
        VideoError: one or more videos cannot be opened; the message names all of them.
    """

    def open_error(row: LabelledVideo) -> VideoError | None:
        try:
            open_source(row.file)
        except VideoError as error:
            return error
        return None

    errors: list[VideoError] = []
    pool = ThreadPoolExecutor(thread_name_prefix="dover-open")
    try:
        for done, error in enumerate(pool.map(open_error, labels), start=1):
            errors += [error] if error else []
            progress("opening", done, len(labels))
    finally:  # also after Ctrl-C
        pool.shutdown(cancel_futures=True)
    if errors:
        listed = "\n".join(str(error) for error in errors)
        raise VideoError(
            f"{len(errors)} of {len(labels)} labelled videos cannot be opened. Replace the files, "
            f"or remove their rows from the table.\n{listed}"
        )


def assign_splits(
    labels: Sequence[LabelledVideo], seed: int, val_share: float, test_share: float
) -> list[LabelledVideo]:
    """Labels with a split each: the one that the table names, or a random one drawn by groups.

    Args:
        labels: labels of one table.
        seed: random seed of the split.
        val_share: share of the groups in the validation split.
        test_share: share of the groups in the test split; all others are trained on.

    Raises:
        SettingsError: only some rows name a split, or a group lies in two splits.
    """
    num_named = sum(row.split is not None for row in labels)
    if num_named == 0:
        chosen = _random_splits(labels, seed, val_share, test_share)
    elif num_named == len(labels):
        chosen = _named_splits(labels)
    else:
        raise SettingsError(
            f"{num_named} of {len(labels)} rows name a split. Use a split in every row or in none."
        )
    return [replace(row, split=chosen[row.group]) for row in labels]


def _random_splits(
    labels: Sequence[LabelledVideo], seed: int, val_share: float, test_share: float
) -> dict[str, str]:
    """Split of each group."""
    groups = sorted({row.group for row in labels})
    order = np.random.default_rng(seed).permutation(len(groups))
    num_val, num_test = round(val_share * len(groups)), round(test_share * len(groups))
    names = ["val"] * num_val + ["test"] * num_test + ["train"] * len(groups)
    return {groups[index]: name for index, name in zip(order, names, strict=False)}


def _named_splits(labels: Sequence[LabelledVideo]) -> dict[str, str]:
    """Split of each group, as the rows name it."""
    chosen: dict[str, str] = {}
    for row in labels:
        if chosen.setdefault(row.group, str(row.split)) != row.split:
            raise SettingsError(
                f"Group {row.group!r} lies in two splits, {chosen[row.group]} and {row.split}, so "
                "the test split would leak into training. Assign the group to one split."
            )
    return chosen


def some(names: Sequence[str]) -> str:
    """The first three names, for an error message."""
    return ", ".join(repr(name) for name in names[:3]) + (" ..." if len(names) > 3 else "")
