"""Frames through a chain of FFmpeg's filters, without the program ffmpeg."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

import av.error
from av.filter import Graph
from av.video.frame import VideoFrame

TICK = Fraction(1, 1000)  # time base of the indices that frames carry

type Filter = tuple[str, str]  # name and options, as ffmpeg takes them


class FilterChain:
    """A chain of filters that is built for the first frame.

    Frames of another size or format are converted to those of the first one.

    Args:
        first: frame that sets size and format.
        filters: names and options, in order.

    Raises:
        FFmpegError: FFmpeg cannot build the chain.
        ValueError: PyAV's FFmpeg lacks a filter.
    """

    def __init__(self, first: VideoFrame, filters: Sequence[Filter]) -> None:
        self._size = first.width, first.height, first.format.name
        self._graph = Graph()
        last = self._graph.add_buffer(
            width=first.width, height=first.height, format=first.format, time_base=TICK
        )
        for name, options in filters:
            node = self._graph.add(name, options)
            last.link_to(node)
            last = node
        last.link_to(self._graph.add("buffersink"))
        self._graph.configure()

    def push(self, frame: VideoFrame, index: int) -> Iterator[tuple[int, VideoFrame]]:
        """Pass on one frame; yields (index, frame) of the frames that are done."""
        if (frame.width, frame.height, frame.format.name) != self._size:
            width, height, pixel_format = self._size
            frame = frame.reformat(width, height, pixel_format)
        frame.pts, frame.time_base = index, TICK
        self._graph.vpush(frame)
        yield from self._done()

    def finish(self) -> Iterator[tuple[int, VideoFrame]]:
        """Yield (index, frame) of the frames that the filters still hold."""
        self._graph.vpush(None)
        yield from self._done()

    def _done(self) -> Iterator[tuple[int, VideoFrame]]:
        while True:
            try:
                frame = self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            yield frame.pts or 0, frame
