"""Open any supported input as a FrameSource; ``open_source`` is the entry point.

PyAV reads files by default. decord is an option; it numbers the frames of fewer file types
correctly (see io/scan.py). Both return the same RGB: swscale converts, the tagged matrix and range
are honoured, untagged video is read as BT.601, rotation is applied. PyAV maps HDR to SDR.
"""

import glob
import os
import re
from os import PathLike, fspath
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from dover_plugin.errors import SettingsError, VideoError
from dover_plugin.io.files import search_folder
from dover_plugin.io.source import ArraySource, FrameSource, Video

DECODERS = ("auto", "decord", "pyav")
HDR_MODES = ("tonemap", "as-is")
JOIN = "Join the segments with 'ffmpeg -i LIST -c copy OUT.mkv' and score the result"
STREAMING = {  # suffix -> what such a file is, and what to do
    ".m3u8": f"a playlist, not a video. {JOIN}",
    ".m3u": f"a playlist, not a video. {JOIN}",
    ".mpd": f"a streaming manifest, not a video. {JOIN}",
    ".m4s": "one segment of a stream, without the header of the video. Put the initialisation "
    "segment before it, as with 'cat init.mp4 1.m4s > OUT.mp4', and score the result",
}


def open_source(
    video: Video,
    decoder: str = "auto",
    *,
    stream: int | None = None,
    deinterlace: bool = False,
    allow_damaged: bool = False,
    hdr: str = "tonemap",
) -> FrameSource:
    """Open a video file or an array of frames; a FrameSource is returned as it is.

    Args:
        video: a path, a (T, H, W, 3) uint8 RGB array, or a FrameSource.
        decoder: decoder for files: "pyav", "decord", or "auto", which is PyAV.
        stream: index of the video stream in a file, as ffprobe shows it; None chooses the stream
            with the most pixels per frame.
        deinterlace: deinterlace interlaced frames of a file with FFmpeg's bwdif.
        allow_damaged: read files that are cut off or damaged, with a warning. Damaged frames are
            as the decoder conceals them.
        hdr: "tonemap" maps HDR files (PQ, HLG) to SDR by BT.2390; "as-is" leaves them.

    Raises:
        SettingsError: an unknown decoder or mode, or one that is not installed or lacks an option.
        VideoError: the input cannot be read as a video, or is cut off.

    Examples:
        >>> source = open_source("good.mp4")
        >>> source.info.num_frames, source.info.width, source.info.height, source.info.fps
        (50, 640, 360, 25.0)
        >>> [(index, frame.shape) for index, frame in source.frames([0, 40])]
        [(0, (360, 640, 3)), (40, (360, 640, 3))]
    """
    if decoder not in DECODERS:
        raise SettingsError(f"No decoder is named {decoder!r}. Choose from {', '.join(DECODERS)}.")
    check_hdr(hdr)
    if isinstance(video, np.ndarray):
        return ArraySource(video)
    if isinstance(video, str | PathLike):
        path = fspath(video)
        check_file(path)
        from dover_plugin.io import decoders  # imports FFmpeg's libraries

        options = decoders.FileOptions(decoder, stream, deinterlace, allow_damaged, hdr)
        return decoders.open_file(path, options)
    if isinstance(video, FrameSource):
        return video
    raise VideoError(
        "A video is a path, a uint8 array (T, H, W, 3) or a FrameSource, got "
        f"{type(video).__name__}."
    )


def check_hdr(mode: str) -> None:
    """Raise SettingsError unless ``mode`` is one of HDR_MODES."""
    if mode not in HDR_MODES:
        raise SettingsError(f"hdr must be {' or '.join(HDR_MODES)}, got {mode!r}.")


def check_file(path: str) -> None:
    """Raise VideoError unless ``path`` is a regular file that can be read and is not empty."""
    file = Path(path)
    try:
        if not path:
            raise VideoError("The name of a video is empty ''. Name a file.")
        if file.is_dir():
            next(file.iterdir(), None)  # raises for a folder that cannot be listed
            videos = search_folder(path).videos
            if not videos:
                raise VideoError(f"{path!r} is a folder without videos. Name another folder.")
            raise VideoError(
                f"{path!r} is a folder. Name a video file in it, such as {videos[0]!r}."
            )
        if file.exists() and not file.is_file():
            raise VideoError(f"{path!r} is not a regular file. Name a video file.")
        with file.open("rb") as stream:
            if not stream.read(1):
                raise VideoError(f"{path!r} is empty (0 bytes). Get the file again.")
    except FileNotFoundError:
        raise VideoError(f"There is no file {path!r}. {_advice(path)}") from None
    except PermissionError:
        raise VideoError(f"No permission to read {path!r}. Check it with 'ls -l'.") from None
    except (OSError, ValueError) as error:
        raise VideoError(f"Cannot read {path!r}: {error}.") from None
    suffix = file.suffix.lower()
    if suffix in STREAMING:
        raise VideoError(f"{path!r} is {STREAMING[suffix]}.")


def _advice(path: str) -> str:
    """What to do about a name that no file has."""
    if path.startswith("file:"):
        return f"Write the path without 'file:', for example {_local_path(path)!r}."
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", path):
        return "Addresses are not supported; download the video and name the file."
    if os.name != "nt" and re.match(r"[A-Za-z]:[\\/]", path):
        return "This is a Windows path; name the file as this system does, with '/'."
    if re.search(r"%0?\d*d", path):
        return "Patterns of images are not supported; join them with 'ffmpeg -i PATTERN OUT.mkv'."
    if glob.has_magic(path):
        return "No file matches this pattern. Check it with 'ls'."
    return "Check the path."


def _local_path(address: str) -> str:
    """The path in a file: address."""
    return unquote(re.sub(r"^file:(//(localhost)?(?=/))?", "", address))
