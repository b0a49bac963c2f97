"""Check that a path is a file that may hold a video, with advice where it is not."""

import glob
import os
import re
from pathlib import Path
from urllib.parse import unquote

from dover_plugin.errors import VideoError
from dover_plugin.io.files import search_folder

JOIN = "Join the segments with 'ffmpeg -i LIST -c copy OUT.mkv' and score the result"
STREAMING = {  # suffix -> what such a file is, and what to do
    ".m3u8": f"a playlist, not a video. {JOIN}",
    ".m3u": f"a playlist, not a video. {JOIN}",
    ".mpd": f"a streaming manifest, not a video. {JOIN}",
    ".m4s": "one segment of a stream, without the header of the video. Put the initialisation "
    "segment before it, as with 'cat init.mp4 1.m4s > OUT.mp4', and score the result",
}


def check_file(path: str) -> None:
    """Raise VideoError unless ``path`` is a regular file that can be read and is not empty."""
    file = Path(path)
    try:
        if not path:
            raise VideoError("The name of a video is empty ''. Use a file.")
        if file.is_dir():
            next(file.iterdir(), None)  # raises for a folder that cannot be listed
            videos = search_folder(path).videos
            if not videos:
                raise VideoError(
                    f"{path!r} is a folder without videos. Use another folder; for a folder of "
                    "frames, add --as-sequence (as_sequence=True)."
                )
            raise VideoError(
                f"{path!r} is a folder. Use a video file in it, such as {videos[0]!r}."
            )
        if file.exists() and not file.is_file():
            raise VideoError(f"{path!r} is not a regular file. Use a video file.")
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
        return "Only a video that is named itself is fetched from an address."
    if re.match(r"https?:/[^/]", path):  # what pathlib makes of a URL
        return "Pass a URL as text, not as a Path."
    if os.name != "nt" and re.match(r"[A-Za-z]:[\\/]", path):
        return "This is a Windows path; name the file as this system does, with '/'."
    if re.search(r"%0?\d*d", path):
        return "If it is a pattern of images, add --as-sequence (as_sequence=True)."
    if glob.has_magic(path):
        return "No file matches this pattern. Check it with 'ls'."
    return "Check the path."


def _local_path(address: str) -> str:
    """The path in a file: address."""
    return unquote(re.sub(r"^file:(//(localhost)?(?=/))?", "", address))
