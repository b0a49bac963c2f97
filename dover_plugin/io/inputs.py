"""Expand the inputs a user names: files, folders, patterns, lists, table columns."""

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from dover_plugin.errors import SettingsError
from dover_plugin.io.files import VIDEO_SUFFIXES, find_videos

TABLES = (".csv", ".parquet")


def expand(paths: Iterable[str]) -> Iterator[str]:
    """Yield the videos that files, folders and patterns name.

    A folder gives every video below it, a pattern as ``clips/**/*.mp4`` what it matches. What is
    not there is yielded as it is, so that it becomes a row with its error.
    """
    for path in paths:
        if glob.has_magic(path) and not os.path.lexists(path):
            yield from _matching(path) or [path]
        else:
            yield from find_videos([path])


def _matching(pattern: str) -> list[str]:
    """Videos that a pattern names, and those below folders that it names."""
    found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207, paths stay as they are given
    return [
        path
        for path in find_videos(found)
        if not os.path.isdir(path) and os.path.splitext(path)[1].lower() in VIDEO_SUFFIXES  # noqa: PTH112, PTH122
    ]


def read_list(stream: TextIO) -> Iterator[str]:
    """Yield one path a line; empty lines are passed over."""
    for line in stream:
        if line.strip():
            yield line.rstrip("\r\n")


def read_table(path: Path, column: str) -> list[str]:
    """A column of a .csv or .parquet table.

    Raises:
        SettingsError: no such table or column, or empty cells in it.
    """
    import pandas as pd

    try:
        if path.suffix == ".parquet":
            table = pd.read_parquet(path, columns=[column])
        else:
            table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError, ImportError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise SettingsError(f"Cannot read '{path}': {reason}.") from None
    if column not in table.columns:
        raise SettingsError(
            f"'{path}' has no column {column!r}; it has {', '.join(map(str, table.columns))}. "
            "Name one with --column."
        )
    found = table[column]
    empty = found.isna() | (found == "")
    if empty.any():
        raise SettingsError(
            f"{int(empty.sum())} cells of column {column!r} of '{path}' are empty, the first in "
            f"row {int(empty.to_numpy().argmax()) + 1}. Take these rows out."
        )
    return [str(each) for each in found]


def read_from(path: Path, column: str) -> list[str]:
    """Paths of a list or a table, by its suffix; relative ones start where the command runs.

    Raises:
        SettingsError: it cannot be read.
    """
    if path.suffix in TABLES:
        return read_table(path, column)
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as stream:
            return list(read_list(stream))
    except OSError as error:
        raise SettingsError(f"Cannot read the list '{path}': {error.strerror}.") from None
