"""Plots of the divergence between both branches."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from dover_plugin.analysis.quality_map import middle_frame
from dover_plugin.errors import SettingsError
from dover_plugin.io.open import open_source
from dover_plugin.reporting.style import COLOURS, new_figure
from dover_plugin.text import name_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
from dover_plugin.analysis.divergence import ExtremePair, ranks_of
from dover_plugin.preprocessing.sampling import BRANCHES


def draw_divergence(scores: pd.DataFrame, colour: str = "overall", title: str = "") -> "Figure":
    """Aesthetic against technical rank, thirds marked.

    Args:
        scores: with ``technical_raw``, ``aesthetic_raw`` and ``colour``.
        colour: the column that points are coloured by.
        title: above it.

    Raises:
        SettingsError: too few videos, no such column, or matplotlib is missing.
    """
    if colour not in scores.columns:
        raise SettingsError(f"The scores have no column {colour!r} to colour points by.")
    if not pd.api.types.is_numeric_dtype(scores[colour]):
        raise SettingsError(f"Column {colour!r} holds no numbers to colour points by.")
    ranks = ranks_of(scores)
    figure = new_figure((7, 6))
    axes = figure.add_subplot()
    points = axes.scatter(
        ranks["technical"],
        ranks["aesthetic"],
        c=scores[colour],
        cmap="cividis",
        s=max(6, min(40, 4000 / len(scores))),
        alpha=0.8,
        linewidths=0,
    )
    for third in (1 / 3, 2 / 3):
        axes.axvline(third, color="#999999", linewidth=0.8, linestyle="--")
        axes.axhline(third, color="#999999", linewidth=0.8, linestyle="--")
    corners = (
        (0.02, 0.98, "left", "looks good, is not clean"),
        (0.98, 0.02, "right", "is clean, does not look good"),
    )
    for x, y, side, text in corners:
        axes.text(
            x,
            y,
            text,
            ha=side,
            va="top" if y > 0.5 else "bottom",
            fontsize=9,
            color=COLOURS["aesthetic"],
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 2},
        )
    axes.set(
        xlabel="technical rank", ylabel="aesthetic rank", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02)
    )
    axes.set_aspect("equal")
    axes.set_title(title, loc="left", fontsize=11, parse_math=False)
    figure.colorbar(points, ax=axes, label=colour, fraction=0.045, pad=0.03)
    return figure


def draw_pairs(pairs: Sequence[ExtremePair]) -> "Figure":
    """The middle frames of each pair, a row each: what is preferred on the left.

    Raises:
        VideoError: a frame cannot be decoded.
        SettingsError: matplotlib is missing.
    """
    figure = new_figure((8, 2.4 * len(pairs)))
    rows = figure.subplots(len(pairs), 3, squeeze=False, width_ratios=(1, 4, 4))
    for (label, *places), pair in zip(rows, pairs, strict=True):
        label.set_axis_off()
        level = f"equal {pair.equal}\n({100 * pair.level:.0f} %)"
        label.text(0, 0.5, level, va="center", fontsize=8)
        other = BRANCHES[1 - BRANCHES.index(pair.equal)]
        shown = (pair.better, "higher"), (pair.worse, "lower")
        for place, (path, word) in zip(places, shown, strict=True):
            place.imshow(middle_frame(open_source(path)))
            place.set_axis_off()
            place.set_title(f"{word} {other}: {name_of(path)}", fontsize=8, parse_math=False)
    return figure
