"""Video files below folders, and small files of settings."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from os import PathLike
from pathlib import Path

from dover_plugin.errors import SettingsError

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


def match_folders(before: Path, after: Path) -> tuple[list[tuple[Path, Path]], list[Path]]:
    """Videos of two folders that have the same name but for the suffix.

    Returns:
        The pairs, sorted, and what has no counterpart.

    Raises:
        SettingsError: two videos of one name in a folder, or no pair at all.
    """
    named: list[dict[str, Path]] = []
    for folder in (before, after):
        names: dict[str, Path] = {}
        for file in map(Path, find_videos([str(folder)])):
            if not file.is_file():
                continue
            key = file.relative_to(folder).with_suffix("").as_posix()
            if key in names:
                raise SettingsError(
                    f"'{folder}' holds two videos named '{key}': '{names[key].name}' and "
                    f"'{file.name}'. Rename one."
                )
            names[key] = file
        named.append(names)
    old, new = named
    if not old.keys() & new.keys():
        raise SettingsError(f"No video in '{before}' has the name of one in '{after}'.")
    pairs = [(old[key], new[key]) for key in sorted(old.keys() & new.keys())]
    alone = [(old | new)[key] for key in sorted(old.keys() ^ new.keys())]
    return pairs, alone


def write_text(path: str | PathLike[str], text: str) -> None:
    """Write a line-ended text, all of it or nothing.

    Raises:
        SettingsError: it cannot be written there.
    """
    file = Path(path)
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        part.write_text(text + "\n", encoding="utf-8")
        part.replace(file)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise SettingsError(f"Cannot write '{path}': {error.strerror}.") from None
