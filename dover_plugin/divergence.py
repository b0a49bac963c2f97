"""Where the two sides of quality disagree: the divergence map, and pairs in the manner of gMAD.

Source: paper, section on divergence of aesthetic and technical perspectives; gMAD (Ma et al. 2016).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dover_plugin.errors import SettingsError
from dover_plugin.maps import middle_frame
from dover_plugin.output import name_of
from dover_plugin.pictures import COLOURS, new_figure
from dover_plugin.video import open_source

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDES = ("technical", "aesthetic")
FEWEST = 6  # videos of a map; fewer have no thirds


@dataclass(frozen=True)
class ExtremePair:
    """Two videos that one side finds equal and the other does not.

    Attributes:
        equal: "technical" or "aesthetic".
        better: path of the one that the other side prefers.
        worse: path of the other.
        level: their common rank on the equal side, in [0, 1].
        apart: how far their ranks on the other side are apart, in [0, 1].
    """

    equal: str
    better: str
    worse: str
    level: float
    apart: float


def ranks_of(scores: pd.DataFrame) -> pd.DataFrame:
    """Shares of the videos that score lower, in [0, 1], of each side; ties share their mean.

    Args:
        scores: with ``technical_raw`` and ``aesthetic_raw``, one row a video.

    Raises:
        SettingsError: fewer than FEWEST videos.
    """
    if len(scores) < FEWEST:
        raise SettingsError(f"Ranks need {FEWEST} videos or more, got {len(scores)}.")
    return pd.DataFrame(
        {side: (scores[f"{side}_raw"].rank() - 1) / (len(scores) - 1) for side in SIDES}
    )


def extreme_pairs(scores: pd.DataFrame, count: int = 5) -> list[ExtremePair]:
    """Pairs that are equal on one side and farthest apart on the other.

    The equal side's ranks are cut into ``count`` levels, and the pair that is farthest apart is
    taken of each.

    Args:
        scores: with ``path``, ``technical_raw`` and ``aesthetic_raw``.
        count: pairs of each side.

    Raises:
        SettingsError: too few videos for so many levels.
    """
    ranks = ranks_of(scores)
    if len(scores) < 2 * count:
        raise SettingsError(f"{count} pairs need {2 * count} videos or more, got {len(scores)}.")
    paths = scores["path"].to_numpy()
    pairs = []
    for equal, other in (SIDES, SIDES[::-1]):
        order = np.argsort(ranks[equal].to_numpy(), kind="stable")
        for level in np.array_split(order, count):
            values = ranks[other].to_numpy()[level]
            high, low = level[values.argmax()], level[values.argmin()]
            pairs.append(
                ExtremePair(
                    equal,
                    str(paths[high]),
                    str(paths[low]),
                    float(ranks[equal].to_numpy()[level].mean()),
                    float(values.max() - values.min()),
                )
            )
    return pairs


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
        other = SIDES[1 - SIDES.index(pair.equal)]
        shown = (pair.better, "higher"), (pair.worse, "lower")
        for place, (path, word) in zip(places, shown, strict=True):
            place.imshow(middle_frame(open_source(path)))
            place.set_axis_off()
            place.set_title(f"{word} {other}: {name_of(path)}", fontsize=8, parse_math=False)
    return figure
