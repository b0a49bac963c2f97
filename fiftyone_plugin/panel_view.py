"""What the panel "Video quality" shows, from its state; every part of the state may be missing."""

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import fiftyone.operators.types as types

from fiftyone_plugin.install import PLUGIN
from fiftyone_plugin.plots import STILL
from fiftyone_plugin.runs import RunState
from fiftyone_plugin.statistics import Counts

if TYPE_CHECKING:
    from fiftyone_plugin.panel import VideoQuality

TICK, SLOW_TICK = 1500, 4000  # milliseconds between looks at the run
TOOLS = {
    "scrollZoom": False,
    "displaylogo": False,
    "modeBarButtonsToRemove": ["toImage", "zoom2d", "zoomIn2d", "zoomOut2d", "autoScale2d"],
}
SHOWN_FAILURES = 3
SHOW = {  # buttons that narrow the view, by the count that they need
    "failed": "Show failed",
    "unscored": "Show not scored",
    "warned": "Show warnings",
}
WRAP = {"componentsProps": {"grid": {"sx": {"display": "flex", "flexWrap": "wrap"}}}}
NARROW = {"componentsProps": {"item": {"sx": {"width": "auto"}}}}  # items fill a row otherwise


def run_row(run: RunState | None) -> dict[str, Any] | None:
    """What the panel shows of a run, JSON-ready; equal rows look the same."""
    if run is None:
        return None
    failures = run.summary.failures if run.summary else []
    return {
        "key": run.key,
        "words": run.in_words(),
        "active": run.active,
        "cancelling": run.cancelling,
        "severity": run.severity,
        "failures": [
            error.partition(". ")[0].replace(path, PurePath(path).name)
            for path, error in failures[:SHOWN_FAILURES]
        ],
    }


def counts_in_words(found: Counts) -> str:
    """Markdown line of the counts."""
    parts = [f"**{found.scored:,}** scored"]
    if found.failed:
        parts.append(f"**{found.failed:,}** failed")
    if found.unscored:
        parts.append(f"**{found.unscored:,}** not scored")
    if found.warned:
        parts.append(f"**{found.warned:,}** with warnings")
    return " · ".join(parts)


def render(panel: "VideoQuality", state: Any, is_sample_open: bool) -> types.Property:
    """The panel, from top to bottom.

    Args:
        panel: whose methods the buttons and plots call.
        state: state of the panel.
        is_sample_open: whether a sample is open, whose timeline then comes first.
    """
    column = types.Object()
    interval = TICK if state.running else SLOW_TICK
    column.view("timer", types.TimerView(interval=interval, on_interval=panel.on_tick))
    _run(column, panel, state)
    if state.problem:
        column.message("problem", state.problem)
        if not state.running:
            _button(column, "score", "Score video quality", "score_videos", variant="contained")
        return _as_column(column)
    if state.fields is None:  # an event came before the panel was loaded
        column.md("Loading", name="loading")
        return _as_column(column)
    parts = [_dataset, _timeline]
    for part in reversed(parts) if is_sample_open else parts:
        part(column, panel, state)
    return _as_column(column)


def _run(column: types.Object, panel: "VideoQuality", state: Any) -> None:
    run = state.run
    if not run:
        return
    if run["active"]:
        column.define_property(
            "progress", types.Number(float=True), view=types.ProgressView(label=run["words"])
        )
        column.btn(
            "cancel",
            label="Stopping" if run["cancelling"] else "Cancel",
            on_click=panel.on_cancel,
            variant="outlined",
            disabled=run["cancelling"],
        )
    elif run["key"] != state.dismissed:
        view = types.AlertView(
            severity=run["severity"],
            label=f"Last run: {run['words']}",
            description=". ".join(run["failures"]),
        )
        column.view("result", view)
        column.btn("dismiss", label="Dismiss", on_click=panel.on_dismiss)


def _dataset(column: types.Object, panel: "VideoQuality", state: Any) -> None:
    if len(state.fields) > 1:
        view = types.DropdownView()
        for name in state.fields:
            view.add_choice(name, label=name)
        column.enum("field", state.fields, default=state.field, view=view, on_change=panel.on_field)
    column.md(state.summary or "", name="summary")
    rows = [column.btn_group(f"actions{i}", **WRAP) for i in range(2)]
    if state.base:
        rows[0].btn(
            "back", label="Back to all", on_click=panel.on_back, variant="contained", **NARROW
        )
    if state.bars_layout:
        rows[0].btn(
            "worst", label="Worst first", on_click=panel.on_worst, variant="outlined", **NARROW
        )
    for name in state.buttons or []:
        _action(rows[0], name, SHOW[name], getattr(panel, f"on_{name}"))
    if not state.running:
        _button(rows[0], "score", "Score", "score_videos")
        _button(rows[1], "distortions", "Find distortions", "find_distortions")
    if state.has_distortions:
        _button(rows[1], "tag_distortions", "Tag distortions", "tag_distortions")
    if state.bars_layout:
        _button(rows[1], "tag", "Tag the lowest", "tag_low_quality")
        _button(rows[1], "compare", "Compare", "compare_transcodes")
        _button(rows[1], "explain", "Explain", "explain")
    if state.bars_layout:
        column.plot(
            "bars", layout=state.bars_layout, config=STILL, **_height(170), on_click=panel.on_bar
        )
    if state.scatter_layout:
        column.plot(
            "scatter",
            layout=state.scatter_layout,
            config=TOOLS,
            **_height(400),
            on_click=panel.on_point,
            on_selected=panel.on_lasso,
        )


def _timeline(column: types.Object, panel: "VideoQuality", state: Any) -> None:
    del panel
    if state.timeline_layout:
        column.plot("timeline", layout=state.timeline_layout, config=STILL, **_height(240))
    else:
        column.md("*Open a video with scored segments to see its timeline.*", name="no_timeline")


def _button(
    parent: types.Object, name: str, label: str, operator: str, variant: str = "outlined"
) -> None:
    """A button that opens the form of an operator."""
    _action(parent, name, label, f"{PLUGIN}/{operator}", variant=variant, prompt=True)


def _action(
    parent: types.Object,
    name: str,
    label: str,
    on_click: Any,
    *,
    variant: str = "outlined",
    prompt: bool = False,
) -> None:
    """A button that is as wide as its label."""
    parent.btn(name, label=label, on_click=on_click, prompt=prompt, variant=variant, **NARROW)


def _as_column(column: types.Object) -> types.Property:
    view = types.GridView(orientation="vertical", columns=1, gap=2, pad=2)
    return types.Property(column, view=view)


def _height(pixels: int) -> dict[str, Any]:
    """A container of fixed height for a plot."""
    return {"componentsProps": {"item": {"sx": {"height": f"{pixels}px", "width": "100%"}}}}
