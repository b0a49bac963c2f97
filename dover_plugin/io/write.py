"""Atomic writes, and the rules for output files: known types, regular files."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from os import PathLike, fspath
from pathlib import Path

from dover_plugin.errors import SettingsError
from dover_plugin.text import listed

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def check_suffix(path: str | PathLike[str], suffixes: Sequence[str], use: str = "output") -> None:
    """Raise SettingsError unless the suffix of ``path`` is one of ``suffixes``.

    Args:
        path: path of the file.
        suffixes: allowed suffixes in lower case.
        use: what the file is, for the message.
    """
    file = Path(path)
    if file.suffix.lower() not in suffixes:
        raise SettingsError(
            f"Unsupported {use} type '{file.suffix or file.name}'; use {listed(suffixes)}."
        )


def check_regular(path: str | PathLike[str]) -> None:
    """Raise SettingsError if something other than a regular file is at ``path``.

    Links are followed. A pipe would block the program, and a device may have no end.
    """
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116, names may be any bytes
    except (OSError, ValueError):  # the caller's own access reports it
        return
    if not stat.S_ISREG(mode):
        kind = next((name for test, name in _KINDS if test(mode)), "no file")
        raise SettingsError(f"'{fspath(path)}' is {kind}, not a regular file. Use a regular file.")


@contextmanager
def replacing(path: str | PathLike[str]) -> Iterator[Path]:
    """Yield an empty temporary file beside ``path`` that replaces it if the block succeeds.

    Raises:
        SettingsError: the file cannot be written; the temporary file is removed.
    """
    check_regular(path)
    file = Path(path)
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        part.unlink(missing_ok=True)  # a link that someone put there is not followed
        part.open("x").close()
        yield part
        part.replace(file)
    except OSError as error:
        reason = error.strerror or error
        raise SettingsError(f"Cannot write '{fspath(path)}': {reason}.") from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def write_text(path: str | PathLike[str], text: str) -> None:
    """Write a text and a final newline, all of it or nothing.

    Raises:
        SettingsError: the file cannot be written.
    """
    with replacing(path) as part:
        part.write_text(text + "\n", encoding="utf-8")
