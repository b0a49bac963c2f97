"""Expand the inputs a user names: files, folders, patterns, lists, table columns."""

import glob
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from dover_plugin.errors import SettingsError
from dover_plugin.io.csv_cells import restore_cell
from dover_plugin.io.files import (
    find_videos,
    has_video_suffix,
    search_folder,
    suffix_of,
    without_video_suffix,
)
from dover_plugin.io.parquet import load_pyarrow
from dover_plugin.io.write import check_regular

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

TABLES = (".csv", ".parquet")
LONGEST_PATH = 32_767  # characters; the limit of Windows, above those of Linux and macOS


def expand(paths: Iterable[str]) -> Iterator[str]:
    """Yield the videos that files, folders and patterns name.

    A folder gives every video below it. A pattern such as ``clips/**/*.mp4`` gives the files that
    it matches; if it ends in a wildcard, only those with the suffix of a video. A path that does
    not exist is yielded as it is, so that it is reported as a failure.
    """
    for path in paths:
        if glob.has_magic(path) and not os.path.lexists(path):
            yield from _match(path) or [path]
        else:
            yield from find_videos([path])


def _match(pattern: str) -> list[str]:
    """Sorted files that a pattern matches, and videos below the folders that it matches."""
    head, tail = _split_at_double_star(pattern)
    found = sorted(glob.glob(head))  # noqa: PTH207, paths stay as they are named
    folders = [path for path in found if os.path.isdir(path)]  # noqa: PTH112
    if tail:
        matched = [path for folder in folders for path in _match_below(folder, tail)]
        files: list[str] = []
    else:
        files = [path for path in found if not os.path.isdir(path)]  # noqa: PTH112
        matched = list(find_videos(folders))
    if _ends_in_wildcard(pattern):
        others = [path for path in files if not has_video_suffix(path)]
        files = [path for path in files if has_video_suffix(path)]
        if others:
            log.warning("Left out of %r: %s.", pattern, without_video_suffix(others))
    return sorted({*files, *matched})


def _ends_in_wildcard(pattern: str) -> bool:
    """Whether a pattern leaves the suffix of files open."""
    suffix = suffix_of(pattern)
    return not suffix or glob.has_magic(suffix)


def _split_at_double_star(pattern: str) -> tuple[str, list[str]]:
    """A pattern up to its first ``**``, and the components from there on."""
    parts = Path(pattern).parts
    if "**" not in parts:
        return pattern, []
    at = parts.index("**")
    return str(Path(*parts[:at])), list(parts[at:])


def _match_below(folder: str, tail: Sequence[str]) -> Iterator[str]:
    """Files below a folder whose relative path, or that of a parent folder, matches ``tail``.

    Unlike ``glob``, this enters links to folders once, so that loops of links end. Folders that
    cannot be listed are yielded, too.
    """
    found = search_folder(folder)
    root = Path(folder)
    for path in [*found.videos, *found.others]:
        parts = Path(path).relative_to(root).parts
        if has_video_suffix(path):
            named = any(_matches(parts[:length], tail) for length in range(1, len(parts) + 1))
        else:
            named = not _ends_in_wildcard(tail[-1]) and _matches(parts, tail)
        if named:
            yield path
    yield from found.unreadable


def _matches(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    """Whether path components match pattern components; ``**`` matches any number of folders."""
    if not patterns:
        return not parts
    if patterns[0] == "**":
        rest = patterns[1:]
        if not rest:
            return True
        return any(_matches(parts[at:], rest) for at in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], patterns[0]) and _matches(parts[1:], patterns[1:])


def read_list(stream: TextIO, name: str = "Standard input") -> Iterator[str]:
    """Yield one path per line; empty lines are ignored.

    Args:
        stream: text to read.
        name: what the stream is, for the error message.

    Raises:
        SettingsError: the stream holds binary data.
    """
    while line := stream.readline(LONGEST_PATH):
        if "\0" in line or (len(line) == LONGEST_PATH and not line.endswith("\n")):
            raise SettingsError(
                f"{name} holds binary data, not a list of paths with one per line. "
                "To score a video, pass its path as an argument, or use --input-format bytes."
            )
        path = line.lstrip("\ufeff").rstrip("\r\n")
        if path.strip():
            yield path


def read_table(path: Path, column: str) -> list[str]:
    """Read a column of a .csv or .parquet table.

    Raises:
        SettingsError: the table or the column does not exist, or the column has empty cells.
    """
    check_regular(path)
    try:
        table = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
    except (OSError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise SettingsError(f"Cannot read '{path}': {reason}.") from None
    if column not in table.columns:
        raise SettingsError(
            f"'{path}' has no column {column!r}; it has {', '.join(map(str, table.columns))}. "
            "Choose one with --column."
        )
    found = table[column]
    empty = found.isna() | (found == "")
    if empty.any():
        raise SettingsError(
            f"Column {column!r} of '{path}' has an empty cell in row "
            f"{int(empty.to_numpy().argmax()) + 1} ({int(empty.sum())} in all). Fill or remove "
            "these rows."
        )
    return [str(each) for each in found]


def _read_csv(path: Path) -> "pd.DataFrame":
    import pandas as pd

    table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    return table.map(restore_cell)


def _read_parquet(path: Path) -> "pd.DataFrame":
    _, parquet = load_pyarrow()
    table: pd.DataFrame = parquet.read_table(path).to_pandas()
    return table


def read_from(path: Path, column: str) -> list[str]:
    """Read the paths of a list or, by its suffix, of a table.

    Relative paths start at the current directory.

    Raises:
        SettingsError: the file cannot be read.
    """
    if path.suffix.lower() in TABLES:
        return read_table(path, column)
    try:
        with path.open(encoding="utf-8", errors="surrogateescape") as stream:
            return list(read_list(stream, f"'{path}'"))
    except OSError as error:
        raise SettingsError(f"Cannot read the list '{path}': {error.strerror}.") from None
