"""Which video has which opinion, and which part of a training it belongs to."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from math import nan
from pathlib import Path

import numpy as np

from dover_plugin.errors import SettingsError, VideoError
from dover_plugin.io.files import find_videos
from dover_plugin.io.open import open_source

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class LabelledVideo:
    """A video and what people thought of it.

    Attributes:
        file: the video.
        overall: the opinion, in any unit, higher for better.
        technical: the opinion on the technical side; NaN where unknown.
        aesthetic: likewise.
        group: what it shows; videos of one group never lie in two splits.
        ladder: which videos of its group it is to be compared with; all, if nothing else is said.
        cut_from: height of the picture that the video is cut out of, in pixels; 0 if it is whole.
        split: "train", "val" or "test"; None to be drawn.
        also: other columns that were asked for, by name; NaN where unknown.
    """

    file: Path
    overall: float
    technical: float = nan
    aesthetic: float = nan
    group: str = ""
    ladder: str = ""
    cut_from: int = 0
    split: str | None = None
    also: Mapping[str, float] = field(default_factory=dict)


def check_videos(labels: Sequence[LabelledVideo], videos: Path) -> list[str]:
    """What in the folder has no label.

    Raises:
        SettingsError: labels without a video, named.
    """
    missing = [row.file for row in labels if not row.file.is_file()]
    if missing:
        raise SettingsError(
            f"{len(missing)} of {len(labels)} labelled videos are not in '{videos}', as "
            f"{some([str(file) for file in missing])}. Check --videos, or leave "
            "out their rows."
        )
    labelled = {row.file.resolve() for row in labels}
    there = [Path(file) for file in find_videos([str(videos)])]
    return [str(file) for file in there if file.is_file() and file.resolve() not in labelled]


def of_split(labels: Sequence[LabelledVideo], name: str, table: Path) -> list[LabelledVideo]:
    """The rows that name this split.

    Raises:
        SettingsError: there are none.
    """
    rows = [row for row in labels if row.split == name]
    if not rows:
        named = sorted({row.split for row in labels if row.split})
        raise SettingsError(
            f"No row of '{table}' has the split {name!r}; {some(named) if named else 'none'} "
            "is named there. Leave --split out to take all rows."
        )
    return rows


def check_readable(
    labels: Sequence[LabelledVideo], progress: Callable[[str, int, int], None]
) -> None:
    """Open every video, so that a broken one is known before hours are spent.

    Raises:
        VideoError: one or more cannot be opened, all named.
    """

    def fault(row: LabelledVideo) -> VideoError | None:
        try:
            open_source(row.file)
        except VideoError as error:
            return error
        return None

    broken: list[VideoError] = []
    pool = ThreadPoolExecutor(thread_name_prefix="dover-open")
    try:
        for done, error in enumerate(pool.map(fault, labels), start=1):
            broken += [error] if error else []
            progress("opening", done, len(labels))
    finally:  # also where Ctrl-C was pressed
        pool.shutdown(cancel_futures=True)
    if broken:
        told = "\n".join(str(error) for error in broken)
        raise VideoError(
            f"{len(broken)} of {len(labels)} labelled videos cannot be opened. Take their rows out "
            f"of the table, or get them anew.\n{told}"
        )


def split(
    labels: Sequence[LabelledVideo], seed: int, shares: tuple[float, float]
) -> list[LabelledVideo]:
    """Labels with a split each: their own, or one drawn by groups.

    Args:
        labels: of one table.
        seed: of the draw.
        shares: of the groups that validate and test; the rest trains.

    Raises:
        SettingsError: some rows have a split and some have none, or a group lies in two.
    """
    named = [row.split for row in labels if row.split is not None]
    if len(named) not in (0, len(labels)):
        raise SettingsError(
            f"{len(named)} of {len(labels)} rows name a split. Name one in every row or in none."
        )
    chosen: dict[str, str] = {}
    if named:
        for row in labels:
            if chosen.setdefault(row.group, str(row.split)) != row.split:
                raise SettingsError(
                    f"Group {row.group!r} lies in two splits, {chosen[row.group]} and {row.split}, "
                    "so that what is tested was trained on. Give the group one split."
                )
    else:
        groups = sorted({row.group for row in labels})
        order = np.random.default_rng(seed).permutation(len(groups))
        val, test = (round(share * len(groups)) for share in shares)
        for place, index in enumerate(order):
            chosen[groups[index]] = SPLITS[1 if place < val else 2 if place < val + test else 0]
    return [
        LabelledVideo(**{**vars(row), "split": chosen[row.group]})  # frozen
        for row in labels
    ]


def some(names: Sequence[str]) -> str:
    """The first few of them, for an error."""
    return ", ".join(repr(name) for name in names[:3]) + (" ..." if len(names) > 3 else "")
