"""Videos and folders on any filesystem of pyarrow, by path or URI."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import quote, urlsplit

import pyarrow.fs as pafs

from dover_plugin.batch.journal import Stamp, stamp_of
from dover_plugin.errors import SettingsError, VideoError
from dover_plugin.io.files import VIDEO_SUFFIXES


def location_of(path: str) -> str:
    """The name of a video that is valid on every node: a URI, or an absolute path."""
    return path if "://" in path else os.path.abspath(path)  # noqa: PTH100, which may be no text


def find_on(folder: str) -> list[str]:
    """URIs of the videos below a folder on any filesystem, sorted.

    Raises:
        SettingsError: the folder cannot be listed.
    """
    parts = urlsplit(folder)
    try:
        filesystem, root = pafs.FileSystem.from_uri(folder)
        found = filesystem.get_file_info(pafs.FileSelector(root, recursive=True))
        paths = [each.path for each in found if each.is_file]  # raises for names that are not text
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"Cannot list '{folder}' ({error}). Check the URI and permissions."
        ) from None
    start = parts._replace(query="", fragment="").geturl().rstrip("/")
    query = f"?{parts.query}" if parts.query else ""  # such as the region of a bucket
    inside = [PurePosixPath(path).relative_to(root) for path in paths]
    return sorted(
        f"{start}/{quote(str(path))}{query}"
        for path in inside
        if path.suffix.lower() in VIDEO_SUFFIXES
        and not any(part.startswith(".") for part in path.parts)
    )


def expand_locations(videos: Sequence[str]) -> list[str]:
    """Expand videos for the nodes: a URI that ends in / stands for all videos below it.

    Raises:
        SettingsError: a folder cannot be listed.
    """
    found: list[str] = []
    for path in videos:
        found += find_on(path) if "://" in path and path.endswith("/") else [location_of(path)]
    return found


def filesystem_of(location: str) -> tuple[pafs.FileSystem, str]:
    """The filesystem of a path or URI, and the path inside it.

    Raises:
        OSError: the filesystem cannot be reached.
        ValueError: the URI is invalid.
    """
    if "://" in location:
        found: tuple[pafs.FileSystem, str] = pafs.FileSystem.from_uri(location)
        return found
    return pafs.LocalFileSystem(), str(Path(location).absolute())


def stamp_on(path: str) -> Stamp:
    """Size in bytes and modification time in nanoseconds; None if the filesystem has none."""
    if "://" not in path:
        return stamp_of(path)
    try:
        filesystem, inside = filesystem_of(path)
        info = filesystem.get_file_info(inside)
    except (OSError, ValueError):
        return None, None
    return info.size, info.mtime_ns


@contextmanager
def local_copy(path: str) -> Iterator[str]:
    """Provide a file on this machine; a file elsewhere is copied first.

    Raises:
        VideoError: the file cannot be copied.
    """
    try:
        filesystem, inside = filesystem_of(path)
    except (OSError, ValueError) as error:
        raise VideoError(
            f"Cannot copy {path!r} to this machine ({error}). Check the URI and permissions."
        ) from None
    if isinstance(filesystem, pafs.LocalFileSystem):
        yield inside if "://" in path else path
        return
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / Path(inside).name
        try:
            pafs.copy_files(
                inside,
                str(target),
                source_filesystem=filesystem,
                destination_filesystem=pafs.LocalFileSystem(),
            )
        except (OSError, ValueError) as error:
            raise VideoError(
                f"Cannot copy {path!r} to this machine ({error}). Check the URI and permissions."
            ) from None
        yield str(target)
