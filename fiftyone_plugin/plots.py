"""The panel's statistics as Plotly figures, readable on light and on dark."""

import itertools
from typing import Any

from dover_plugin.grades import GRADES, LIMITS, grade
from dover_plugin.reporting.style import SCREEN_COLOURS
from dover_plugin.scores import SCORES
from fiftyone_plugin.statistics import Histogram, Points, Timeline

INK = "#8a8f98"  # text and lines, on light and dark backgrounds
FAINT = "rgba(138,143,152,0.25)"
MARK = "#ff6d04"  # what is selected; FiftyOne's highlight
LOW = "#a6509e"
SCALE = [
    [0, LOW],
    [0.5, "#b5b5b5"],
    [1, "#3f9b4f"],
]  # readable with a colour vision deficiency
GAP = 0.1  # between histograms, as a share of the width
MIN_SIZE, MAX_SIZE = 6, 22  # of cells, in pixels
STILL = {"displayModeBar": False, "scrollZoom": False}

type Data = list[dict[str, Any]]
type Layout = dict[str, Any]


def histograms(found: dict[str, Histogram]) -> tuple[Data, Layout]:
    """Bars of each score, side by side; traces are in the order of the scores."""
    layout = _layout(x={}, y={}, top=28)
    layout["bargap"] = 0.05
    layout["annotations"] = []
    data = []
    for i, (name, each) in enumerate(found.items()):
        suffix = str(i + 1) if i else ""
        left = i * (1 + GAP) / len(found)
        domain = [left, left + (1 - GAP * (len(found) - 1)) / len(found)]
        data.append(
            {
                **_bars(each, SCREEN_COLOURS[name]),
                "name": name,
                "xaxis": f"x{suffix}",
                "yaxis": f"y{suffix}",
            }
        )
        layout[f"xaxis{suffix}"] = _unit_axis(domain=domain, anchor=f"y{suffix}")
        layout[f"yaxis{suffix}"] = _counts_axis(max(each.counts), anchor=f"x{suffix}")
        layout["annotations"].append(
            _label(f"<b>{name}</b>", domain[0], 1.16, SCREEN_COLOURS[name], size=13)
        )
    return data, layout


def threshold(found: Histogram, name: str, limit: float | None) -> tuple[Data, Layout]:
    """Histogram of one score; what is at or below the limit is coloured."""
    bars = _bars(found, SCREEN_COLOURS[name])
    middles = bars["x"]
    if limit is not None:
        bars["marker"]["color"] = [LOW if x <= limit else SCREEN_COLOURS[name] for x in middles]
    counts = _counts_axis(max(found.counts), title="videos")
    layout = _layout(x=_unit_axis(title=name), y=counts, top=24)
    layout["bargap"] = 0.05
    layout["height"] = 190
    layout["shapes"] = [] if limit is None else [_line("x", limit, LOW, "solid")]
    layout["annotations"] = [
        _label(word, (i + 0.5) / len(GRADES), 1.14, INK, anchor="center")
        for i, word in enumerate(GRADES)
    ]
    return [bars], layout


def scatter(found: Points, active: str | None = None) -> tuple[Data, Layout]:
    """Technical against aesthetic scores, coloured by overall; dotted lines between grades.

    Args:
        found: samples or cells.
        active: id of the sample that is marked.
    """
    sizes: Any = 9
    if found.counts is not None:
        most = max(found.counts)
        spread = MAX_SIZE - MIN_SIZE
        sizes = [MIN_SIZE + spread * (count / most) ** 0.5 for count in found.counts]
    dots = {
        "type": "scattergl" if len(found.ids) > 500 else "scatter",
        "mode": "markers",
        "x": list(found.technical),
        "y": list(found.aesthetic),
        "ids": list(found.ids),
        "text": [
            f"{name}<br>overall {score:.3f}, {grade(score)}"
            for name, score in zip(found.names, found.overall, strict=True)
        ],
        "marker": {
            "color": list(found.overall),
            "colorscale": SCALE,
            "cmin": 0,
            "cmax": 1,
            "showscale": True,
            "size": sizes,
            "line": {"width": 0.5, "color": INK},
            "colorbar": {
                "title": {"text": "overall", "side": "right", "font": {"color": INK}},
                "thickness": 10,
                "outlinewidth": 0,
                "tickfont": {"color": INK},
                "tickvals": [0, *LIMITS, 1],
            },
        },
        "hovertemplate": "%{text}<br>technical %{x:.3f}<br>aesthetic %{y:.3f}<extra></extra>",
        "name": "videos",
    }
    data = [dots]
    if active in found.ids:
        at = found.ids.index(active)
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [found.technical[at]],
                "y": [found.aesthetic[at]],
                "ids": [active],
                "marker": {
                    "size": 17,
                    "color": "rgba(0,0,0,0)",
                    "line": {"width": 3, "color": MARK},
                },
                "hoverinfo": "skip",
                "name": "active",
            }
        )
    x, y = _padded(found.technical), _padded(found.aesthetic)
    layout = _layout(
        x=_axis(title="technical", range=x), y=_axis(title="aesthetic", range=y), top=30
    )
    layout["dragmode"] = "lasso"
    layout["modebar"] = {"bgcolor": "rgba(0,0,0,0)", "color": INK, "activecolor": MARK}
    layout["shapes"] = [
        _line(axis, at, INK, "dot")
        for axis, (low, high) in (("x", x), ("y", y))
        for at in LIMITS
        if low < at < high
    ]
    return data, layout


def timeline(found: Timeline) -> tuple[Data, Layout]:
    """The scores as steps over time, on a fixed axis."""
    data = [
        {
            "type": "scatter",
            "mode": "lines",
            "line": {
                "shape": "hv",
                "color": SCREEN_COLOURS[name],
                "width": 3 if name == SCORES[0] else 2,
            },
            "x": [*found.starts, found.end],
            "y": [*values, values[-1]],
            "name": name,
            "hovertemplate": "%{y:.3f}",
        }
        for name, values in found.scores.items()
    ]
    layout = _layout(
        x=_axis(title=f"{found.title}, {found.unit}", range=[0, found.end]),
        y=_unit_axis(title="score"),
        top=28,
    )
    layout["hovermode"] = "x unified"
    layout["dragmode"] = False
    layout["showlegend"] = True
    layout["legend"] = {"orientation": "h", "x": 0, "y": 1.22, "font": {"color": INK}}
    return data, layout


def _bars(found: Histogram, colour: str) -> dict[str, Any]:
    edges = found.edges
    return {
        "type": "bar",
        "x": [(a + b) / 2 for a, b in itertools.pairwise(edges)],
        "y": list(found.counts),
        "ids": [str(bar) for bar in range(len(found.counts))],
        "width": edges[1] - edges[0],
        "marker": {"color": colour, "line": {"width": 0}},
        "hovertemplate": "around %{x:.3f}: %{y:,}<extra></extra>",
    }


def _padded(values: tuple[float, ...]) -> list[float]:
    """Axis limits in multiples of 0.05, with a margin on both sides of the values."""
    low, high = min(values) - 0.03, max(values) + 0.03
    return [max(int(low * 20) / 20, -0.02), min(int(high * 20 + 1) / 20, 1.02)]


def _line(axis: str, at: float, colour: str, dash: str) -> dict[str, Any]:
    """A line across the plot at a value of one axis."""
    other = "y" if axis == "x" else "x"
    return {
        "type": "line",
        "line": {"color": colour, "width": 1 if dash == "dot" else 2, "dash": dash},
        "layer": "below" if dash == "dot" else "above",
        f"{axis}0": at,
        f"{axis}1": at,
        f"{other}ref": "paper",
        f"{other}0": 0,
        f"{other}1": 1,
    }


def _label(
    text: str, x: float, y: float, colour: str, *, anchor: str = "left", size: int = 11
) -> dict[str, Any]:
    return {
        "text": text,
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
        "x": x,
        "y": y,
        "xanchor": anchor,
        "yanchor": "top",
        "font": {"size": size, "color": colour},
    }


def _layout(*, x: dict[str, Any], y: dict[str, Any], top: int = 30) -> Layout:
    return {
        "xaxis": x,
        "yaxis": y,
        "margin": {"l": 44, "r": 12, "t": top, "b": 36, "pad": 2},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": INK, "size": 12},
        "showlegend": False,
    }


def _unit_axis(title: str | None = None, **more: Any) -> dict[str, Any]:
    """An axis from 0 to 1 with ticks between the grades."""
    return _axis(title=title, range=[0, 1], tickvals=[0, *LIMITS, 1], **more)


def _counts_axis(most: int, title: str | None = None, **more: Any) -> dict[str, Any]:
    """An axis of whole numbers from 0 to ``most``."""
    ticks = {"dtick": 1} if most < 4 else {"nticks": 4}
    return _axis(title=title, rangemode="tozero", tickformat=",d", **ticks, **more)


def _axis(title: str | None = None, **more: Any) -> dict[str, Any]:
    axis = {"gridcolor": FAINT, "zeroline": False, "color": INK, "automargin": True, **more}
    return {**axis, "title": {"text": title, "font": {"size": 12}}} if title else axis
