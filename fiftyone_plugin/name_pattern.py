"""Patterns of file names with one ``{key}`` and any number of ``*``."""

from dover_plugin.errors import SettingsError


class NamePattern:
    """A pattern such as ``"{key}_crf*.mp4"``.

    ``*`` stands for any text, also for none; ``{key}`` stands for at least one character. If a name
    fits in several ways, the stars before the key take as much as they can and the key as little.

    Matching places the literal parts from the right to the left, each once, so that its time does
    not depend on the number of stars.

    Args:
        text: the pattern.

    Raises:
        SettingsError: the pattern does not hold ``{key}`` exactly once.
    """

    def __init__(self, text: str) -> None:
        if text.count("{key}") != 1:
            raise SettingsError(
                f"The pattern {text!r} needs {{key}} once, as in '{{key}}_x264.mp4'."
            )
        before, after = text.split("{key}")
        self._before, self._after = before.split("*"), after.split("*")  # literal parts

    def key_of(self, name: str) -> str | None:
        """The text that ``{key}`` stands for in a name; None if the name does not fit."""
        first, *before = self._before
        *after, last = self._after
        if not (name.startswith(first) and name.endswith(last)):
            return None
        latest_end = _rightmost(name, after, len(name) - len(last))
        if _rightmost(name, before, latest_end - 1) < len(first):
            return None
        start = len(first)
        if before:
            start = _rightmost(name, before[-1:], latest_end - 1) + len(before[-1])
        end = name.find(after[0], start + 1) if after else latest_end
        return name[start:end]


def _rightmost(name: str, parts: list[str], end: int) -> int:
    """Where ``parts`` start if they stand in order, as far right as they can, before ``end``.

    Returns:
        The index of the first part; ``end`` without parts; below 0 if there is no room for them.
    """
    for part in reversed(parts):
        end = name.rfind(part, 0, end) if end >= 0 else -1
    return end
