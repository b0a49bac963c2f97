"""Image sequences: a folder or a pattern of numbered images as one video."""

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from os import PathLike, fspath
from pathlib import Path

from dover_plugin.errors import VideoError
from dover_plugin.io.checks import check_file
from dover_plugin.io.files import is_hidden, suffix_of
from dover_plugin.io.options import OpenOptions
from dover_plugin.io.source import Frame, FrameSource, VideoInfo

IMAGE_SUFFIXES = frozenset(
    (
        ".bmp .dpx .exr .j2k .jp2 .jpeg .jpg .jxl .pam .pbm .pgm .png .ppm .qoi .sgi .tga .tif "
        ".tiff .webp"
    ).split()
)
NUMBER = re.compile(r"%0?\d*d")  # as FFmpeg writes it


class ImageSequence:
    """Images as the frames of one video, in the order of the numbers in their names.

    Args:
        images: a folder, a pattern such as "frames/%04d.png" or "frames/*.png", or paths.
        fps: frames per second, if known.
        allow_damaged: see open.open_source.
        hdr: see open.open_source.
        options: how the sequence is opened, for results and for opening it again; the arguments
            above by default.

    Raises:
        VideoError: no images, images of several types in a folder, or the first one cannot be read.
    """

    def __init__(
        self,
        images: str | PathLike[str] | Sequence[str | PathLike[str]],
        fps: float | None = None,
        *,
        allow_damaged: bool = False,
        hdr: str = "tonemap",
        options: OpenOptions | None = None,
    ) -> None:
        options = options or OpenOptions(
            as_sequence=True, fps=fps, allow_damaged=allow_damaged, hdr=hdr
        )
        path: str | None = None
        if isinstance(images, str | PathLike):
            path = fspath(images)
            self._files = find_images(path)
        else:
            self._files = _paths(images)
        self._options = OpenOptions(allow_damaged=allow_damaged, hdr=hdr)
        if not self._files:
            raise VideoError("The image sequence is empty. Pass at least one image.")
        first = self._open(0).info
        gap = _missing_numbers(self._files)
        self._info = VideoInfo(
            path=path,
            num_frames=len(self._files),
            height=first.height,
            width=first.width,
            fps=fps,
            decoder=first.decoder,
            warnings=(*first.warnings, *([gap] if gap else [])),
            hdr=first.hdr,
            options=None if path is None else options,
        )

    @property
    def info(self) -> VideoInfo:
        """See source.FrameSource; warnings of images are added as they are read."""
        return self._info

    def frames(self, indices: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        """See source.FrameSource.

        Raises:
            VideoError: an image cannot be read, or has another size than the first one.
        """
        for index in indices:
            source = self._open(index)
            info = source.info
            if (info.height, info.width) != (self._info.height, self._info.width):
                raise VideoError(
                    f"{self._files[index]!r} is {info.width}x{info.height} and the first image is "
                    f"{self._info.width}x{self._info.height}. Images of a sequence must have one "
                    "size; scale them first."
                )
            for _, frame in source.frames([0]):
                self._add_warnings(source.info.warnings)
                yield index, frame

    def _add_warnings(self, found: Sequence[str]) -> None:
        """Add warnings that no other image has given."""
        known = self._info.warnings
        new = [each for each in found if each not in known]
        if new:
            self._info = replace(self._info, warnings=(*known, *new))

    def _open(self, index: int) -> FrameSource:
        from dover_plugin.io import decoders  # imports FFmpeg's libraries

        check_file(self._files[index])
        return decoders.open_file(self._files[index], self._options)


def _paths(images: object) -> list[str]:
    """Paths of images that the user lists."""
    if isinstance(images, Iterable):
        listed = list(images)
        if all(isinstance(each, str | PathLike) for each in listed):
            return [fspath(each) for each in listed]
    raise VideoError(
        f"An image sequence is a folder, a pattern or a list of paths, got {type(images).__name__}."
    )


def find_images(location: str) -> list[str]:
    """Images in a folder, or those that a pattern matches, in the order of their numbers.

    Raises:
        VideoError: there are none, or images of several types.
    """
    if os.path.isdir(location):  # noqa: PTH112, names may be any bytes
        return _images_in(location)
    if os.path.lexists(location):
        raise VideoError(
            f"{location!r} is a file, not an image sequence. Use its folder, or a pattern such as "
            "'%04d.png' in quotes."
        )
    pattern = NUMBER.sub("\0", location)
    if "\0" in pattern:
        found = _numbered(pattern)
    elif glob.has_magic(location):
        found = [path for path in glob.glob(location) if suffix_of(path) in IMAGE_SUFFIXES]  # noqa: PTH207
    else:
        raise VideoError(f"There is no folder or pattern {location!r}. Check the path.")
    if not found:
        raise VideoError(f"No image matches the pattern {location!r}. Check it with 'ls'.")
    return sorted(found, key=natural)


def natural(path: str) -> list[tuple[int, str]]:
    """A key by which frame2.png comes before frame10.png."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _parts(path)]


def _parts(path: str) -> list[str]:
    return re.split(r"(\d+)", path)


def _images_in(folder: str) -> list[str]:
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.is_file()]
    except OSError as error:
        raise VideoError(f"Cannot list the folder {folder!r}: {error.strerror}.") from None
    images = [n for n in names if suffix_of(n) in IMAGE_SUFFIXES and not is_hidden(n)]
    types = Counter(map(suffix_of, images))
    if not types:
        raise VideoError(f"The folder {folder!r} holds no images. Use another folder.")
    if len(types) > 1:
        listed = ", ".join(f"{suffix}: {count}" for suffix, count in types.most_common())
        raise VideoError(
            f"The folder {folder!r} holds images of several types ({listed}). Use one type with a "
            f"pattern, such as {os.path.join(folder, '*' + types.most_common(1)[0][0])!r}."  # noqa: PTH118
        )
    return [os.path.join(folder, name) for name in sorted(images, key=natural)]  # noqa: PTH118


def _numbered(pattern: str) -> list[str]:
    """Files whose names have a number where a pattern has a null character."""
    named = re.compile(r"\d+".join(map(re.escape, pattern.split("\0"))))
    listed = glob.glob("*".join(map(glob.escape, pattern.split("\0"))))  # noqa: PTH207
    return [path for path in listed if named.fullmatch(path)]


def _missing_numbers(files: Sequence[str]) -> str | None:
    """A warning if the last number in the names skips values; None if it counts on."""
    numbers = [re.findall(r"\d+", Path(file).stem)[-1:] for file in files]
    if len(files) < 2 or not all(numbers):
        return None
    values = [int(number[0]) for number in numbers]
    steps = {b - a for a, b in pairwise(values)}
    if len(steps) == 1 or min(steps) < 1:
        return None
    missing = values[-1] - values[0] + 1 - len(values)
    return f"{missing} numbers are missing between images {values[0]} and {values[-1]}"
