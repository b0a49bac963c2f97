"""Scored clips as tables, and their ranges of low quality."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import vapoursynth as vs

from dover_plugin import frame_properties as named
from dover_plugin.analysis.segments import time_code
from vs_filter.zones import Range

if TYPE_CHECKING:
    import pandas as pd

USAGE = "Pass the result of dover_segments(clip), or of dover(clip) with all props."
SCORES = named.SCORES | {
    "difference": named.DIFFERENCES["overall"],
    "technical_difference": named.DIFFERENCES["technical"],
    "aesthetic_difference": named.DIFFERENCES["aesthetic"],
}

type By = Literal[
    "overall",
    "technical",
    "aesthetic",
    "difference",
    "technical_difference",
    "aesthetic_difference",
]


def collect(clip: vs.VideoNode, *, progress: bool = False) -> "pd.DataFrame":
    """Score a clip and return one row per segment; for use from Python, not in a vspipe script.

    Args:
        clip: result of dover_segments or dover_compare_segments, at the cost of one decode, or of
            dover or dover_compare, which renders all frames.
        progress: show a progress bar on standard error.

    Returns:
        Columns are the properties' names, then start_seconds, end_seconds and time_code if the
        clip has a frame rate; as many rows as segments.

    Raises:
        vapoursynth.Error: a frame cannot be read or scored, or carries no scores.
    """
    import pandas as pd

    return pd.DataFrame(list(_rows(clip, progress)))


def scored_ranges(clip: vs.VideoNode, *, by: By = "overall", progress: bool = False) -> list[Range]:
    """All segments of a scored clip with their scores.

    Args:
        clip: as for collect.
        by: score to report.
        progress: show a progress bar on standard error.

    Raises:
        vapoursynth.Error: see collect; or a score that the clip does not carry.
    """
    _check_by(by)
    found = []
    for row in _rows(clip, progress):
        missing = {SCORES[by], named.START, named.END} - row.keys()
        if missing:
            compare = " of dover_compare" if "Difference" in min(missing) else ""
            raise vs.Error(f"dover: the clip carries no {min(missing)}{compare}. {USAGE}")
        found.append(Range(row[named.START], row[named.END], row[SCORES[by]]))
    return found


def low_quality(
    clip: vs.VideoNode,
    *,
    below: float | None = None,
    quantile: float | None = None,
    worst: int | None = None,
    by: By = "overall",
    progress: bool = False,
) -> list[Range]:
    """Frames of the segments with low scores; adjacent segments are joined.

    Use one of below, quantile and worst.

    Args:
        clip: as for collect. A score that ends in "difference" needs dover_compare_segments or
            dover_compare.
        below: segments that score below this: from 0 to 1, or from -1 to 1 for a difference.
        quantile: segments up to this quantile of the scores, from 0 to 1.
        worst: this many segments with the lowest scores.
        by: score to compare. "difference" is what an encode lost (negative) or gained.
        progress: show a progress bar on standard error.

    Raises:
        vapoursynth.Error: see collect; or a threshold or score that does not exist.
    """
    _check_by(by)
    _check_rule(below, quantile, worst, by)
    segments = scored_ranges(clip, by=by, progress=progress)
    ordered = sorted(segments, key=lambda segment: segment.score)
    if below is not None:
        chosen = [segment for segment in segments if segment.score < below]
    elif quantile is not None:
        import numpy as np

        limit = np.quantile([segment.score for segment in segments], quantile)
        chosen = [segment for segment in segments if segment.score <= limit]
    else:
        chosen = sorted(ordered[:worst])
    return _joined(chosen)


def _check_by(by: object) -> None:
    if by not in tuple(SCORES):
        raise vs.Error(f"dover: Unknown score by={by!r}; use {', '.join(SCORES)}.")


def _check_rule(below: float | None, quantile: float | None, worst: int | None, by: str) -> None:
    given = [
        name
        for name, value in (("below", below), ("quantile", quantile), ("worst", worst))
        if value is not None
    ]
    if len(given) != 1:
        raise vs.Error(
            f"dover: Use one of below, quantile and worst, got {' and '.join(given) or 'none'}."
        )
    lowest = -1 if by.endswith("difference") else 0
    if below is not None and not lowest <= below <= 1:
        raise vs.Error(f"dover: Invalid threshold below={below}; use a number from {lowest} to 1.")
    if quantile is not None and not 0 <= quantile <= 1:
        raise vs.Error(f"dover: Invalid quantile={quantile}; use a number from 0 to 1.")
    if worst is not None and (not isinstance(worst, int) or worst < 0):
        raise vs.Error(f"dover: Invalid worst={worst!r}; use a number of segments.")


def _joined(segments: list[Range]) -> list[Range]:
    ranges: list[Range] = []
    for segment in segments:
        if ranges and ranges[-1].end >= segment.start:
            last = ranges.pop()
            ranges.append(
                Range(last.start, max(last.end, segment.end), min(last.score, segment.score))
            )
        else:
            ranges.append(segment)
    return ranges


def _rows(clip: vs.VideoNode, progress: bool) -> Iterator[dict[str, Any]]:
    """The properties of the first frame of each segment, and its times."""
    from rich.console import Console
    from rich.progress import track

    previous: object = None
    last_end = rows = 0
    watched = track(
        clip.frames(close=True),
        "scoring",
        total=clip.num_frames,
        console=Console(stderr=True),
        disable=not progress,
        transient=True,
    )
    for number, frame in enumerate(watched):
        props = frame.props
        if named.SEGMENT not in props:
            raise vs.Error(f"dover: the clip carries no DoverSegment. {USAGE}")
        if props[named.SEGMENT] == previous:
            continue
        previous = props[named.SEGMENT]
        names = [name for name in (*named.ALL, *named.DIFFERENCES.values()) if name in props]
        row: dict[str, Any] = {name: _plain(props[name]) for name in names}
        if number > rows and row.get(named.START, last_end) < last_end:
            raise vs.Error(
                "dover: Scores of overlapping segments change from frame to frame. Pass "
                "dover_segments(clip, segment=..., overlap=...), which has one frame per segment."
            )
        last_end, rows = row.get(named.END, 0), rows + 1
        if clip.fps and {named.START, named.END} <= row.keys():
            for name, bound in (("start", named.START), ("end", named.END)):
                row[f"{name}_seconds"] = float(row[bound] / clip.fps)
            row["time_code"] = time_code(row["start_seconds"])
        yield row


def _plain(value: object) -> object:
    return value.decode() if isinstance(value, bytes) else value
