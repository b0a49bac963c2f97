"""A long video as segments, each scored as a video of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dover_plugin.errors import SettingsError
from dover_plugin.scores import Scores
from dover_plugin.video import VideoInfo

SHORT_TAIL = 0.5  # a last piece below this share of a segment joins the segment before it


class Segment(NamedTuple):
    """Frames [start, end) of a video."""

    start: int
    end: int


@dataclass(frozen=True)
class SegmentScores:
    """The quality of one segment.

    Attributes:
        segment: its frames.
        start_seconds: where it begins; None where the frame rate is unknown.
        end_seconds: where it ends.
        scores: as of a video that holds these frames alone.
    """

    segment: Segment
    start_seconds: float | None
    end_seconds: float | None
    scores: Scores

    @classmethod
    def of(cls, segment: Segment, scores: Scores) -> "SegmentScores":
        """Add the times, by the average frame rate."""
        start, end = (frame / scores.fps if scores.fps else None for frame in segment)
        return cls(segment, start, end, scores)


def by_length(total: int, length: int) -> list[Segment]:
    """Cut ``total`` frames into segments of ``length`` frames; a short rest joins the last one."""
    starts = list(range(0, total, length))
    if len(starts) > 1 and total - starts[-1] < SHORT_TAIL * length:
        starts.pop()
    return between(starts, total)


def by_seconds(info: VideoInfo, seconds: float) -> list[Segment]:
    """Cut a video into segments of about so many seconds, each a frame at least.

    Raises:
        SettingsError: no length, or a video without a frame rate.
    """
    if not 0 < seconds < float("inf"):
        raise SettingsError(f"A segment must last longer than 0 seconds, got {seconds!r}.")
    if not info.fps:
        raise SettingsError(f"{info.path!r} has no frame rate, so it cannot be cut by seconds.")
    return by_length(info.num_frames, max(1, round(seconds * info.fps)))


def between(starts: Sequence[int], total: int) -> list[Segment]:
    """Segments from each start, ascending, to the next, the last to ``total``."""
    return [Segment(a, b) for a, b in zip(starts, [*starts[1:], total], strict=True)]
