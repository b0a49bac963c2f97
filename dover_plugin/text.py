"""One-line text for names, paths and settings."""

from pathlib import Path

from dover_plugin.scores import Settings


def printable(path: str) -> str:
    """A path on one line, whatever bytes it holds."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in path)


def name_of(path: str | None) -> str:
    """Of a file, without its folder, on one line."""
    return printable(Path(path).name) if path else "frames"


def settings_line(settings: Settings) -> str:
    """What spoke, on one line."""
    s = settings
    draw = "centred" if s.seed is None else f"seed {s.seed}, {s.repeats} draws"
    return (
        f"{s.model} ({s.weights_sha256[:8]}), {s.fusion} fusion, {draw}, "
        f"{s.engine} {s.precision} on {s.device}"
    )
