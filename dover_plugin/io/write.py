"""Atomic writes of small text files."""

import os
from contextlib import suppress
from os import PathLike
from pathlib import Path

from dover_plugin.errors import SettingsError


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
