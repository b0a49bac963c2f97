"""show_samples and open_panel: ways from a result and from the App to what they are about."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone import ViewField as F

from fiftyone_plugin.fields import every_sample
from fiftyone_plugin.operators import forms

PANEL = "video_quality"


class ShowSamples(foo.Operator):  # type: ignore[misc]
    """Shows the samples that a result is about; the buttons of results call it."""

    @property
    def config(self) -> foo.OperatorConfig:
        """Name and label."""
        return foo.OperatorConfig(
            name="show_samples", label=forms.PREFIX + "show samples", unlisted=True
        )

    def execute(self, ctx: Any) -> None:
        """Set the view: samples of a tag, a label field or a saved view, worst first."""
        kind, name, sort = (ctx.params.get(key) for key in ("kind", "name", "sort"))
        if kind == "view":
            view = ctx.dataset.load_saved_view(name)
        else:
            every = every_sample(ctx.dataset)
            view = every.match_tags(name) if kind == "tag" else every.match(F(name) != None)  # noqa: E711
        ctx.ops.set_view(view=view.sort_by(sort) if sort else view)


class OpenPanel(foo.Operator):  # type: ignore[misc]
    """Opens the panel beside the samples, or beside the open video."""

    @property
    def config(self) -> foo.OperatorConfig:
        """Name and label."""
        return foo.OperatorConfig(
            name="open_panel",
            label=forms.PREFIX + "open the panel",
            description="Video quality: sort by quality, histograms, timeline, worst first",
            **forms.ICONS,
        )

    def resolve_placement(self, ctx: Any) -> types.Placement:
        """A button in the open sample."""
        del ctx
        button = types.Button(label="Video quality", icon=forms.ICON, prompt=False)
        return types.Placement(types.Places.SAMPLES_VIEWER_ACTIONS, button)

    def execute(self, ctx: Any) -> None:
        """Open the panel in the surface that is in front."""
        ctx.ops.open_panel(PANEL, layout="horizontal")
