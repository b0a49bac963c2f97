"""Video metadata, and the protocol by which every surface hands over frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dover_plugin.errors import SettingsError
from dover_plugin.io.options import OpenOptions

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

type Transfer = Literal["PQ", "HLG"]

# Transfer characteristics of ITU-T H.273.
HDR_TRANSFERS: dict[int, Transfer] = {16: "PQ", 18: "HLG"}
INTERLACED = "interlaced frames are scored without deinterlacing"

type Frame = NDArray[np.uint8]
type AnyFrame = NDArray[Any] | Tensor | Image
type Video = (
    str
    | PathLike[str]
    | bytes
    | bytearray
    | memoryview
    | IO[bytes]
    | NDArray[Any]
    | Tensor
    | Sequence[AnyFrame]
    | FrameSource
)


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
        decoder: "pyav", "decord", "torchcodec", or "array" for frames in memory.
        warnings: conditions that affect the scores, for example HDR; one sentence each.
        times: (num_frames + 1,) seconds from the start of the first frame to the start of each
            frame, and to the end of the last frame; None if the file has no timestamps.
        stream: index of the video stream in the file; None for frames in memory.
        hdr: transfer function of an HDR file, "PQ" or "HLG"; None for SDR.
        options: how it was opened; None for frames in memory. See open.reopen.
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
    options: OpenOptions | None = field(default=None, repr=False, compare=False)

    @property
    def frame_times(self) -> NDArray[np.float64]:
        """``times``, or times at a constant frame rate.

        Raises:
            SettingsError: the video has neither timestamps nor a frame rate.
        """
        if self.times is not None:
            return self.times
        if not self.fps:
            name = repr(self.path) if self.path else "The video in memory"
            raise SettingsError(
                f"{name} has no frame rate, so it cannot be cut by seconds. Use a length in "
                "frames, such as 240f, or its fps."
            )
        return np.arange(self.num_frames + 1) / self.fps

    def frames_at(self, seconds: NDArray[np.float64]) -> NDArray[np.int64]:
        """Number of the first frame that starts at each time or later, within half a frame.

        Raises:
            SettingsError: see frame_times.
        """
        times = self.frame_times
        starts = times[:-1] + np.median(np.diff(times)) / 2
        return np.searchsorted(starts, seconds, side="right")

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

        It may be called again, also while an earlier iteration is not finished.

        Args:
            indices: ascending, without repetition, in [0, num_frames).

        Yields:
            Frames (H, W, 3) uint8 RGB, valid until the next one is requested.

        Raises:
            VideoError: a frame cannot be decoded.
        """
        ...
