"""One-line text for names, paths, counts and settings."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dover_plugin.scores import Settings

UNKNOWN = "unknown"  # a setting that a recorded score does not state


def printable(path: str) -> str:
    """A path on one line; characters and bytes that cannot be printed are escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in path)


def name_of(path: str | None) -> str:
    """The name of a file without its folder, on one line; "frames" for frames in memory."""
    return printable(Path(path).name) if path else "frames"


def counted(number: int, noun: str) -> str:
    """A number and its noun, such as "1 video" or "2 videos"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def described(error: BaseException) -> str:
    """The type and the first line of an error of another library, such as "ValueError: no data"."""
    return f"{type(error).__name__}: {str(error).partition('\n')[0]}"


def listed(choices: Sequence[str], word: str = "or") -> str:
    """Choices as a sentence lists them, such as ".png, .svg or .pdf"."""
    *most, last = choices
    return f"{', '.join(most)} {word} {last}" if most else last


def settings_line(settings: "Settings") -> str:
    """The model and the settings of a score, on one line."""
    s = settings
    sampling = "centred" if s.seed is None else f"seed {s.seed}, {counted(s.repeats, 'sample')}"
    reading = f"{s.reading}, " if s.reading else ""
    alone = "" if "+" in s.branches else f"{s.branches} branch, "
    network = f"{s.model} ({s.weights_sha256[:8]}), {alone}{s.fusion} fusion"
    if s.engine == UNKNOWN:
        return f"{network}, recorded by VapourSynth"
    return f"{network}, {sampling}, {reading}{s.engine} {s.precision} on {s.device}"
