"""Scored clips as tables and as zones for encoders."""

import json
from collections.abc import Sequence
from os import PathLike
from typing import Literal, NamedTuple

import pandas as pd
import vapoursynth as vs

from dover_plugin.errors import DoverError
from dover_plugin.io.write import write_text
from dover_plugin.scores import SCORES
from vs_filter.filter import DIFFERENCE_PROPS, PROPS

USAGE = "Pass the result of dover_segments(clip), or of dover(clip) with all props."


class Range(NamedTuple):
    """Frames [start, end) of low quality, and the lowest score of their segments."""

    start: int
    end: int
    score: float


def collect(clip: vs.VideoNode, *, progress: bool = False) -> pd.DataFrame:
    """Score a clip and return one row per segment; for use from Python, not in a vspipe script.

    Args:
        clip: result of dover_segments, at the cost of one decode, or of dover or dover_compare
            whose frames are all read.
        progress: show a progress bar on standard error.

    Returns:
        Columns are the properties' names; as many rows as segments.

    Raises:
        vapoursynth.Error: a frame cannot be read or scored, or carries no scores.
    """
    from rich.console import Console
    from rich.progress import track

    rows: list[dict[str, object]] = []
    frames = clip.frames(close=True)
    watched = track(
        frames,
        "scoring",
        total=clip.num_frames,
        console=Console(stderr=True),
        disable=not progress,
        transient=True,
    )
    for frame in watched:
        if "DoverSegment" not in frame.props:
            raise vs.Error(f"dover: the clip carries no DoverSegment. {USAGE}")
        if not rows or frame.props["DoverSegment"] != rows[-1]["DoverSegment"]:
            names = [name for name in (*PROPS, *DIFFERENCE_PROPS) if name in frame.props]
            rows.append({name: _plain(frame.props[name]) for name in names})
    return pd.DataFrame(rows)


def low_quality(
    clip: vs.VideoNode,
    *,
    below: float,
    by: Literal["overall", "technical", "aesthetic"] = "overall",
    progress: bool = False,
) -> list[Range]:
    """Frames of segments that score below a threshold; adjacent segments are joined.

    Args:
        clip: as for collect.
        below: threshold in [0, 1].
        by: score to compare.
        progress: show a progress bar on standard error.

    Raises:
        vapoursynth.Error: see collect; or a threshold or score that does not exist.
    """
    if by not in SCORES:
        raise vs.Error(f"dover: Unknown score by={by!r}; use {', '.join(SCORES)}.")
    if not 0 <= below <= 1:
        raise vs.Error(f"dover: Invalid threshold below={below}; use a number from 0 to 1.")
    ranges: list[Range] = []
    name = f"Dover{by.capitalize()}"
    table = collect(clip, progress=progress)
    missing = {name, "DoverSegmentStart", "DoverSegmentEnd"} - set(table.columns)
    if missing:
        raise vs.Error(f"dover: the clip carries no {min(missing)}. {USAGE}")
    for row in table.to_dict("records"):
        score = float(row[name])
        start, end = int(row["DoverSegmentStart"]), int(row["DoverSegmentEnd"])
        if score >= below:
            continue
        if ranges and ranges[-1].end == start:
            last = ranges.pop()
            ranges.append(Range(last.start, end, min(last.score, score)))
        else:
            ranges.append(Range(start, end, score))
    return ranges


def write_ranges(
    ranges: Sequence[Range],
    path: str | PathLike[str],
    kind: Literal["json", "x264", "x265", "av1an"] = "json",
    options: str | None = None,
) -> None:
    """Write ranges for an encoder.

    Args:
        ranges: ranges from low_quality.
        path: file to write.
        kind: "json" lists start, end (exclusive) and score. "x264" and "x265" write what goes
            after their --zones. "av1an" writes a file for its --zones, one range a line.
        options: what the encoder shall do there: a bitrate factor or quantiser for x264 and x265
            ("q=18"; "b=1.5" unless given), the encoder and its options for av1an
            ("svt-av1 --crf 22"), which has no default.

    Raises:
        vapoursynth.Error: another kind, no range where the encoder wants one, or no such place.
    """
    if not ranges and kind in ("x264", "x265"):
        raise vs.Error("dover: There is no range of low quality; omit --zones.")
    if kind == "av1an" and not options:
        raise vs.Error(
            "dover: av1an zones need encoder options, for example options='svt-av1 --crf 22'."
        )
    if kind == "json":
        text = json.dumps([r._asdict() for r in ranges], indent=2)
    elif kind in ("x264", "x265"):  # the last frame is part of the zone
        text = "/".join(f"{r.start},{r.end - 1},{options or 'b=1.5'}" for r in ranges)
    elif kind == "av1an":
        text = "\n".join(f"{r.start} {r.end} {options}" for r in ranges)
    else:
        raise vs.Error(f"dover: Unknown kind {kind!r}; use json, x264, x265 or av1an.")
    try:
        write_text(path, text)
    except DoverError as error:
        raise vs.Error(f"dover: {error}") from None


def _plain(value: object) -> object:
    return value.decode() if isinstance(value, bytes) else value
