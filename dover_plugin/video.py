"""A video as frames by index, whatever it is stored in.

``open_source`` is the way in. Files are read by PyAV, or on request by decord, which is slower and
numbers the frames of fewer kinds of files correctly (see scan.py). Both give the same RGB:
swscale's, with the tagged matrix and range honoured, untagged video taken as BT.601, rotation
applied, and no tone mapping.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dover_plugin.errors import SettingsError, VideoError
from dover_plugin.files import find_videos

DECODERS = ("auto", "decord", "pyav")

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


def open_source(video: Video, decoder: str = "auto") -> FrameSource:
    """Open a video file, an array of frames, or pass a source through.

    Args:
        video: a path, a (T, H, W, 3) uint8 RGB array, or a FrameSource.
        decoder: for files: "pyav", "decord", or "auto", which is PyAV.

    Raises:
        SettingsError: an unknown or missing decoder.
        VideoError: what is there cannot be read as a video.
    """
    if decoder not in DECODERS:
        raise SettingsError(f"No decoder is named {decoder!r}. Choose from {', '.join(DECODERS)}.")
    if isinstance(video, np.ndarray):
        return ArraySource(video)
    if isinstance(video, str | PathLike):
        path = fspath(video)
        check_file(path)
        from dover_plugin import decoders  # imports FFmpeg's libraries

        return decoders.open_file(path, decoder)
    if isinstance(video, FrameSource):
        return video
    raise VideoError(
        "A video is a path, a uint8 array (T, H, W, 3) or a FrameSource, got "
        f"{type(video).__name__}."
    )


def check_file(path: str) -> None:
    """Raise VideoError, saying why, unless ``path`` is a file that can be read and is not empty."""
    file = Path(path)
    try:
        if not path:
            raise VideoError("The name of a video is empty ''. Name a file.")
        if file.is_dir():
            (first, *_) = find_videos([path])
            if first == path:
                raise VideoError(f"{path!r} is a folder without videos. Name one that holds some.")
            raise VideoError(f"{path!r} is a folder. Name a video file in it, as {first!r}.")
        if file.exists() and not file.is_file():
            raise VideoError(f"{path!r} is not a regular file. Name a video file.")
        with file.open("rb") as stream:
            if not stream.read(1):
                raise VideoError(f"{path!r} is empty (0 bytes). Was its download cut off?")
    except FileNotFoundError:
        raise VideoError(f"There is no file {path!r}. Check the path.") from None
    except PermissionError:
        raise VideoError(f"No permission to read {path!r}. Check it with 'ls -l'.") from None
    except (OSError, ValueError) as error:
        raise VideoError(f"Cannot read {path!r}: {error}.") from None
