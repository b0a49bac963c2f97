"""Interactive Plotly figures; text and background colours follow the page."""

from collections.abc import Sequence
from html import escape
from typing import Any

from dover_plugin.analysis.comparison import Comparison
from dover_plugin.analysis.timeline import Timeline
from dover_plugin.reporting.html.frames import moment
from dover_plugin.reporting.html.page import Figure
from dover_plugin.reporting.style import SCREEN_COLOURS
from dover_plugin.scores import Scores
from dover_plugin.text import name_of

MEGABIT = 1e6


def over_time(found: Timeline) -> Figure:
    """The main score as bars, the others as steps."""
    parts = found.segments
    main, *others = found.present
    rate = found.info.fps or 1.0
    starts = [part.segment.start / rate for part in parts]
    ends = [
        *starts[1:],
        parts[-1].segment.end / rate,
    ]  # of overlapping segments the later one is shown
    hover = [
        "<br>".join([moment(part), *(f"{s} {getattr(part.scores, s):.3f}" for s in found.present)])
        for part in parts
    ]
    bars = {
        "type": "bar",
        "name": main,
        "x": [(a + b) / 2 for a, b in zip(starts, ends, strict=True)],
        "y": [getattr(part.scores, main) for part in parts],
        "width": [b - a for a, b in zip(starts, ends, strict=True)],
        "marker": {"color": SCREEN_COLOURS[main], "opacity": 0.55},
        "hovertext": hover,
        "hoverinfo": "text",
    }
    lines = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": score,
            "x": [*starts, ends[-1]],
            "y": [*(values := [getattr(p.scores, score) for p in parts]), values[-1]],
            "line": {"shape": "hv", "color": SCREEN_COLOURS[score], "width": 2},
            "hoverinfo": "skip",
        }
        for score in others
    ]
    low = found.summary().p5
    return Figure(
        "Over time",
        f"Each bar is a segment; click one to find it in the table. 5 % of segments "
        f"score lower than {low:.3f}.",
        [bars, *lines],
        {
            "xaxis": _seconds_axis(ends[-1]) if found.info.fps else {"title": {"text": "frame"}},
            "yaxis": {"range": [0, 1], "title": {"text": "score"}},
            "bargap": 0,
        },
        rows=True,
    )


def scatter(good: Sequence[Scores]) -> Figure:
    """Technical against aesthetic, coloured by overall; all three are needed."""
    points = {
        "type": "scatter",
        "mode": "markers",
        "x": [each.technical for each in good],
        "y": [each.aesthetic for each in good],
        "text": [escape(name_of(each.path)) for each in good],
        "hovertemplate": "%{text}<br>technical %{x:.3f}<br>aesthetic %{y:.3f}<extra></extra>",
        "marker": {
            "color": [each.overall for each in good],
            "colorscale": "Cividis",
            "cmin": 0,
            "cmax": 1,
            "size": 10,
            "showscale": True,
            "colorbar": {"title": {"text": "overall"}, "thickness": 12},
        },
    }
    return Figure(
        "Technical and aesthetic",
        "Each point is a video; click one to find it in the table.",
        [points],
        {
            "xaxis": {"range": [0, 1], "title": {"text": "technical"}},
            "yaxis": {"range": [0, 1], "title": {"text": "aesthetic"}},
        },
        rows=True,
    )


def differences(found: Sequence[Comparison]) -> Figure:
    """Difference of each transcode over time."""
    traces: list[dict[str, Any]] = []
    last = 0.0
    for each in found:
        parts = [pair.before for pair in each.pairs]
        last = max(last, parts[-1].end_seconds or 0.0)
        values = [pair.main for pair in each.pairs]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": escape(name_of(each.after.info.path)),
                "x": [*((p.start_seconds or 0.0) for p in parts), parts[-1].end_seconds or 0.0],
                "y": [*values, values[-1]],
                "line": {"shape": "hv", "width": 2},
                "hovertemplate": "%{y:+.3f}",
            }
        )
    return Figure(
        "Difference over time",
        f"{found[0].before.present[0].capitalize()} score of each transcode minus that of the "
        "source, per segment.",
        traces,
        {
            "xaxis": _seconds_axis(last),
            "yaxis": {"title": {"text": "after - before"}},
            "hovermode": "x unified",
        },
    )


def ladder(found: Sequence[Comparison], bend: Comparison | None) -> Figure:
    """Quality against bitrate, with the knee."""
    steps = sorted((each for each in found if each.bitrate), key=lambda each: each.bitrate or 0)
    changes = [each.main for each in steps]
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines+markers+text",
            "name": "transcodes",
            "x": [(each.bitrate or 0) / MEGABIT for each in steps],
            "y": [change.difference for change in changes],
            "text": [escape(name_of(each.after.info.path)) for each in steps],
            "textposition": "bottom center",
            "cliponaxis": False,
            "line": {"color": SCREEN_COLOURS["technical"], "width": 2},
            "error_y": {
                "type": "data",
                "symmetric": False,
                "array": [
                    (c.high if c.high is not None else c.difference) - c.difference for c in changes
                ],
                "arrayminus": [
                    c.difference - (c.low if c.low is not None else c.difference) for c in changes
                ],
                "thickness": 1,
            },
            "hovertemplate": "%{text}<br>%{x:.2f} Mbit/s<br>%{y:+.3f}<extra></extra>",
        }
    ]
    if bend and bend.bitrate:
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "knee",
                "x": [bend.bitrate / MEGABIT],
                "y": [bend.main.difference],
                "marker": {
                    "size": 18,
                    "symbol": "circle-open",
                    "color": SCREEN_COLOURS["aesthetic"],
                    "line": {"width": 3},
                },
                "hoverinfo": "skip",
            }
        )
    return Figure(
        "Quality against bitrate",
        "Bitrates include all streams of the file."
        + (" Beyond the knee, more of them bring little." if bend else ""),
        traces,
        {
            "xaxis": {"type": "log", "title": {"text": "Mbit/s"}},
            "yaxis": {"title": {"text": "after - before"}},
        },
    )


def _seconds_axis(last: float) -> dict[str, Any]:
    """Tick marks such as 0:05 or 1:02:30."""
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
    step = next((each for each in steps if last / each <= 8), steps[-1])
    marks = [i * step for i in range(int(last // step) + 1)]
    return {
        "range": [0, last],
        "tickvals": marks,
        "ticktext": [_clock(mark) for mark in marks],
        "hoverformat": ".1f",
    }


def _clock(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
