"""Cut a video into segments that are scored as videos of their own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dover_plugin.errors import SettingsError
from dover_plugin.io.source import FrameSource, VideoInfo
from dover_plugin.scores import Scores

SHORT_TAIL = 0.5  # a rest below this share of a segment joins the segment before it
SCENES = "scenes"
SHORTEST = 0.5  # seconds that both videos of a comparison must last


class Segment(NamedTuple):
    """Frames [start, end) of a video."""

    start: int
    end: int


@dataclass(frozen=True)
class SegmentScores:
    """The quality of one segment.

    Attributes:
        segment: frames of the segment.
        start_seconds: time of its first frame; None if the video has no times.
        end_seconds: time at which its last frame ends; None if the video has no times.
        scores: scores of a video that holds these frames only.
    """

    segment: Segment
    start_seconds: float | None
    end_seconds: float | None
    scores: Scores

    @classmethod
    def of(cls, segment: Segment, scores: Scores, info: VideoInfo) -> "SegmentScores":
        """Add the times of the frames of the video that ``info`` describes."""
        if info.times is None and not info.fps:
            return cls(segment, None, None, scores)
        start, end = (float(info.frame_times[frame]) for frame in segment)
        return cls(segment, start, end, scores)


def cut(source: FrameSource, length: str, overlap: str = "0f") -> list[Segment]:
    """Cut a video into segments.

    Args:
        source: the video.
        length: a length such as "5s" or "240f", or "scenes", which reads all frames once.
        overlap: overlap of consecutive segments, such as "1s" or "24f".

    Raises:
        SettingsError: a length that cannot be read, an overlap that is not shorter than a segment,
            or seconds for a video without times.

    Examples:
        >>> from dover_plugin import open_source
        >>> source = open_source("good.mp4")  # 50 frames, 25 per second
        >>> cut(source, "1s")
        [Segment(start=0, end=25), Segment(start=25, end=50)]
        >>> cut(source, "30f", overlap="10f")
        [Segment(start=0, end=30), Segment(start=20, end=50)]
    """
    info = source.info
    shared, shared_unit = _parse(overlap, "overlap")
    if length == SCENES:
        if shared:
            raise SettingsError("Scenes cannot overlap. Omit the overlap, or name a length.")
        from dover_plugin.analysis.scenes import find_scenes

        return between(find_scenes(source), info.num_frames)
    number, unit = _parse(length, "segment")
    if shared and unit != shared_unit:
        frame = info.duration / info.num_frames
        shared = shared * frame if unit == "s" else round(shared / frame)
    frames = number / (info.duration / info.num_frames) if unit == "s" else number
    if round(frames) < 1:
        raise SettingsError(f"A segment of {length!r} is shorter than a frame. Use a longer one.")
    if shared >= number:
        raise SettingsError(
            f"Segments of {length!r} cannot overlap by {overlap!r}. Use a shorter overlap."
        )
    if unit == "s":
        return by_seconds(info, number, shared)
    return by_length(info.num_frames, int(number), int(shared))


def checked(segments: Sequence[Segment], info: VideoInfo) -> list[Segment]:
    """Check segments that the user passes: each must be a part of the video.

    Raises:
        SettingsError: there are none, or one is empty or lies outside of the video.
    """
    if not segments:
        raise SettingsError("The list of segments is empty. Pass None for the whole video.")
    for start, end in segments:
        if not 0 <= start < end <= info.num_frames:
            raise SettingsError(
                f"The segment ({start}, {end}) is not a part of {info.path or 'the video'!r} with "
                f"{info.num_frames} frames. Use frames [start, end) of the video."
            )
    return [Segment(*segment) for segment in segments]


def by_length(total: int, length: int, overlap: int = 0) -> list[Segment]:
    """Cut ``total`` frames into segments of ``length`` frames; a short rest joins the last one.

    Args:
        total: number of frames of the video.
        length: number of frames of a segment, at least 1.
        overlap: number of frames that consecutive segments share, less than ``length``.
    """
    starts = list(range(0, max(1, total - overlap), length - overlap))
    if len(starts) > 1 and total - starts[-1] - overlap < SHORT_TAIL * (length - overlap):
        starts.pop()
    ends = [min(total, start + length) for start in starts[:-1]]
    return [Segment(a, b) for a, b in zip(starts, [*ends, total], strict=True)]


def by_seconds(info: VideoInfo, seconds: float, overlap: float = 0.0) -> list[Segment]:
    """Cut a video into segments of equal time; a short rest joins the last one.

    A segment without a frame, where the video shows one frame for long, is left out.

    Args:
        info: metadata of the video.
        seconds: length of a segment; a frame at least.
        overlap: seconds that consecutive segments share, less than ``seconds``.

    Raises:
        SettingsError: the length is not above 0, or the video has no times.
    """
    times = info.frame_times
    windows = _windows(float(times[-1]), seconds, overlap, float(times[-1]) / info.num_frames)
    return [Segment(a, b) for a, b in _frames_of(info, windows) if a < b]


def common_segments(
    before: VideoInfo, after: VideoInfo, seconds: float
) -> tuple[list[Segment], list[Segment]]:
    """Cut both videos into segments of the same times, up to the end of the shorter one.

    Raises:
        SettingsError: a video without times, or too short.
    """
    shorter = min(before, after, key=lambda info: info.duration)
    shared = shorter.duration
    if shared < SHORTEST:
        frames = "1 frame" if shorter.num_frames == 1 else f"{shorter.num_frames} frames"
        raise SettingsError(
            f"{shorter.path!r} lasts {shared:.2f} s ({frames}), too short to be compared. Both "
            f"videos must last {SHORTEST:g} s."
        )
    rate = min(info.num_frames / info.duration for info in (before, after))
    if seconds > 0 and seconds * rate < 1:
        raise SettingsError(
            f"Segments of {seconds:g} s are shorter than a frame at {rate:g} frames per second. "
            "Use more seconds."
        )
    windows = _windows(shared, seconds, 0.0, 1 / rate)
    pairs = zip(_frames_of(before, windows), _frames_of(after, windows), strict=True)
    both = [(b, a) for b, a in pairs if b[0] < b[1] and a[0] < a[1]]
    return [Segment(*b) for b, _ in both], [Segment(*a) for _, a in both]


def between(starts: Sequence[int], total: int) -> list[Segment]:
    """Segments from each start, ascending, to the next, the last to ``total``."""
    return [Segment(a, b) for a, b in zip(starts, [*starts[1:], total], strict=True)]


def time_code(seconds: float) -> str:
    """Hours, minutes, seconds and milliseconds, such as 01:02:03.400."""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"


def _windows(duration: float, seconds: float, overlap: float, frame: float) -> NDArray[np.float64]:
    """Starts and ends (n, 2) in seconds of the segments of a video.

    Args:
        duration: seconds to cut.
        seconds: length of a segment.
        overlap: seconds that consecutive segments share.
        frame: seconds that a frame lasts on average.
    """
    if not 0 < seconds < float("inf"):
        raise SettingsError(f"A segment must last longer than 0 seconds, got {seconds!r}.")
    seconds = max(seconds, frame)
    step = max(seconds - overlap, frame)
    starts = np.arange(0, max(step, duration - overlap - frame / 2), step)
    if len(starts) > 1 and duration - starts[-1] - overlap < SHORT_TAIL * step - frame / 2:
        starts = starts[:-1]
    ends = starts + seconds
    ends[-1] = duration
    return np.stack([starts, np.minimum(ends, duration)], axis=1)


def _frames_of(info: VideoInfo, windows: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Frames [start, end) of each window; a frame belongs where it starts, within half a frame."""
    bounds = info.frames_at(windows)
    if windows[-1, 1] >= info.duration:
        bounds[-1, 1] = info.num_frames
    return [(int(start), int(end)) for start, end in bounds]


def _parse(text: str, what: str) -> tuple[float, str]:
    """The number and the unit, "s" or "f", of a length."""
    match = re.fullmatch(r"(\d+|\d*\.\d+|\d+\.)\s*([sf])", text.strip())
    if not match:
        raise SettingsError(
            f"The {what} {text!r} is not a length. Use seconds, such as 5s, or frames, such as "
            f"240f{', or scenes' if what == 'segment' else ''}."
        )
    number = float(match[1])
    if match[2] == "f" and number % 1:
        raise SettingsError(f"The {what} {text!r} has a part of a frame. Use whole frames.")
    return number, match[2]
