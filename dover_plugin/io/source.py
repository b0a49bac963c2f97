"""Video metadata, and the protocol by which every surface hands over frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dover_plugin.errors import SettingsError, VideoError

type Transfer = Literal["PQ", "HLG"]

# Transfer characteristics of ITU-T H.273.
HDR_TRANSFERS: dict[int, Transfer] = {16: "PQ", 18: "HLG"}
INTERLACED = "interlaced frames are scored without deinterlacing"

type Frame = NDArray[np.uint8]
type Video = str | PathLike[str] | NDArray[np.uint8] | FrameSource


@dataclass(frozen=True)
class VideoInfo:
    """What is known about a video.

    Attributes:
        path: path of the file; None for frames in memory.
        num_frames: number of frames, at least 1.
        height: height in pixels, after rotation.
        width: width in pixels, after rotation.
        fps: frames per second, as a label; None if the file does not say. Times come from
            ``times``.
        decoder: "decord", "pyav", or "array".
        warnings: conditions that affect the scores, for example HDR; one sentence each.
        times: (num_frames + 1,) seconds from the start of the first frame to the start of each
            frame, and to the end of the last frame; None if the file has no timestamps.
        stream: index of the video stream in the file; None for frames in memory.
        hdr: transfer function of an HDR file, "PQ" or "HLG"; None for SDR.
    """

    path: str | None
    num_frames: int
    height: int
    width: int
    fps: float | None
    decoder: str
    warnings: tuple[str, ...] = ()
    times: NDArray[np.float64] | None = field(default=None, repr=False, compare=False)
    stream: int | None = field(default=None, compare=False)
    hdr: Transfer | None = field(default=None, compare=False)

    @property
    def frame_times(self) -> NDArray[np.float64]:
        """``times``, or times at a constant frame rate.

        Raises:
            SettingsError: the video has neither timestamps nor a frame rate.
        """
        if self.times is not None:
            return self.times
        if not self.fps:
            raise SettingsError(
                f"{self.path!r} has no frame rate, so it cannot be cut by seconds. Name a length "
                "in frames, such as 240f."
            )
        return np.arange(self.num_frames + 1) / self.fps

    @property
    def duration(self) -> float:
        """Length in seconds.

        Raises:
            SettingsError: the video has neither timestamps nor a frame rate.
        """
        return float(self.frame_times[-1])


@runtime_checkable
class FrameSource(Protocol):
    """Anything that gives the frames of a video by index."""

    @property
    def info(self) -> VideoInfo:
        """What is known about the video; reading frames may add warnings."""
        ...

    def frames(self, indices: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        """Yield (index, frame) for each requested index.

        Args:
            indices: ascending, without repetition, in [0, num_frames).

        Yields:
            Frames (H, W, 3) uint8 RGB, valid until the next one is requested.

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

    Examples:
        >>> frames = np.zeros((48, 90, 160, 3), np.uint8)
        >>> info = ArraySource(frames, fps=24).info
        >>> info.num_frames, info.width, info.height, info.duration
        (48, 160, 90, 2.0)
        >>> ArraySource(frames[0])
        Traceback (most recent call last):
        dover_plugin.errors.VideoError: An array of frames must be (T, H, W, 3) uint8 RGB, got \
(90, 160, 3) uint8. Convert it with 'frames[None]'.
    """

    def __init__(self, frames: NDArray[np.uint8], fps: float | None = None) -> None:
        if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8:
            raise VideoError(
                f"An array of frames must be (T, H, W, 3) uint8 RGB, got {frames.shape} "
                f"{frames.dtype}. {_conversion(frames)}"
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


def _conversion(frames: NDArray[np.generic]) -> str:
    """The line of code that converts an array to the expected shape and type."""
    code = "frames"
    if frames.ndim == 4 and frames.shape[-1] != 3 and frames.shape[1] == 3:
        code = "frames.transpose(0, 2, 3, 1)"
    elif frames.ndim == 4 and frames.shape[-1] == 4:
        code = "frames[..., :3]"
    elif frames.ndim == 4 and frames.shape[-1] == 1:
        code = "frames.repeat(3, axis=-1)"
    elif frames.ndim == 3 and frames.shape[-1] == 3:
        code = "frames[None]"
    elif frames.ndim == 3:
        code = "frames[..., None].repeat(3, axis=-1)"
    elif frames.ndim != 4 or frames.shape[-1] != 3:
        return "Stack RGB frames with 'np.stack(frames)'."
    if np.issubdtype(frames.dtype, np.floating):
        return f"Convert values in [0, 1] with '({code} * 255).round().astype(np.uint8)'."
    if frames.dtype == np.uint16:
        return f"Convert 16-bit values with '({code} // 257).astype(np.uint8)'."
    if frames.dtype != np.uint8:
        return f"Convert values in [0, 255] with '{code}.astype(np.uint8)'."
    return f"Convert it with '{code}'."
