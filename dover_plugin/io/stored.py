"""Frames as a file stores them: its pixel format, bit depth and fields, without conversion."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, runtime_checkable

import numpy as np
from av.video.frame import VideoFrame

from dover_plugin.io.copies import CopySource
from dover_plugin.io.decoders import PyAvSource
from dover_plugin.io.filters import Filter, FilterChain
from dover_plugin.io.part import PartSource
from dover_plugin.io.source import Frame, FrameSource

ROTATIONS: dict[int, list[Filter]] = {  # by quarter turns, counter-clockwise
    1: [("transpose", "cclock")],
    2: [("hflip", ""), ("vflip", "")],
    3: [("transpose", "clock")],
}


@runtime_checkable
class StoredSource(Protocol):
    """A FrameSource that also gives its frames as they are stored."""

    def stored(self, indices: Sequence[int]) -> Iterator[tuple[int, VideoFrame]]:
        """Yield (index, frame) for ascending indices, in their pixel format and bit depth."""
        ...


type Errors = Callable[[], AbstractContextManager[None]]


def stored_frames(source: FrameSource, indices: Sequence[int]) -> Iterator[tuple[int, VideoFrame]]:
    """Yield (index, frame) as stored.

    Sources that PyAV does not read give RGB of 8 bits, unless they are a StoredSource.

    Raises:
        VideoError: a frame cannot be decoded.
    """
    whole, first, errors = _whole(source)
    if isinstance(whole, PyAvSource):
        with errors():
            for index, frame in whole.decode([index + first for index in indices]):
                yield index - first, frame
        return
    if isinstance(whole, StoredSource):
        for index, frame in whole.stored([index + first for index in indices]):
            yield index - first, frame
        return
    for index, picture in source.frames(indices):
        yield index, VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")


def upright_frames(source: FrameSource, indices: Sequence[int]) -> Iterator[tuple[int, VideoFrame]]:
    """Yield (index, frame) as stored, but rotated as the file says.

    Raises:
        VideoError: a frame cannot be decoded.
    """
    chain: FilterChain | None = None
    for index, frame in stored_frames(source, indices):
        turns = round(frame.rotation / 90) % 4  # counter-clockwise
        if not turns:
            yield index, frame
            continue
        chain = chain or FilterChain(frame, ROTATIONS[turns])
        yield from chain.push(frame, index)


def tone_mapped(source: FrameSource, frame: VideoFrame) -> Frame | None:
    """A stored HDR frame as SDR (H, W, 3) uint8 RGB; None if the source does not map tones."""
    whole, _, _ = _whole(source)
    if isinstance(whole, PyAvSource) and whole.maps_tones:
        return whole.to_rgb(frame)
    return None


def _whole(source: FrameSource) -> tuple[FrameSource, int, Errors]:
    """The video behind parts and copies, the first frame of the part, and a context for errors."""
    whole, first = (source.whole, source.start) if isinstance(source, PartSource) else (source, 0)
    if isinstance(whole, CopySource):
        return whole.source, first, whole.named_errors
    return whole, first, nullcontext
