"""A part of a video as a video of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from dover_plugin.errors import VideoError
from dover_plugin.io.options import OpenOptions, Position
from dover_plugin.io.source import Frame, FrameSource, VideoInfo


class PartSource:
    """Frames [start, end) of another source, counted from zero.

    Args:
        whole: the video.
        start: its first frame.
        end: the frame after its last one.
        options: which chose this part.
    """

    def __init__(self, whole: FrameSource, start: int, end: int, options: OpenOptions) -> None:
        self.whole = whole
        self.start = start
        self._end = end
        self._options = options

    @property
    def info(self) -> VideoInfo:
        """See source.FrameSource; times start at zero."""
        whole, start, end = self.whole.info, self.start, self._end
        times = None if whole.times is None else whole.times[start : end + 1] - whole.times[start]
        note = f"frames {start} to {end - 1} of {whole.num_frames} are scored"
        if whole.times is not None or whole.fps:
            seconds = whole.frame_times[[start, end]]
            note += f" ({seconds[0]:.2f} s to {seconds[1]:.2f} s)"
        return replace(
            whole,
            num_frames=end - start,
            times=times,
            warnings=(*whole.warnings, note),
            options=whole.options or (None if whole.path else self._options),
        )

    def frames(self, indices: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        """See source.FrameSource."""
        for index, frame in self.whole.frames([index + self.start for index in indices]):
            yield index - self.start, frame


def part_of(source: FrameSource, options: OpenOptions) -> FrameSource:
    """The part of a video that options choose; the video itself if they choose all of it.

    Raises:
        VideoError: the video has no such part, or no times to find it by.
    """
    start, end = options.part
    if start is None and end is None:
        return source
    info = source.info
    first = _frame_of(start, info) if start else 0
    last = min(_frame_of(end, info), info.num_frames) if end else info.num_frames
    if first >= last:
        name = repr(info.path) if info.path else "The video"
        raise VideoError(
            f"{name} has {info.num_frames} frames{_seconds(info)}, and none of them from "
            f"{start or 'its start'} to {end or 'its end'}. Use another part."
        )
    return PartSource(source, first, last, options)


def _frame_of(position: Position, info: VideoInfo) -> int:
    """Number of the frame at a position; beyond the end of the video, at least its length."""
    if position.unit == "f":
        return int(position.value)
    if info.times is None and not info.fps:
        name = repr(info.path) if info.path else "The video in memory"
        raise VideoError(
            f"{name} has no frame rate, so the position {position} is unknown. Use a frame number, "
            "such as 250, or state its fps."
        )
    return int(info.frames_at(np.array([position.value]))[0])


def _seconds(info: VideoInfo) -> str:
    return f" ({info.duration:.2f} s)" if info.times is not None or info.fps else ""
