"""Read the small JSON files that users hand over."""

import json
from os import PathLike
from pathlib import Path
from typing import Any

from dover_plugin.io.write import check_regular

MAX_BYTES = 2**20  # a reference set takes 10 kB
MAX_NAME = 200  # characters


def read_json_object(path: str | PathLike[str]) -> dict[str, Any]:
    """The JSON object in a file of at most MAX_BYTES.

    Raises:
        SettingsError: the path is a pipe, a device or a folder.
        OSError: the file cannot be read.
        ValueError: the content is too long, nested too deeply, or not a JSON object.
    """
    check_regular(path)
    with Path(path).open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"it is longer than {MAX_BYTES} bytes")
    return parse_json_object(content)


def parse_json_object(content: str | bytes) -> dict[str, Any]:
    """The JSON object in a text.

    Raises:
        ValueError: the text is nested too deeply, or not a JSON object.
    """
    try:
        found = json.loads(content)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("it holds no JSON object")
    return found


def check_name(value: object, what: str) -> str:
    """The value, if it is a text that fits on one line of a table.

    Args:
        value: as read.
        what: noun for the message, such as "name".

    Raises:
        ValueError: the value is no text, empty, too long, or holds control characters.
    """
    if not isinstance(value, str):
        raise ValueError(f"its {what} is of type {type(value).__name__}, not a text")
    if not 0 < len(value) <= MAX_NAME:
        raise ValueError(f"its {what} has {len(value)} characters, not 1 to {MAX_NAME}")
    if not value.isprintable():
        raise ValueError(f"its {what} holds characters that cannot be printed")
    return value


def check_number(value: object, what: str) -> float:
    """The value as a float, if it is a finite number.

    Args:
        value: as read.
        what: noun for the message, such as "mean".

    Raises:
        ValueError: the value is no number, or not finite as a float.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"its {what} is of type {type(value).__name__}, not a number")
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if not abs(number) < float("inf"):
        raise ValueError(f"its {what} is not a finite number")
    return number
