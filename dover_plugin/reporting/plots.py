"""Plots of scores over time and of quality against bitrate."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dover_plugin.analysis.comparison import Comparison, knee
from dover_plugin.analysis.segments import time_code
from dover_plugin.analysis.timeline import Timeline
from dover_plugin.errors import SettingsError
from dover_plugin.text import name_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
from dover_plugin.reporting.style import COLOURS, new_figure

MEGABIT = 1e6


def draw_timeline(found: Timeline) -> "Figure":
    """The scores over time, as steps that last as long as their segments.

    Raises:
        SettingsError: matplotlib is missing.
    """
    figure = new_figure((10, 4))
    axes = figure.add_subplot()
    edges, unit = _edges(found)
    for number, score in enumerate(found.present):
        values = [getattr(part.scores, score) for part in found.segments]
        axes.stairs(
            values,
            edges,
            baseline=None,
            color=COLOURS[score],
            linewidth=1.3 if number else 2.2,
            zorder=2 if number else 3,
            label=score,
        )
    low = found.summary().p5
    axes.axhline(low, color="#888888", linewidth=1, linestyle=":")
    axes.annotate(
        f"5 % of segments score lower than {low:.3f}",
        (edges[-1], low),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right",
        fontsize=8,
        color="#555555",
    )
    _tidy(axes, found.info.path, "score")
    axes.set_ylim(0, 1)
    axes.set_xlim(edges[0], edges[-1])
    _time_axis(axes, unit)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, frameon=False)
    return figure


def draw_comparisons(found: Sequence[Comparison]) -> "Figure":
    """How the main score of each transcode changed over time.

    Raises:
        SettingsError: matplotlib is missing.
    """
    from matplotlib import colormaps

    figure = new_figure((10, 4))
    axes = figure.add_subplot()
    colours = colormaps["viridis"]
    edges, unit = _edges(found[0].before)
    for number, each in enumerate(found):
        axes.stairs(
            [pair.main for pair in each.pairs],
            _edges(each.before)[0],
            baseline=None,
            color=colours(0.9 * number / max(1, len(found) - 1)),
            linewidth=2,
            label=" " + name_of(each.after.info.path),  # with _ first it would be left out
        )
    axes.axhline(0, color="#888888", linewidth=1)
    axes.set_xlim(edges[0], max(_edges(each.before)[0][-1] for each in found))
    _tidy(axes, found[0].before.info.path, f"{found[0].before.present[0]}, after - before")
    _time_axis(axes, unit)
    legend = axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4, frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def draw_ladder(found: Sequence[Comparison]) -> "Figure":
    """Quality against bitrate, with intervals and the knee.

    Raises:
        SettingsError: matplotlib is missing, or fewer than two files have a bitrate.
    """
    ladder = sorted((each for each in found if each.bitrate), key=lambda each: each.bitrate or 0)
    if len(ladder) < 2:
        raise SettingsError(f"A ladder needs two files or more, got {len(ladder)}.")
    figure = new_figure((8, 4.5))
    axes = figure.add_subplot()
    x = [(each.bitrate or 0) / MEGABIT for each in ladder]
    y = [each.main.difference for each in ladder]
    axes.plot(x, y, color=COLOURS["overall"], linewidth=1.5, marker="o")
    for each, megabits, change in zip(ladder, x, (e.main for e in ladder), strict=True):
        if change.low is not None and change.high is not None:
            axes.vlines(megabits, change.low, change.high, color="#888888", linewidth=1.2)
        axes.annotate(
            name_of(each.after.info.path),
            (megabits, change.difference),
            xytext=(6, -12),
            parse_math=False,
            textcoords="offset points",
            fontsize=8,
        )
    bend = knee(found)
    if bend and bend.bitrate:
        axes.plot(
            bend.bitrate / MEGABIT,
            bend.main.difference,
            marker="o",
            markersize=13,
            fillstyle="none",
            color=COLOURS["aesthetic"],
        )
        axes.annotate(
            "knee",
            (bend.bitrate / MEGABIT, bend.main.difference),
            xytext=(-6, 10),
            textcoords="offset points",
            ha="right",
            color=COLOURS["aesthetic"],
        )
    axes.set_xscale("log")
    axes.axhline(0, color="#888888", linewidth=1, linestyle=":")
    _tidy(axes, found[0].before.info.path, f"{found[0].before.present[0]}, after - before")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("megabits per second, all streams")
    return figure


def _edges(found: Timeline) -> tuple[list[float], str]:
    """Where segments begin, and where the last one ends, in seconds, or in frames."""
    parts = found.segments
    if found.info.fps:
        return [*((p.start_seconds or 0.0) for p in parts), parts[-1].end_seconds or 0.0], "time"
    return [*(float(p.segment.start) for p in parts), float(parts[-1].segment.end)], "frame"


def _time_axis(axes: "Axes", unit: str) -> None:
    if unit == "time":
        axes.xaxis.set_major_formatter(lambda value, _: time_code(max(0.0, value))[:8])
    else:
        axes.set_xlabel("frame")


def _tidy(axes: "Axes", path: str | None, label: str) -> None:
    axes.set_title(name_of(path), loc="left", fontsize=11, parse_math=False)
    axes.set_ylabel(label)
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
