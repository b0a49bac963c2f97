"""Make the App show changed fields and samples without a reload of the page."""

from typing import Any

from fiftyone_plugin.fields import segments_field
from fiftyone_plugin.install import PLUGIN
from fiftyone_plugin.sidebar import SETTINGS, active


def show_fields(ctx: Any, field: str) -> None:
    """Reload the dataset, and place the fields of scores in the sidebar.

    The App reads the groups of the sidebar only when it opens a dataset, so app.js sets them.
    """
    ctx.trigger("reload_dataset")
    groups = ctx.dataset.app_config.sidebar_groups or []
    rows = [
        {"name": group.name, "paths": list(group.paths), "expanded": group.expanded}
        for group in groups
    ]
    ours = [field, field + SETTINGS]
    ctx.trigger(f"{PLUGIN}/place_fields", {"groups": rows, "ours": ours})


def hide_segments(ctx: Any, field: str) -> None:
    """Show the overall score on thumbnails in place of the segments."""
    ctx.ops.set_active_fields(active(ctx.active_fields or [], field, segments_field(field)))
