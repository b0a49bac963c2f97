"""Files for encoders: zones of frames, scene lists and chapters."""

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from os import PathLike
from typing import Literal, NamedTuple

import vapoursynth as vs

from dover_plugin.analysis.segments import time_code
from dover_plugin.errors import DoverError
from dover_plugin.io.write import write_text

DEFAULT_ZONE = "b=1.5"
AV1AN_ENCODERS = ("aom", "rav1e", "vpx", "svt-av1", "x264", "x265")
NEUTRAL_ZONE = "0,0,b=1"  # changes nothing; x264 and x265 refuse an empty --zones

type Path = str | PathLike[str]


class Range(NamedTuple):
    """Frames [start, end), and the lowest score of their segments."""

    start: int
    end: int
    score: float


def write_ranges(
    ranges: Sequence[Range],
    path: Path,
    kind: Literal["json", "x264", "x265", "av1an"] = "json",
    options: str | None = None,
) -> None:
    """Write ranges for an encoder. Without ranges, the file is one that changes nothing.

    Args:
        ranges: ranges from low_quality.
        path: file to write.
        kind: "json" lists start, end (exclusive) and score. "x264" and "x265" write the value of
            their --zones. "av1an" writes a file for its --zones, one range a line.
        options: what the encoder does there: a bitrate factor or quantiser for x264 and x265
            ("q=18"; "b=1.5" unless given), the encoder and its options for av1an
            ("svt-av1 --crf 22"), which has no default.

    Raises:
        vapoursynth.Error: another kind, options that its encoder refuses, or a file that cannot be
            written.
    """
    if kind == "av1an" and (options or "").split()[:1] not in [[each] for each in AV1AN_ENCODERS]:
        raise vs.Error(
            f"dover: av1an zones need an encoder ({', '.join(AV1AN_ENCODERS)}) and its options, "
            "for example options='svt-av1 --crf 22'."
        )
    if kind in ("x264", "x265") and not (options or DEFAULT_ZONE).startswith(("b=", "q=")):
        raise vs.Error(f"dover: Invalid options={options!r} for {kind}; use 'b=1.5' or 'q=18'.")
    if kind == "json":
        text = json.dumps([r._asdict() for r in ranges], indent=2)
    elif kind in ("x264", "x265"):
        text = x26x_zones((r.start, r.end, options or DEFAULT_ZONE) for r in ranges)
    elif kind == "av1an":
        text = av1an_zones(
            [(r.start, r.end, str(options)) for r in ranges], str(options).split()[0]
        )
    else:
        raise vs.Error(f"dover: Unknown kind {kind!r}; use json, x264, x265 or av1an.")
    write(path, text)


def x26x_zones(zones: Iterable[tuple[int, int, str]]) -> str:
    """The value of --zones of x264 and x265, whose last frame is a part of the zone."""
    return "/".join(f"{start},{end - 1},{what}" for start, end, what in zones) or NEUTRAL_ZONE


def av1an_zones(zones: Sequence[tuple[int, int, str]], encoder: str) -> str:
    """A zones file of av1an, whose last frame is not a part of the zone.

    av1an fails on an empty file, so that a zone over the whole clip without options takes its
    place.
    """
    return "\n".join(f"{start} {end} {what}" for start, end, what in zones) or f"0 -1 {encoder}"


def write_scenes(
    scenes: Sequence[Range],
    path: Path,
    kind: Literal["keyframes", "qpfile", "chapters", "av1an"],
    *,
    fps: float | None = None,
) -> None:
    """Write where scenes start, for previewers, encoders and containers.

    Args:
        scenes: scenes in order, for example scored_ranges(clip).
        path: file to write.
        kind: "keyframes" (a keyframe list, for Aegisub and segment=), "qpfile" (x264, x265 and
            vsview), "chapters" (OGM chapters with the scores as names, for mkvmerge and vsview),
            or "av1an" (its --scenes, which must cover the clip: av1an encodes no other frames).
        fps: frames per second; chapters need it.

    Raises:
        vapoursynth.Error: another kind, no scenes, no frame rate, scenes with gaps for av1an, or a
            file that cannot be written.
    """
    if not scenes:
        raise vs.Error("dover: There are no scenes to write. Pass scored_ranges(clip).")
    starts = [scene.start for scene in scenes]
    if kind == "keyframes":
        text = "\n".join(["# keyframe format v1", "fps 0", "", *map(str, starts)])
    elif kind == "qpfile":
        text = "\n".join(f"{start} I -1" for start in starts)
    elif kind == "chapters":
        if not fps:
            raise vs.Error("dover: Chapters need the frame rate. Pass fps=clip.fps.")
        text = "\n".join(
            f"CHAPTER{n:02}={time_code(float(scene.start / fps))}\n"
            f"CHAPTER{n:02}NAME=Scene {n}, score {scene.score:.3f}"
            for n, scene in enumerate(scenes, start=1)
        )
    elif kind == "av1an":
        gap = next((b for a, b in pairwise([Range(0, 0, 0), *scenes]) if b.start != a.end), None)
        if gap is not None:
            raise vs.Error(
                f"dover: Scenes for av1an must follow each other from frame 0, and one starts at "
                f"{gap.start}. Pass scored_ranges of segments without overlap."
            )
        cuts = [
            {"start_frame": s.start, "end_frame": s.end, "zone_overrides": None} for s in scenes
        ]
        text = json.dumps(
            {"frames": scenes[-1].end, "scenes": cuts, "split_scenes": cuts}, indent=2
        )
    else:
        raise vs.Error(f"dover: Unknown kind {kind!r}; use keyframes, qpfile, chapters or av1an.")
    write(path, text)


def write(path: Path, text: str) -> None:
    """Write a file, with errors of VapourSynth."""
    try:
        write_text(path, text)
    except DoverError as error:
        raise vs.Error(f"dover: {error}") from None
