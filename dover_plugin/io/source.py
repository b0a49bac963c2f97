"""Video metadata, and the protocol by which every surface hands over frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dover_plugin.errors import VideoError

HDR_TRANSFERS = {16: "PQ", 18: "HLG"}  # transfer characteristics of ITU-T H.273

type Frame = NDArray[np.uint8]
type Video = str | PathLike[str] | NDArray[np.uint8] | FrameSource


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before its pixels are read.

    Attributes:
        path: where it lies; None for frames in memory.
        num_frames: frames that can be asked for, at least 1.
        height: in pixels, after rotation.
        width: likewise.
        fps: average frames per second; None where the container does not say.
        decoder: "decord", "pyav", or "array".
        warnings: sentences on what may surprise, for example HDR.
        drift: seconds by which a frame's time may differ from its number / ``fps``, where the frame
            rate varies.
    """

    path: str | None
    num_frames: int
    height: int
    width: int
    fps: float | None
    decoder: str
    warnings: tuple[str, ...] = ()
    drift: float = 0.0


@runtime_checkable
class FrameSource(Protocol):
    """Anything that gives the frames of a video by index."""

    @property
    def info(self) -> VideoInfo:
        """What is known before reading."""
        ...

    def frames(self, indices: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        """Yield (index, frame) for every index asked for.

        Args:
            indices: ascending, without repetition, in [0, num_frames).

        Yields:
            Frames (H, W, 3) uint8 RGB, valid until the next one is asked for.

        Raises:
            VideoError: a frame cannot be decoded.
        """
        ...


class ArraySource:
    """Frames in memory.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
        fps: frames per second, if known.

    Raises:
        VideoError: another shape or type, or no pixels.
    """

    def __init__(self, frames: NDArray[np.uint8], fps: float | None = None) -> None:
        if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8:
            raise VideoError(
                f"An array of frames must be (T, H, W, 3) uint8 RGB, got {frames.shape} "
                f"{frames.dtype}. Convert it first."
            )
        if 0 in frames.shape:
            raise VideoError(f"An array of frames must hold pixels, got shape {frames.shape}.")
        num_frames, height, width, _ = frames.shape
        self.info = VideoInfo(None, num_frames, height, width, fps, "array")
        self._frames = frames

    def frames(self, indices: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        """See FrameSource."""
        for index in indices:
            yield index, self._frames[index]
