"""Timelines from frame properties that ``vspipe --json`` has recorded."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from dover_plugin import frame_properties as named
from dover_plugin.analysis.segments import Segment, SegmentScores
from dover_plugin.analysis.timeline import Timeline
from dover_plugin.errors import VideoError
from dover_plugin.io.source import VideoInfo
from dover_plugin.preprocessing.sampling_rule import BRANCHES
from dover_plugin.scores import Raw, Scores, Settings
from dover_plugin.text import UNKNOWN


def read_properties(path: Path) -> Timeline:
    """Read the scores of segments from the properties of frames, or of one frame per segment.

    Args:
        path: file that ``vspipe --json`` wrote for a clip of the VapourSynth filter.

    Raises:
        VideoError: the file cannot be read, or holds no scores.
    """
    try:
        frames = json.loads(path.read_text("utf-8"))
        scored = [frame for frame in frames if named.SEGMENT in frame]
        firsts: dict[int, Any] = {}
        for frame in scored:
            firsts.setdefault(frame[named.SEGMENT], frame)
        parts = [firsts[n] for n in sorted(firsts)]
        missing = [name for name in named.NEEDED for part in parts if name not in part]
        # Each segment has the scores of the first one: of both branches, or of one.
        scores = (*named.SCORES.values(), *named.RAW.values())
        given = {name for name in scores if parts and name in parts[0]}
        missing += [name for name in sorted(given) for part in parts if name not in part]
        if parts and given.isdisjoint(named.RAW.values()):
            missing.insert(0, named.RAW["technical"])
    except OSError as error:
        raise VideoError(f"Cannot read '{path}': {error.strerror}.") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise VideoError(
            f"'{path}' is not a file of frame properties ({error}). Write one with 'vspipe --json'."
        ) from None
    if missing or not parts:
        raise VideoError(
            f"'{path}' carries no {missing[0] if missing else named.SEGMENT}. Record a clip of "
            "the VapourSynth filter with all of its properties."
        )
    try:
        overlap = any(b[named.START] < a[named.END] for a, b in pairwise(parts))
        if overlap and len(parts) < len(scored):
            raise VideoError(
                f"'{path}' holds scores of overlapping segments, which change from frame to frame. "
                "Record a clip of dover_segments, which has one frame per segment."
            )
        return _timeline(path, parts, one_per_segment=len(parts) == len(scored))
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise VideoError(
            f"'{path}' holds a property that is invalid ({error}). Record the clip again."
        ) from None


def _timeline(path: Path, parts: list[dict[str, Any]], *, one_per_segment: bool) -> Timeline:
    first = parts[0]
    settings = Settings(
        version=UNKNOWN,
        model=str(first[named.MODEL]),
        weights_sha256=str(first[named.WEIGHTS]),
        device=UNKNOWN,
        engine=UNKNOWN,
        precision=UNKNOWN,
        fusion=str(first[named.FUSION]),
        repeats=1,
        seed=None,
        branches="+".join(b for b in BRANCHES if named.SCORES[b] in first),
    )
    segments = [Segment(int(p[named.START]), int(p[named.END])) for p in parts]
    fps = None
    if "_DurationNum" in first and "_DurationDen" in first:
        shown = segments[0].end - segments[0].start if one_per_segment else 1
        fps = shown * first["_DurationDen"] / first["_DurationNum"]
    info = VideoInfo(str(path), segments[-1].end, 0, 0, fps, "vapoursynth")
    found = [
        SegmentScores.of(segment, _scores(part, segment, info, settings), info)
        for segment, part in zip(segments, parts, strict=True)
    ]
    return Timeline(info, settings, found)


def _scores(part: dict[str, Any], segment: Segment, info: VideoInfo, settings: Settings) -> Scores:
    return Scores(
        path=info.path,
        technical=_number(part, named.SCORES["technical"]),
        aesthetic=_number(part, named.SCORES["aesthetic"]),
        overall=_number(part, named.SCORES["overall"]),
        raw=Raw(_number(part, named.RAW["technical"]), _number(part, named.RAW["aesthetic"])),
        raw_std=None,
        settings=settings,
        decoder=info.decoder,
        num_frames=segment.end - segment.start,
        width=info.width,
        height=info.height,
        fps=info.fps,
    )


def _number(part: dict[str, Any], name: str) -> float | None:
    return float(part[name]) if name in part else None
