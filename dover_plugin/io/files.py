"""Find video files in folders."""

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

log = logging.getLogger(__name__)

VIDEO_SUFFIXES = frozenset(
    (
        ".264 .265 .266 .3g2 .3gp .apng .asf .av1 .avi .divx .dv .evo .f4v .flv .gif .h264 .h265 "
        ".h266 .hevc .ivf .m1v .m2t .m2ts .m2v .m4v .mjpeg .mjpg .mkv .mov .mp4 .mpe .mpeg .mpg "
        ".mpv .mts .mxf .nut .obu .ogm .ogv .qt .rm .rmvb .tod .ts .vob .vvc .webm .wmv .wtv .y4m"
    ).split()
)
NAMED_SUFFIXES = 5  # suffixes that a message lists


@dataclass
class FolderContents:
    """What a search of a folder and its subfolders found.

    Attributes:
        videos: files with a suffix of VIDEO_SUFFIXES.
        unreadable: folders that cannot be listed.
        hidden: number of hidden files and folders (names that start with a dot), left out.
        others: files without such a suffix.
    """

    videos: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    hidden: int = 0
    others: list[str] = field(default_factory=list)

    def left_out(self) -> str:
        """What was left out and why, for a message; empty if nothing was."""
        reasons = []
        if self.others:
            reasons.append(without_video_suffix(self.others))
        if self.hidden:
            reasons.append(f"{self.hidden} hidden")
        return ", ".join(reasons)


def without_video_suffix(names: Iterable[str]) -> str:
    """Counts files by suffix, for a message: "3 without a video suffix (.txt: 2, .srt: 1)"."""
    counts = Counter(suffix_of(name) or "no suffix" for name in names)
    listed = [f"{suffix}: {count}" for suffix, count in counts.most_common(NAMED_SUFFIXES)]
    more = ", ..." if len(counts) > NAMED_SUFFIXES else ""
    return f"{counts.total()} without a video suffix ({', '.join(listed)}{more})"


def is_hidden(name: str) -> bool:
    """Whether a file or folder is hidden; these include macOS's "._" companions of videos."""
    return name.startswith(".")


def has_video_suffix(name: str) -> bool:
    """Whether the suffix of a file name is that of a video."""
    return suffix_of(name) in VIDEO_SUFFIXES


def suffix_of(name: str) -> str:
    """The suffix of a path or file name in lower case, with its dot; "" if there is none."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122, names may be any bytes


def search_folder(folder: str) -> FolderContents:
    """Search a folder and its subfolders for videos.

    Links to folders are followed, but no folder is entered twice, so that links may form loops.
    A folder that is also there without a link is listed under its own path.
    """
    found = FolderContents()
    root = str(Path(folder))
    entered: set[tuple[int, int]] = set()
    folders, links = [root], list[str]()
    while folders or links:
        path = folders.pop() if folders else links.pop(0)
        try:
            seen = os.stat(path)  # noqa: PTH116, names may be any bytes
            if (seen.st_dev, seen.st_ino) in entered:
                continue
            entered.add((seen.st_dev, seen.st_ino))
            with os.scandir(path) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError:
            found.unreadable.append(path)
            continue
        for entry in entries:
            inside = entry.name if path == os.curdir else entry.path
            if is_hidden(entry.name):
                found.hidden += 1
            elif _is_folder(entry):
                (links if entry.is_symlink() else folders).append(inside)
            elif has_video_suffix(entry.name):
                found.videos.append(inside)
            else:
                found.others.append(inside)
    found.videos.sort()
    found.unreadable.sort()
    return found


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    """Whether an entry is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except PermissionError:  # the target of the link is out of reach
        return not has_video_suffix(entry.name)
    except OSError:  # a link to itself
        return False


def find_videos(paths: Iterable[str]) -> Iterator[str]:
    """Yield files as they are named, and for a folder every video below it, sorted.

    A folder that holds no video, and a subfolder that cannot be listed, are yielded themselves, so
    that they are reported as failures. A log message counts the files that were left out.
    """
    for path in paths:
        if not os.path.isdir(path):  # noqa: PTH112, which raises for names that are too long
            yield path
            continue
        found = search_folder(path)
        if left_out := found.left_out():
            log.warning(
                "Left out in %r: %s. Pass a file by its path to include it.", path, left_out
            )
        yield from sorted(found.videos + found.unreadable) or [path]
