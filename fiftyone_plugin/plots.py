"""The panel's statistics as Plotly figures, readable on light and on dark."""

import itertools
from typing import Any

from dover_plugin.reporting.style import SCREEN_COLOURS
from dover_plugin.scores import SCORES
from fiftyone_plugin.statistics import Histogram, Points, Timeline

INK = "#8a8f98"  # text and lines, on light and dark backgrounds
FAINT = "rgba(138,143,152,0.25)"
SCALE = [
    [0, "#a6509e"],
    [0.5, "#b5b5b5"],
    [1, "#3f9b4f"],
]  # readable with a colour vision deficiency
GAP = 0.1  # between histograms, as a share of the width
MIN_SIZE, MAX_SIZE = 6, 22  # of cells, in pixels

type Data = list[dict[str, Any]]
type Layout = dict[str, Any]


def histograms(found: dict[str, Histogram]) -> tuple[Data, Layout]:
    """Bars of each score, side by side; traces are in the order of the scores."""
    layout = _layout(x={}, y={}, top=28)
    layout["bargap"] = 0.05
    layout["annotations"] = []
    data = []
    for i, (name, each) in enumerate(found.items()):
        edges, suffix = each.edges, str(i + 1) if i else ""
        left = i * (1 + GAP) / len(found)
        domain = [left, left + (1 - GAP * (len(found) - 1)) / len(found)]
        data.append(
            {
                "type": "bar",
                "x": [(a + b) / 2 for a, b in itertools.pairwise(edges)],
                "y": list(each.counts),
                "ids": [str(bar) for bar in range(len(each.counts))],
                "width": edges[1] - edges[0],
                "marker": {"color": SCREEN_COLOURS[name], "line": {"width": 0}},
                "hovertemplate": "around %{x:.3f}: %{y:,}<extra></extra>",
                "name": name,
                "xaxis": f"x{suffix}",
                "yaxis": f"y{suffix}",
            }
        )
        limits = [edges[0], edges[-1]]
        layout[f"xaxis{suffix}"] = _axis(range=limits, domain=domain, nticks=5, anchor=f"y{suffix}")
        layout[f"yaxis{suffix}"] = _axis(rangemode="tozero", nticks=4, anchor=f"x{suffix}")
        layout["annotations"].append(
            {
                "text": f"<b>{name}</b>",
                "showarrow": False,
                "xref": "paper",
                "yref": "paper",
                "x": domain[0],
                "y": 1.16,
                "xanchor": "left",
                "yanchor": "top",
                "font": {"size": 13, "color": SCREEN_COLOURS[name]},
            }
        )
    return data, layout


def scatter(found: Points, thirds: dict[str, tuple[float, float]]) -> tuple[Data, Layout]:
    """Technical against aesthetic scores, coloured by overall; thirds as dotted lines."""
    sizes: Any = 8
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
        "text": list(found.names),
        "marker": {
            "color": list(found.overall),
            "colorscale": SCALE,
            "showscale": True,
            "size": sizes,
            "line": {"width": 0.5, "color": INK},
            "colorbar": {
                "title": {"text": "overall", "side": "right"},
                "thickness": 10,
                "outlinewidth": 0,
                "tickfont": {"color": INK},
            },
        },
        "hovertemplate": "%{text}<br>technical %{x:.3f}<br>aesthetic %{y:.3f}"
        "<br>overall %{marker.color:.3f}<extra></extra>",
        "name": "videos",
    }
    layout = _layout(x=_axis(title="technical"), y=_axis(title="aesthetic"), top=30)
    layout["dragmode"] = "lasso"
    dotted = {"type": "line", "line": {"color": INK, "width": 1, "dash": "dot"}, "layer": "below"}
    layout["shapes"] = [
        {**dotted, "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1}
        for at in thirds["technical"]
    ] + [
        {**dotted, "y0": at, "y1": at, "xref": "paper", "x0": 0, "x1": 1}
        for at in thirds["aesthetic"]
    ]
    return [dots], layout


def timeline(found: Timeline) -> tuple[Data, Layout]:
    """The three scores as steps over time."""
    data = [
        {
            "type": "scatter",
            "mode": "lines",
            "line": {"shape": "hv", "color": SCREEN_COLOURS[name], "width": 3 if i == 0 else 2},
            "x": [*found.starts, found.end],
            "y": [*found.scores[name], found.scores[name][-1]],
            "name": name,
            "hovertemplate": "%{y:.3f}",
        }
        for i, name in enumerate(SCORES)
    ]
    layout = _layout(x=_axis(title=found.unit), y=_axis(title="score"), top=28)
    layout["hovermode"] = "x unified"
    layout["showlegend"] = True
    layout["legend"] = {"orientation": "h", "x": 0, "y": 1.2, "font": {"color": INK}}
    return data, layout


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


def _axis(title: str | None = None, **more: Any) -> dict[str, Any]:
    axis = {"gridcolor": FAINT, "zeroline": False, "color": INK, "automargin": True, **more}
    return {**axis, "title": {"text": title, "font": {"size": 12}}} if title else axis
