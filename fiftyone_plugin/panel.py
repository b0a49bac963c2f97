"""The panel "Video quality": distribution of the scores, and the best and worst videos."""

import json
from hashlib import sha256
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone import ViewField as F
from fiftyone.core.collections import SampleCollection

from dover_plugin.errors import DoverError, SettingsError
from dover_plugin.scores import SCORES
from fiftyone_plugin import plots, statistics
from fiftyone_plugin.fields import failed, score_fields, unscored
from fiftyone_plugin.operators import forms
from fiftyone_plugin.scoring import videos

CLICKED = 100  # maximum number of samples that a click on a cell selects
STILL = {"displayModeBar": False, "scrollZoom": False}
TOOLS = {
    "scrollZoom": False,
    "modeBarButtonsToRemove": ["toImage", "zoom2d", "zoomIn2d", "zoomOut2d", "autoScale2d"],
}
NO_TIMELINE = "Open or select one video with scored segments to see its timeline."
HELP = """
Click a point to select the video; draw a lasso to see only these videos. Dotted lines mark the
thirds of the videos. Open a video, or select one, to see its segments over time.
"""


class VideoQuality(foo.Panel):  # type: ignore[misc]
    """Histograms, technical against aesthetic scores, and the timeline of the current sample."""

    @property
    def config(self) -> foo.PanelConfig:
        """Name, label and surfaces."""
        return foo.PanelConfig(
            name="video_quality",
            label="Video quality",
            icon=forms.ICON,
            surfaces="grid modal",
            help_markdown=HELP,
        )

    def on_load(self, ctx: Any) -> None:
        """Select the first field of scores."""
        self._refresh(ctx)
        self._show_timeline(ctx)

    def on_change_view(self, ctx: Any) -> None:
        """Update for a new view, unless the panel itself narrowed it.

        The App also calls this when nothing has changed, and again whenever this changes a state.
        """
        shown = _fingerprint(ctx.view)
        if shown in (ctx.panel.state.shown, ctx.panel.state.narrowed):
            return
        ctx.panel.state.base = None
        self._refresh(ctx)

    def on_change_dataset(self, ctx: Any) -> None:
        """Reset the state for another dataset."""
        ctx.panel.state.base = None
        self.on_load(ctx)

    def on_change_current_sample(self, ctx: Any) -> None:
        """Show the segments of the open sample."""
        self._show_timeline(ctx)

    def on_change_selected(self, ctx: Any) -> None:
        """Show the segments of the selected sample."""
        self._show_timeline(ctx)

    def on_field(self, ctx: Any) -> None:
        """Show another field."""
        ctx.panel.state.field = ctx.params["value"]
        self._refresh(ctx)
        self._show_timeline(ctx)

    def on_point(self, ctx: Any) -> None:
        """Select the clicked sample, or the samples of the clicked cell."""
        clicked = ctx.params.get("id")
        if clicked is None:
            return
        ids = [clicked]
        if ctx.panel.state.cells:
            cell = statistics.in_cells(_samples(ctx), ctx.panel.state.field, ids)
            ids = cell.limit(CLICKED).values("id")
        ctx.ops.set_selected_samples(ids)

    def on_lasso(self, ctx: Any) -> None:
        """Narrow the view to the samples inside the lasso."""
        ids = [point["id"] for point in ctx.params.get("data") or [] if point.get("id")]
        if ids:
            base = _samples(ctx)
            inside = (
                statistics.in_cells(base, ctx.panel.state.field, ids)
                if ctx.panel.state.cells
                else base.select(ids)
            )
            self._narrow(ctx, inside)

    def on_bar(self, ctx: Any) -> None:
        """Narrow the view to the samples of a bar."""
        bar, trace = ctx.params.get("idx"), ctx.params.get("trace_idx")
        if bar is None or trace is None:
            return
        name = SCORES[trace]
        edges = ctx.panel.state.edges[name]
        low, high = edges[bar], edges[bar + 1]
        score = F(f"{ctx.panel.state.field}.{name}")
        self._narrow(ctx, _samples(ctx).match((score >= low) & (score < high)))

    def on_refresh(self, ctx: Any) -> None:
        """Reload statistics from the database."""
        self.on_load(ctx)

    def on_failed(self, ctx: Any) -> None:
        """Narrow the view to failed samples."""
        self._narrow(ctx, failed(_samples(ctx), ctx.panel.state.field))

    def on_unscored(self, ctx: Any) -> None:
        """Narrow the view to samples that were not scored yet."""
        field = ctx.panel.state.field
        untried = unscored(_samples(ctx), field).match(F(f"{field}.error") == None)  # noqa: E711
        self._narrow(ctx, untried)

    def on_back(self, ctx: Any) -> None:
        """Restore the view before it was narrowed."""
        base = _base(ctx)
        if base is not None:
            ctx.panel.state.base = None
            ctx.ops.set_view(view=base)

    def on_score(self, ctx: Any) -> None:
        """Open the form of score_videos."""
        ctx.prompt("@dover/quality/score_videos")

    def render(self, ctx: Any) -> types.Property:
        """Render the last statistics."""
        panel = types.Object()
        state = ctx.panel.state
        if state.problem:
            panel.message("problem", state.problem)
            panel.btn("score", label="Score video quality", on_click=self.on_score)
            return _column(panel)
        # Both are always there: the App does not always tell when a sample is closed.
        parts = (self._render_dataset, self._render_timeline)
        for part in parts if ctx.current_sample is None else reversed(parts):
            part(panel, state)
        return _column(panel)

    def _render_timeline(self, panel: types.Object, state: Any) -> None:
        if state.timeline:
            panel.plot("timeline", layout=state.timeline, config=STILL, **_height(240))
        else:
            panel.md(f"*{NO_TIMELINE}*", name="no_timeline")

    def _render_dataset(self, panel: types.Object, state: Any) -> None:
        if len(state.fields) > 1:
            view = types.DropdownView()
            for name in state.fields:
                view.add_choice(name, label=name)
            panel.enum(
                "field", state.fields, default=state.field, view=view, on_change=self.on_field
            )
        panel.md(state.summary, name="summary")
        buttons = panel.btn_group("buttons")
        for name, label, action in (
            ("back", "Back to all", self.on_back),
            ("failed", "Show failed", self.on_failed),
            ("unscored", "Show unscored", self.on_unscored),
            ("refresh", "Refresh", self.on_refresh),
        ):
            if name == "refresh" or name in state.buttons or (name == "back" and state.base):
                buttons.btn(name, label=label, on_click=action, variant="outlined")
        if not state.scatter:
            return
        panel.plot(
            "bars",
            layout=state.bars,
            config=STILL,
            **_height(170),
            on_click=self.on_bar,
        )
        panel.plot(
            "scatter",
            layout=state.scatter,
            config=TOOLS,
            **_height(400),
            on_click=self.on_point,
            on_selected=self.on_lasso,
        )

    def _refresh(self, ctx: Any) -> None:
        """Compute the statistics of the view."""
        self._compute(ctx)
        ctx.panel.state.shown = _fingerprint(ctx.view)

    def _compute(self, ctx: Any) -> None:
        state = ctx.panel.state
        state.fields, state.problem = score_fields(ctx.dataset), None
        if state.field not in state.fields:  # also if the App calls this before on_load
            state.field = next(iter(state.fields), None)
        field = state.field
        try:
            if field is None:
                raise SettingsError("This dataset has no scores yet")
            samples = _samples(ctx)
        except DoverError as error:
            state.problem = str(error)
            return
        found = statistics.counts(samples, field)
        state.summary = (
            f"**{found.scored:,}** scored · **{found.failed:,}** failed · "
            f"**{found.unscored:,}** not scored"
        )
        state.buttons = [name for name in ("failed", "unscored") if getattr(found, name)]
        state.scatter = None
        if not found.scored:
            return
        histograms = statistics.histograms(samples, field)
        state.edges = {name: list(each.edges) for name, each in histograms.items()}
        ctx.panel.data.bars, state.bars = plots.histograms(histograms)
        points = statistics.points(samples, field)
        dots, state.scatter = plots.scatter(points, statistics.thirds(samples, field))
        state.cells = points.counts is not None
        ctx.panel.data.scatter = dots

    def _show_timeline(self, ctx: Any) -> None:
        state = ctx.panel.state
        selected = ctx.selected or []
        sample = ctx.current_sample or (selected[0] if len(selected) == 1 else None)
        found = None
        if sample is not None and state.field:
            found = statistics.timeline(ctx.dataset, sample, state.field)
        if found is None:
            state.timeline = None
            return
        ctx.panel.data.timeline, state.timeline = plots.timeline(found)

    def _narrow(self, ctx: Any, view: fo.DatasetView) -> None:
        """Narrow the view; the panel keeps its statistics."""
        if not ctx.panel.state.base:
            ctx.panel.state.base = {"stages": ctx.view._serialize()}
        ctx.panel.state.narrowed = _fingerprint(view)
        ctx.ops.set_view(view=view)


def _samples(ctx: Any) -> SampleCollection:
    """Samples of the panel: the view, or the view before the panel narrowed it."""
    base = _base(ctx)
    return videos(ctx.view if base is None else base)


def _base(ctx: Any) -> fo.DatasetView | None:
    base = ctx.panel.state.base
    return fo.DatasetView._build(ctx.dataset, base["stages"]) if base else None


def _fingerprint(view: SampleCollection) -> str:
    """Key that is equal for views with equal stages."""
    stages = [{k: v for k, v in stage.items() if k != "_uuid"} for stage in view._serialize()]
    return sha256(json.dumps(stages, default=str).encode()).hexdigest()


def _column(panel: types.Object) -> types.Property:
    view = types.GridView(orientation="vertical", columns=1, gap=2, pad=2)
    return types.Property(panel, view=view)


def _height(pixels: int) -> dict[str, Any]:
    """A container of fixed height for a plot."""
    return {"componentsProps": {"item": {"sx": {"height": f"{pixels}px", "width": "100%"}}}}
