"""A resumable journal of scores: JSON lines, flushed after each video."""

import errno
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import chain
from math import isclose
from pathlib import Path
from typing import IO, Any, Self

from dover_plugin.errors import SettingsError, VideoError
from dover_plugin.io.write import check_regular
from dover_plugin.options import COMPARABLE
from dover_plugin.scorer import Scorer
from dover_plugin.scores import Result

ROW_START = b'{"path"'  # tells a truncated row from a file of another kind

type Row = dict[str, Any]
type Stamp = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class RowIndex:
    """Position of a video's last row in the journal, and what tells whether it is still valid.

    Attributes:
        stamp: size and time of change of the video when it was scored.
        failed: whether the row holds an error.
        offset: position of the row in bytes.
    """

    stamp: Stamp
    failed: bool
    offset: int


class Journal:
    """Scores as JSON lines. Rows are only appended; a truncated last line is removed.

    Args:
        path: file of the journal; it is created if it does not exist.
        scorer: scorer of all rows.
        retry_failed: whether failed rows count as missing.

    Raises:
        SettingsError: the file is not a journal, holds scores of other settings, or cannot be
            written.
    """

    def __init__(self, path: Path, scorer: Scorer, *, retry_failed: bool = False) -> None:
        self._path = path
        self._scorer = scorer
        self._retry_failed = retry_failed
        self._index: dict[str, RowIndex] = {}
        check_regular(path)
        with ExitStack() as opened:
            try:
                self._stream = opened.enter_context(path.open("ab", buffering=0))
                lock(self._stream, path)
                self._reader = opened.enter_context(path.open("rb"))  # works after a rename, too
                self._read()
            except OSError as error:
                raise SettingsError(f"Cannot write '{path}': {error.strerror}.") from None
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def __len__(self) -> int:
        return len(self._index)

    def has(self, path: str) -> bool:
        """Whether the journal holds a row of the file in its present state."""
        row = self._index.get(path)
        if row is None or (row.failed and self._retry_failed):
            return False
        return row.stamp == stamp_of(path)

    def add(self, path: str, result: Result, stamp: Stamp) -> Row:
        """Write a row, all of it or nothing.

        Args:
            path: path of the video.
            result: its scores or its error.
            stamp: stamp of the video before it was read.

        Raises:
            SettingsError: the disk is full, or the journal was removed.
        """
        self._check_not_moved()
        size, modified = stamp
        row = {**result.to_dict(), "path": path, "size": size, "modified": modified}
        line = json.dumps(row).encode(errors="surrogateescape") + b"\n"
        offset = self._stream.seek(0, os.SEEK_END)
        try:
            written = self._stream.write(line)
            if written != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            with suppress(OSError):
                self._stream.truncate(offset)
            raise SettingsError(
                f"Cannot write '{self._path}': {error.strerror}. Free disk space, then run the "
                "same command again to resume."
            ) from None
        self._index[path] = RowIndex(stamp, result.error is not None, offset)
        return row

    def row(self, path: str) -> Row:
        """The last row of a video."""
        return self._row_at(self._index[path].offset)

    def rows_of(self, paths: Iterable[str]) -> Iterator[Row]:
        """The last row of each of these videos, each once, in their order."""
        for path in dict.fromkeys(paths):
            if path in self._index:
                yield self.row(path)

    def rows(self, first: Iterable[str] = ()) -> Iterator[Row]:
        """The last row of each video: those of ``first`` in that order, then all others."""
        return self.rows_of(chain(first, self._index))

    def _row_at(self, offset: int) -> Row:
        self._reader.seek(offset)
        return _parse(self._reader.readline())

    def _check_not_moved(self) -> None:
        """Raise SettingsError if the file was removed or renamed, so that rows would be lost."""
        try:
            unmoved = os.path.samestat(os.fstat(self._stream.fileno()), self._path.stat())
        except OSError:
            unmoved = False
        if not unmoved:
            raise SettingsError(
                f"'{self._path}' was removed or renamed during the run. Move it back and run the "
                "same command again to resume, or run it again to score all videos."
            )

    def _read(self) -> None:
        offset = 0
        for number, line in enumerate(self._reader, start=1):
            if not line.endswith(b"\n"):
                self._remove_truncated(line, offset)
                return
            self._check(line, number, offset)
            offset += len(line)

    def _check(self, line: bytes, number: int, offset: int) -> None:
        try:
            row = _parse(line)
            other = settings_mismatch(row, self._scorer)
            stamp = row["size"], row["modified"]
            self._index[row["path"]] = RowIndex(stamp, row["error"] is not None, offset)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise SettingsError(
                f"Line {number} of '{self._path}' is not a row of scores. Choose another file "
                "name, or delete the file."
            ) from None
        if other:
            raise SettingsError(
                f"'{self._path}' holds scores with {other}. Choose another file name, or start a "
                "new table with --restart."
            )

    def _remove_truncated(self, line: bytes, offset: int) -> None:
        """Remove a truncated last line, which a killed process left."""
        text = line.rstrip(b"\0")  # a loss of power leaves null bytes
        if not text.startswith(ROW_START[: len(text)]):
            raise SettingsError(
                f"The end of '{self._path}' is not a row of scores. Choose another file name, or "
                "delete the file."
            )
        self._stream.truncate(offset)


def settings_mismatch(row: Row, scorer: Scorer) -> str | None:
    """The first setting in which a row differs from the scorer; None if they are comparable.

    Raises:
        KeyError: the row is not a row of scores.
    """
    for name in COMPARABLE:
        wanted = getattr(scorer.settings, name)
        if row[name] != wanted:
            return f"{name} {row[name]!r}, not {wanted!r}"
    if row["error"] is None:  # two calibrations may share a name
        scores = scorer.calibration.apply(row["technical_raw"], row["aesthetic_raw"])
        stored = (row["technical"], row["aesthetic"], row["overall"])
        if not all(map(_close, scores, stored)):
            return f"other constants of the fusion {row['fusion']!r}"
    return None


def _close(one: float | None, other: float | None) -> bool:
    """Whether two scores are equal; None is equal to None only."""
    if one is None or other is None:
        return one is other
    return isclose(one, other, abs_tol=1e-9)


def lock(stream: IO[bytes], path: Path) -> None:
    """Lock a file for writing where the system supports it.

    Raises:
        SettingsError: another process holds the lock.
    """
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SettingsError(
            f"Another process is writing to '{path}'. Wait for it, or choose another file name."
        ) from None
    except OSError:  # some network file systems have no locks
        return


def _parse(line: bytes) -> Row:
    row: Row = json.loads(line.decode(errors="surrogateescape"))
    return row


def stamp_of(path: str) -> Stamp:
    """Size in bytes and time of change in nanoseconds; None if the file does not exist.

    Those of an image sequence are the sum and the latest time of its images.
    """
    try:
        if os.path.isfile(path):  # noqa: PTH113, paths stay as they are named
            files = [path]
        else:
            from dover_plugin.io.sequence import find_images

            files = find_images(path)
        found = [os.stat(file) for file in files]  # noqa: PTH116
    except (OSError, ValueError, VideoError):
        return None, None
    return sum(each.st_size for each in found), max(each.st_mtime_ns for each in found)
