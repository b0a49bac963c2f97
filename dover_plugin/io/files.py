"""Find video files in folders."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

VIDEO_SUFFIXES = frozenset(
    (
        ".264 .265 .3g2 .3gp .asf .avi .divx .dv .f4v .flv .gif .h264 .h265 .hevc .ivf .m2ts .m2v "
        ".m4v .mjpeg .mkv .mov .mp4 .mpeg .mpg .mts .mxf .nut .obu .ogv .ts .vob .webm .wmv .y4m"
    ).split()
)


def find_videos(paths: Iterable[str]) -> Iterator[str]:
    """Yield files as they are given, and for a folder every video below it, sorted.

    A folder that holds none is yielded itself, so that it is reported and not passed over.
    """
    for path in paths:
        if not os.path.isdir(path):  # noqa: PTH112, which raises for names that are too long
            yield path
            continue
        found = sorted(
            str(file)
            for file in Path(path).rglob("*")
            if file.suffix.lower() in VIDEO_SUFFIXES and (file.is_file() or file.is_symlink())
        )
        yield from found or [path]
