"""Segments that overlap: which frames they own, and scores between their centres."""

from collections.abc import Sequence
from itertools import pairwise

import vapoursynth as vs

from dover_plugin.analysis.segments import Segment
from vs_filter.selection import select


def overlapping(segments: Sequence[Segment]) -> bool:
    """Whether consecutive segments share frames."""
    return len(segments) > 1 and segments[0].end > segments[1].start


def owned_frames(segments: Sequence[Segment], total: int) -> list[range]:
    """The frames whose latest needed segment each one is; together they cover the clip.

    Without overlap these are the frames of the segments. With overlap, a frame needs the segments
    with the nearest centres before and after it.
    """
    if not overlapping(segments):
        return [range(*segment) for segment in segments]
    # the frames after the last centre need no other segment
    bounds = [0, *(int(_centre(s)) + 1 for s in segments[:-1]), total]
    return [range(a, b) for a, b in pairwise(bounds)]


def interpolate(
    scores: vs.VideoNode, later: vs.VideoNode, segments: Sequence[Segment], total: int
) -> vs.VideoNode:
    """One small frame per frame of the clip, with numbers between those of two segments.

    Args:
        scores: one small frame per segment.
        later: the small frame of the segment that owns each frame of the clip.
        segments: segments that overlap.
        total: number of frames of the clip.
    """
    centres = [_centre(segment) for segment in segments]
    owners = [n for n, frames in enumerate(owned_frames(segments, total)) for _ in frames]
    earlier = select(scores, [max(0, n - 1) for n in owners])

    def mix(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        after = owners[n]
        before = max(0, after - 1)
        gap = centres[after] - centres[before]
        weight = min(1.0, (n - centres[before]) / gap) if gap else 1.0
        nearest = f[1] if weight >= 0.5 else f[0]
        out = nearest.copy()
        for name, value in f[1].props.items():
            if isinstance(value, float) and name.startswith("Dover"):
                old = float(f[0].props[name])
                out.props[name] = old + weight * (value - old)
        return out

    return vs.core.std.ModifyFrame(later, [earlier, later], mix)


def _centre(segment: Segment) -> float:
    return (segment.start + segment.end - 1) / 2
