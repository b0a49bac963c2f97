"""Open any supported input as a FrameSource; ``open_source`` is the entry point.

PyAV reads files by default. decord is an option; it numbers the frames of fewer file types
correctly (see io/scan.py). Both return the same RGB: swscale conversion, tagged matrix and range
honoured, untagged video read as BT.601, rotation applied, no tone mapping.
"""

from os import PathLike, fspath
from pathlib import Path

import numpy as np

from dover_plugin.errors import SettingsError, VideoError
from dover_plugin.io.files import find_videos
from dover_plugin.io.source import ArraySource, FrameSource, Video

DECODERS = ("auto", "decord", "pyav")


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
        from dover_plugin.io import decoders  # imports FFmpeg's libraries

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
