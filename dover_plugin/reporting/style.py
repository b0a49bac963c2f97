"""Colours and figures shared by all plots."""

from pathlib import Path
from typing import TYPE_CHECKING

from dover_plugin.errors import SettingsError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette, which readers with a colour vision deficiency can tell apart.
COLOURS = {"overall": "#222222", "technical": "#0072b2", "aesthetic": "#d55e00"}
SCREEN_COLOURS = {**COLOURS, "overall": "#7f8c9b"}  # readable on light and on dark pages


def new_figure(size: tuple[float, float]) -> "Figure":
    """Create a figure of the given size in inches.

    Raises:
        SettingsError: matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise SettingsError(
            "A plot needs matplotlib. Install it with 'pip install matplotlib'."
        ) from None
    return Figure(figsize=size, layout="constrained")


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure as .png, .svg or .pdf.

    Raises:
        SettingsError: it cannot be written there, or is of another kind.
    """
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise SettingsError(f"Cannot write '{path}': {error}.") from None
