"""The panel "Video quality": events. What it shows is in panel_view."""

import json
from hashlib import sha256
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone import ViewField as F
from fiftyone.core.collections import SampleCollection
from fiftyone.operators.categories import Categories

from dover_plugin.errors import DoverError, SettingsError
from fiftyone_plugin import panel_view, plots, runs, statistics
from fiftyone_plugin.distortions import distortion_fields
from fiftyone_plugin.fields import failed, score_fields, scored, unscored, warned
from fiftyone_plugin.operators import forms
from fiftyone_plugin.operators.refresh import show_fields
from fiftyone_plugin.targets import scorable

HELP = """
Click a point to open the video; draw a lasso or click a bar to see only these videos, worst first.
Dotted lines separate the five grades. Open a video, or select one, to see its segments over time.
"""


class VideoQuality(foo.Panel):  # type: ignore[misc]
    """Run, counts, histograms, technical against aesthetic scores, and a timeline."""

    @property
    def config(self) -> foo.PanelConfig:
        """Name, label and surfaces."""
        return foo.PanelConfig(
            name="video_quality",
            label="Video quality",
            **forms.ICONS,
            surfaces="grid modal",
            help_markdown=HELP,
            category=Categories.ANALYZE,
        )

    def execute(self, ctx: Any) -> Any:
        """Run an event; a tick without news renders nothing."""
        if ctx.params.get("__method__") == "on_tick" and not self._has_news(ctx):
            return None
        return super().execute(ctx)

    def render(self, ctx: Any) -> types.Property:
        """Render the last statistics."""
        return panel_view.render(self, ctx.panel.state, ctx.current_sample is not None)

    def on_load(self, ctx: Any) -> None:
        """Select the first field of scores."""
        self._refresh(ctx)
        self._activate(ctx)

    def on_tick(self, ctx: Any) -> None:
        """Follow a run, and what any operator has changed, also in another tab."""
        state = ctx.panel.state
        was_active, run = state.running, runs.latest(ctx.dataset)
        if runs.change(ctx.dataset) != state.change:
            self._refresh(ctx)
        else:
            self._show_run(ctx, run)
        if was_active and run is not None and not run.active:
            ctx.ops.notify(run.in_words(), variant=run.severity)
            show_fields(ctx, run.field)

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
        """Mark the open sample and show its segments."""
        self._activate(ctx)

    def on_change_selected(self, ctx: Any) -> None:
        """Mark the selected sample and show its segments."""
        self._activate(ctx)

    def on_field(self, ctx: Any) -> None:
        """Show another field."""
        ctx.panel.state.field = ctx.params["value"]
        self._refresh(ctx)
        self._activate(ctx)

    def on_point(self, ctx: Any) -> None:
        """Open the clicked sample, or narrow the view to the samples of the clicked cell."""
        clicked = ctx.params.get("id")
        if clicked is None or not ctx.panel.state.scatter_layout:
            return
        if ctx.panel.state.cells:
            self._narrow(ctx, statistics.in_cells(_samples(ctx), ctx.panel.state.field, [clicked]))
            return
        self._activate(ctx, clicked)
        _open(ctx, clicked)

    def on_lasso(self, ctx: Any) -> None:
        """Narrow the view to the samples inside the lasso."""
        ids = [point["id"] for point in ctx.params.get("data") or [] if point.get("id")]
        if not ids or not ctx.panel.state.scatter_layout:
            return
        base = _samples(ctx)
        cells = ctx.panel.state.cells
        inside = (
            statistics.in_cells(base, ctx.panel.state.field, ids) if cells else base.select(ids)
        )
        self._narrow(ctx, inside)

    def on_bar(self, ctx: Any) -> None:
        """Narrow the view to the samples of a bar."""
        bar, trace = ctx.params.get("idx"), ctx.params.get("trace_idx")
        edges = ctx.panel.state.edges
        if bar is None or trace is None or not edges:
            return
        name = list(edges)[trace]
        low, high = edges[name][bar], edges[name][bar + 1]
        score = F(f"{ctx.panel.state.field}.{name}")
        self._narrow(ctx, _samples(ctx).match((score >= low) & (score < high)), by=name)

    def on_worst(self, ctx: Any) -> None:
        """Show all scored samples, worst first."""
        state = ctx.panel.state
        by = "overall" if not state.edges or "overall" in state.edges else next(iter(state.edges))
        self._narrow(ctx, scored(_samples(ctx), state.field), by=by)

    def on_failed(self, ctx: Any) -> None:
        """Narrow the view to failed samples."""
        self._narrow(ctx, failed(_samples(ctx), ctx.panel.state.field), by=None)

    def on_warned(self, ctx: Any) -> None:
        """Narrow the view to samples with warnings, and show the warnings on the thumbnails."""
        field = ctx.panel.state.field
        self._narrow(ctx, warned(_samples(ctx), field), by=None)
        shown = ctx.active_fields or []
        ctx.ops.set_active_fields([*shown, *{f"{field}.warnings"}.difference(shown)])

    def on_unscored(self, ctx: Any) -> None:
        """Narrow the view to samples that were not scored yet."""
        field = ctx.panel.state.field
        untried = unscored(_samples(ctx), field).match(F(f"{field}.error") == None)  # noqa: E711
        self._narrow(ctx, untried, by=None)

    def on_back(self, ctx: Any) -> None:
        """Restore the view before it was narrowed."""
        base = _base(ctx)
        if base is not None:
            ctx.panel.state.base = None
            ctx.ops.set_view(view=base)

    def on_cancel(self, ctx: Any) -> None:
        """Cancel the run."""
        runs.cancel(ctx.dataset)
        self._show_run(ctx, runs.latest(ctx.dataset))

    def on_dismiss(self, ctx: Any) -> None:
        """Hide the result of the last run."""
        ctx.panel.state.dismissed = ctx.panel.state.run["key"] if ctx.panel.state.run else None

    def _has_news(self, ctx: Any) -> bool:
        state, run = ctx.panel.state, runs.latest(ctx.dataset)
        return bool(
            panel_view.run_row(run) != state.run or runs.change(ctx.dataset) != state.change
        )

    def _refresh(self, ctx: Any) -> None:
        """Compute the statistics of the view."""
        ctx.panel.state.change = runs.change(ctx.dataset)  # before: a later change counts
        self._show_run(ctx, runs.latest(ctx.dataset))
        self._compute(ctx)
        ctx.panel.state.shown = _fingerprint(ctx.view)

    def _show_run(self, ctx: Any, run: runs.RunState | None) -> None:
        state = ctx.panel.state
        state.run = panel_view.run_row(run)
        state.running = run is not None and run.active
        state.progress = run.share if run else 0.0

    def _compute(self, ctx: Any) -> None:
        state = ctx.panel.state
        state.fields, state.problem = score_fields(ctx.dataset), None
        if state.field not in state.fields:  # also if the App calls this before on_load
            state.field = next(iter(state.fields), None)
        state.has_distortions = bool(distortion_fields(ctx.dataset))
        field = state.field
        try:
            if field is None:
                raise SettingsError("This dataset has no scores yet")
            samples = _samples(ctx)
        except DoverError as error:
            state.problem = str(error)
            state.bars_layout = state.scatter_layout = None
            return
        table = statistics.ScoreTable.read(samples, field)
        found = table.counts()
        state.summary = panel_view.counts_in_words(found)
        state.buttons = [name for name in panel_view.SHOW if getattr(found, name)]
        if not found.scored:
            state.bars_layout = state.scatter_layout = None
            return
        histograms = table.histograms()
        state.edges = {name: list(each.edges) for name, each in histograms.items()}
        ctx.panel.data.bars, state.bars_layout = plots.histograms(histograms)
        points = statistics.points(samples, field, table)
        if not points.ids:
            state.scatter_layout = None
            return
        state.cells = points.counts is not None
        ctx.panel.data.scatter, state.scatter_layout = plots.scatter(points, state.active)

    def _activate(self, ctx: Any, sample: str | None = None) -> None:
        """Mark a sample in the plot, and show its segments."""
        state = ctx.panel.state
        selected = ctx.selected or []
        sample = sample or ctx.current_sample or (selected[0] if len(selected) == 1 else None)
        if sample is None or not state.field or state.problem:
            state.timeline_layout = None
            return
        if sample != state.active:
            state.active = sample
            if state.scatter_layout and not state.cells:
                points = statistics.points(_samples(ctx), state.field)
                if points.ids:
                    ctx.panel.data.scatter, state.scatter_layout = plots.scatter(points, sample)
        found = statistics.timeline(ctx.dataset, sample, state.field)
        if found is None:
            state.timeline_layout = None
            return
        ctx.panel.data.timeline, state.timeline_layout = plots.timeline(found)

    def _narrow(self, ctx: Any, view: fo.DatasetView, by: str | None = "overall") -> None:
        """Narrow the view, worst first; the panel keeps its statistics."""
        state = ctx.panel.state
        if by is not None:
            view = view.sort_by(f"{state.field}.{by}")
        if not state.base:
            state.base = {"stages": ctx.view._serialize()}
        state.narrowed = _fingerprint(view)
        ctx.ops.set_view(view=view)


def _open(ctx: Any, sample_id: str) -> None:
    if ctx.dataset.media_type == "group":
        sample = ctx.dataset.select_group_slices(_allow_mixed=True)[sample_id]
        ctx.ops.open_sample(id=sample_id, group_id=sample[ctx.dataset.group_field].id)
    else:
        ctx.ops.open_sample(id=sample_id)


def _samples(ctx: Any) -> SampleCollection:
    """Samples of the panel: the view, or the view before the panel narrowed it."""
    base = _base(ctx)
    return scorable(ctx.view if base is None else base)


def _base(ctx: Any) -> fo.DatasetView | None:
    base = ctx.panel.state.base
    return fo.DatasetView._build(ctx.dataset, base["stages"]) if base else None


def _fingerprint(view: SampleCollection) -> str:
    """Key that is equal for views with equal stages."""
    stages = [{k: v for k, v in stage.items() if k != "_uuid"} for stage in view._serialize()]
    return sha256(json.dumps(stages, default=str).encode()).hexdigest()
