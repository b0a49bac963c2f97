"""Video files below folders."""

from collections.abc import Iterable, Iterator
from pathlib import Path

VIDEO_SUFFIXES = frozenset(
    [
        ".3gp",
        ".asf",
        ".avi",
        ".flv",
        ".h264",
        ".hevc",
        ".ivf",
        ".m2ts",
        ".m4v",
        ".mkv",
        ".mov",
        ".mp4",
        ".mpeg",
        ".mpg",
        ".mts",
        ".mxf",
        ".ogv",
        ".ts",
        ".vob",
        ".webm",
        ".wmv",
        ".y4m",
    ]
)


def find_videos(paths: Iterable[str]) -> Iterator[str]:
    """Yield files as they are given, and for a folder every video below it, sorted.

    A folder that holds none is yielded itself, so that it is reported and not passed over.
    """
    for path in paths:
        if not Path(path).is_dir():
            yield path
            continue
        found = sorted(
            str(file)
            for file in Path(path).rglob("*")
            if file.suffix.lower() in VIDEO_SUFFIXES and file.is_file()
        )
        yield from found or [path]
