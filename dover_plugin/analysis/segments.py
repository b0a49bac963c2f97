"""A long video as segments, each scored as a video of its own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dover_plugin.errors import SettingsError
from dover_plugin.io.source import FrameSource, VideoInfo
from dover_plugin.scores import Scores

SHORT_TAIL = 0.5  # a last piece below this share of a segment joins the segment before it
SCENES = "scenes"
SHORTEST = 0.5  # seconds that both of two videos must last


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


def cut(source: FrameSource, how: str, overlap: str = "0f") -> list[Segment]:
    """Cut a video as a user says.

    Args:
        source: the video.
        how: a length, as "5s" or "240f", or "scenes", which reads all frames once to find them.
        overlap: by how much segments of a length overlap, as "1s" or "24f".

    Raises:
        SettingsError: it means nothing, the overlap is no shorter than a segment, or the video has
            no frame rate to count seconds by.
    """
    info = source.info
    if how == SCENES:
        if _frames(overlap, info, "overlap"):
            raise SettingsError("Scenes do not overlap. Leave out the overlap, or name a length.")
        from dover_plugin.analysis.scenes import find_scenes

        return between(find_scenes(source), info.num_frames)
    length, shared = _frames(how, info, "segment"), _frames(overlap, info, "overlap")
    if length < 1:
        raise SettingsError(f"A segment of {how!r} is shorter than a frame. Name a longer one.")
    if shared >= length:
        raise SettingsError(
            f"Segments of {how!r} cannot overlap by {overlap!r}. Name less than their length."
        )
    return by_length(info.num_frames, length, shared)


def by_length(total: int, length: int, overlap: int = 0) -> list[Segment]:
    """Cut ``total`` frames into segments of ``length`` frames; a short rest joins the last one.

    Args:
        total: frames of the video.
        length: frames of a segment, at least 1.
        overlap: frames that neighbours share, less than ``length``.
    """
    starts = list(range(0, max(1, total - overlap), length - overlap))
    if len(starts) > 1 and total - starts[-1] - overlap < SHORT_TAIL * (length - overlap):
        starts.pop()
    ends = [min(total, start + length) for start in starts[:-1]]
    return [Segment(a, b) for a, b in zip(starts, [*ends, total], strict=True)]


def by_seconds(info: VideoInfo, seconds: float) -> list[Segment]:
    """Cut a video into segments of about so many seconds, each a frame at least.

    Raises:
        SettingsError: no length, or a video without a frame rate.
    """
    if not 0 < seconds < float("inf"):
        raise SettingsError(f"A segment must last longer than 0 seconds, got {seconds!r}.")
    return by_length(info.num_frames, max(1, round(seconds * frame_rate(info))))


def common_segments(
    before: VideoInfo, after: VideoInfo, seconds: float
) -> tuple[list[Segment], list[Segment]]:
    """The same seconds of both, as frames of each, as far as both last.

    Raises:
        SettingsError: a video without a frame rate, or too short.
    """
    rates = frame_rate(before), frame_rate(after)
    lengths = [info.num_frames / rate for info, rate in zip((before, after), rates, strict=True)]
    shared = min(lengths)
    if shared < SHORTEST:
        short = before if lengths[0] == shared else after
        raise SettingsError(
            f"{short.path!r} lasts {shared:.2f} s ({short.num_frames} frames), too short to be "
            f"compared. Both must last {SHORTEST:g} s."
        )
    if seconds > 0 and seconds * min(rates) < 1:
        raise SettingsError(
            f"Segments of {seconds:g} s are shorter than a frame at {min(rates):g} frames per "
            "second. Name more seconds."
        )
    shorter, longer = (before, after) if lengths[0] <= lengths[1] else (after, before)
    cuts = by_seconds(shorter, seconds)
    own, rate = frame_rate(shorter), frame_rate(longer)
    last = min(longer.num_frames, max(1, round(shared * rate)))
    starts = [min(round(segment.start / own * rate), last - 1) for segment in cuts]
    others = [Segment(a, b) for a, b in zip(starts, [*starts[1:], last], strict=True)]
    return (cuts, others) if shorter is before else (others, cuts)


def between(starts: Sequence[int], total: int) -> list[Segment]:
    """Segments from each start, ascending, to the next, the last to ``total``."""
    return [Segment(a, b) for a, b in zip(starts, [*starts[1:], total], strict=True)]


def frame_rate(info: VideoInfo) -> float:
    """Frames per second.

    Raises:
        SettingsError: the video does not tell.
    """
    if not info.fps:
        raise SettingsError(f"{info.path!r} has no frame rate, so it cannot be cut by seconds.")
    return info.fps


def time_code(seconds: float) -> str:
    """Hours, minutes, seconds and milliseconds, as 01:02:03.400."""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"


def _frames(text: str, info: VideoInfo, what: str) -> int:
    match = re.fullmatch(r"(\d+|\d*\.\d+|\d+\.)\s*([sf])", text.strip())
    if not match:
        raise SettingsError(
            f"The {what} {text!r} is no length. Name seconds, as '5s', frames, as '240f'"
            f"{", or 'scenes'" if what == 'segment' else ''}."
        )
    number = float(match[1])
    if match[2] == "f" and number % 1:
        raise SettingsError(f"The {what} {text!r} has a part of a frame. Name whole frames.")
    return round(number * frame_rate(info)) if match[2] == "s" else int(number)
