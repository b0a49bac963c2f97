"""Many videos: each result is kept the moment it exists, and a run goes on where it stopped."""

import json
import os
from collections.abc import Iterator, Sequence
from math import isclose
from os import PathLike
from pathlib import Path
from typing import Any

from dover_plugin.errors import SettingsError
from dover_plugin.scorer import Scorer

# What must be equal for a score to be taken over; the rest does not move it by more than 1e-4.
DECISIVE = ("version", "model", "weights_sha256", "precision", "fusion", "repeats", "seed")
ROW_START = b'{"path"'  # by which a row that a kill cut off is told from another kind of file

type Row = dict[str, Any]


def score_kept(
    scorer: Scorer, videos: Sequence[str | PathLike[str]], kept: Path, *, workers: int = 1
) -> Iterator[Row]:
    """Score videos, taking over what ``kept`` holds of them and adding to it what it does not.

    A row is taken over if its file has the same size and time of change; a failed one is tried
    again.

    Args:
        scorer: scores them.
        videos: paths.
        kept: JSON lines; made if need be, added to line by line, never truncated.
        workers: threads that read videos.

    Yields:
        One row per video, in order; see Scores.to_dict.

    Raises:
        SettingsError: the file holds scores of other settings, or something else.
    """
    paths = [os.fspath(video) for video in videos]
    done = read_rows(kept, scorer)
    missing = {path: True for path in paths if not _same(done.get(path), path)}
    fresh = scorer.score_many(list(missing), workers=workers)
    try:
        with kept.open("a", newline="\n", errors="surrogateescape") as stream:
            for path in paths:
                if missing.pop(path, False):
                    done[path] = {**next(fresh).to_dict(), **_stamp(path)}
                    stream.write(json.dumps(done[path]) + "\n")
                    stream.flush()
                yield done[path]
    except OSError as error:
        raise SettingsError(f"Cannot write '{kept}': {error.strerror}.") from None


def read_rows(kept: Path, scorer: Scorer) -> dict[str, Row]:
    """Rows by path, of a file that score_kept wrote; the last one of each path.

    A last line that was cut off by a kill is taken away.

    Raises:
        SettingsError: rows of other settings, or no rows.
    """
    try:
        content = kept.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"Cannot read '{kept}': {error.strerror}.") from None
    *lines, torn = content.split(b"\n")
    rows: dict[str, Row] = {}
    wanted = {name: getattr(scorer.settings, name) for name in DECISIVE}
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line.decode(errors="surrogateescape"))
            other = [name for name in DECISIVE if row[name] != wanted[name]]
            rows[row["path"]] = row
        except (ValueError, KeyError, TypeError):
            raise SettingsError(
                f"Line {number} of '{kept}' is no score. Name another file, or delete it."
            ) from None
        if not other and not _fused_alike(row, scorer):
            raise SettingsError(
                f"'{kept}' holds scores with other constants of the fusion {row['fusion']!r}. Name "
                "another file, or delete it."
            )
        if other:
            raise SettingsError(
                f"'{kept}' holds scores with {other[0]} {row[other[0]]!r}, not "
                f"{wanted[other[0]]!r}. Name another file, or delete it."
            )
    if torn:
        if not torn.startswith(ROW_START[: len(torn)]):
            raise SettingsError(
                f"The end of '{kept}' is no score. Name another file, or delete it."
            )
        os.truncate(kept, len(content) - len(torn))
    return rows


def _fused_alike(row: Row, scorer: Scorer) -> bool:
    """Whether this scorer's constants give the row's scores; their name alone may mislead."""
    if row["error"] is not None:
        return True
    found = scorer.calibration.apply(row["technical_raw"], row["aesthetic_raw"])
    return isclose(found[-1], row["overall"], abs_tol=1e-9)


def _same(row: Row | None, path: str) -> bool:
    return row is not None and row["error"] is None and _stamp(path).items() <= row.items()


def _stamp(path: str) -> Row:
    """Size in bytes and time of change in nanoseconds; None for a file that is not there."""
    try:
        seen = os.stat(path)  # noqa: PTH116, paths stay as they are given
    except (OSError, ValueError):
        return {"size": None, "modified": None}
    return {"size": seen.st_size, "modified": seen.st_mtime_ns}
