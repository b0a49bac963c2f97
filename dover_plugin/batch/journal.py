"""A resumable journal of scores: JSON lines, flushed after each video."""

import errno
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from typing import IO, Any, Self

from dover_plugin.errors import SettingsError
from dover_plugin.options import COMPARABLE
from dover_plugin.scorer import Scorer
from dover_plugin.scores import Result

ROW_START = b'{"path"'  # by which a row that a kill cut off is told from another kind of file

type Row = dict[str, Any]
type Stamp = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a file's row without holding it."""

    stamp: Stamp
    failed: bool
    offset: int


class Journal:
    """Scores as JSON lines, added to one by one, never truncated but for a line that was cut off.

    Args:
        path: made if need be.
        scorer: whose scores they are.
        retry_failed: do not count failed rows as done.

    Raises:
        SettingsError: the file holds scores of other settings, or something else, or cannot be
            written.
    """

    def __init__(self, path: Path, scorer: Scorer, *, retry_failed: bool = False) -> None:
        self._path = path
        self._scorer = scorer
        self._retry_failed = retry_failed
        self._known: dict[str, Known] = {}
        with ExitStack() as opened:
            try:
                self._stream = opened.enter_context(path.open("ab", buffering=0))
                lock(self._stream, path)
                self._reader = opened.enter_context(path.open("rb"))  # the same file, if renamed
                self._read()
            except OSError as error:
                raise SettingsError(f"Cannot write '{path}': {error.strerror}.") from None
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def __len__(self) -> int:
        return len(self._known)

    def has(self, path: str) -> bool:
        """Whether the file, as it is now, has its row."""
        known = self._known.get(path)
        if known is None or (known.failed and self._retry_failed):
            return False
        return known.stamp == stamp_of(path)

    def add(self, path: str, result: Result, stamp: Stamp) -> Row:
        """Write a row, all of it or nothing.

        Args:
            path: of the file.
            result: of it.
            stamp: of the file, before it was read.

        Raises:
            SettingsError: the disk is full, or the journal was removed.
        """
        self._check_that_it_is_there()
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
                f"Cannot write '{self._path}': {error.strerror}. Make room, and run it again: it "
                "goes on from there."
            ) from None
        self._known[path] = Known(stamp, result.error is not None, offset)
        return row

    def row(self, path: str) -> Row:
        """The last row of a file."""
        return self._row_at(self._known[path].offset)

    def rows_of(self, paths: Iterable[str]) -> Iterator[Row]:
        """The last row of each of these files, each once, in their order."""
        for path in dict.fromkeys(paths):
            if path in self._known:
                yield self.row(path)

    def rows(self) -> Iterator[Row]:
        """The last row of each file, in the order in which they were written first."""
        for known in self._known.values():
            yield self._row_at(known.offset)

    def _row_at(self, offset: int) -> Row:
        self._reader.seek(offset)
        return _parse(self._reader.readline())

    def _check_that_it_is_there(self) -> None:
        try:
            there = os.path.samestat(os.fstat(self._stream.fileno()), self._path.stat())
        except OSError:
            there = False
        if not there:
            raise SettingsError(
                f"'{self._path}' was removed or renamed while it was written to. Run it again: "
                "what it held is done anew."
            )

    def _read(self) -> None:
        offset = 0
        for number, line in enumerate(self._reader, start=1):
            if not line.endswith(b"\n"):
                self._cut(line, offset)
                return
            self._check(line, number, offset)
            offset += len(line)

    def _check(self, line: bytes, number: int, offset: int) -> None:
        try:
            row = _parse(line)
            other = settings_mismatch(row, self._scorer)
            stamp = row["size"], row["modified"]
            self._known[row["path"]] = Known(stamp, row["error"] is not None, offset)
        except (ValueError, KeyError, TypeError):
            raise SettingsError(
                f"Line {number} of '{self._path}' is no score. Name another file, or delete it."
            ) from None
        if other:
            raise SettingsError(
                f"'{self._path}' holds scores with {other}. Name another file, or start it anew "
                "with --restart."
            )

    def _cut(self, torn: bytes, offset: int) -> None:
        """Take away a last line that a kill cut off."""
        text = torn.rstrip(b"\0")  # which a loss of power leaves
        if not text.startswith(ROW_START[: len(text)]):
            raise SettingsError(
                f"The end of '{self._path}' is no score. Name another file, or delete it."
            )
        self._stream.truncate(offset)


def settings_mismatch(row: Row, scorer: Scorer) -> str | None:
    """What keeps a row's scores from standing beside the scorer's; None if nothing does.

    Raises:
        KeyError: the row is none of scores.
    """
    for name in COMPARABLE:
        wanted = getattr(scorer.settings, name)
        if row[name] != wanted:
            return f"{name} {row[name]!r}, not {wanted!r}"
    if row["error"] is None:  # the name of a fusion alone may mislead
        found = scorer.calibration.apply(row["technical_raw"], row["aesthetic_raw"])
        if not isclose(found[-1], row["overall"], abs_tol=1e-9):
            return f"other constants of the fusion {row['fusion']!r}"
    return None


def lock(stream: IO[bytes], path: Path) -> None:
    """Raise SettingsError if another process writes to the file, where the system can tell."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SettingsError(
            f"Another process is writing to '{path}'. Wait for it, or name another file."
        ) from None
    except OSError:  # some network disks have no locks
        return


def _parse(line: bytes) -> Row:
    row: Row = json.loads(line.decode(errors="surrogateescape"))
    return row


def stamp_of(path: str) -> Stamp:
    """Size in bytes and time of change in nanoseconds; None for a file that is not there."""
    try:
        seen = os.stat(path)  # noqa: PTH116, paths stay as they are given
    except (OSError, ValueError):
        return None, None
    return seen.st_size, seen.st_mtime_ns
