"""The sidebar of the App: groups of the fields of scores, and what thumbnails show."""

from typing import Any

import fiftyone as fo

from dover_plugin.scores import SCORES

SETTINGS = ": settings"  # ends the name of the group of settings


def place(
    dataset: fo.Dataset, field: str, shown: list[str], settings: list[str], segments: str | None
) -> None:
    """Add one sidebar group with the scores and a folded one with the settings.

    Thumbnails then show the overall score in place of the segments, which would cover them.

    Args:
        dataset: dataset whose fields are declared.
        field: field of scores.
        shown: names of the subfields in the first group.
        settings: names of the subfields in the second group.
        segments: field of segments, if there is one.
    """
    config = dataset.app_config
    if not config.sidebar_groups:
        config.sidebar_groups = fo.DatasetAppConfig.default_sidebar_groups(dataset)
    groups = {field: [f"{field}.{name}" for name in shown]}
    if settings:
        groups[f"{field}{SETTINGS}"] = [f"{field}.{name}" for name in settings]
    if segments:
        groups[field].append(segments)
        if not config.active_fields:
            config.active_fields = fo.DatasetAppConfig.default_active_fields(dataset)
        config.active_fields.paths = active(config.active_fields.paths, field, segments)
    ours = {path for paths in groups.values() for path in paths} | {field}
    kept: list[Any] = []
    for group in config.sidebar_groups:
        had = bool(group.paths)
        group.paths = [path for path in group.paths if path not in ours]
        is_left = had and not group.paths and not _is_default(group.name)
        if group.name not in groups and not is_left:  # a group of a field that was renamed
            kept.append(group)
    added = [
        fo.SidebarGroupDocument(name=name, paths=paths, expanded=name == field)
        for name, paths in groups.items()
    ]
    at = next((i + 1 for i, group in enumerate(kept) if group.name == "metadata"), len(kept))
    config.sidebar_groups = [*kept[:at], *added, *kept[at:]]
    dataset.save()


def active(paths: list[str], field: str, segments: str) -> list[str]:
    """Active fields with the overall score and without the segments."""
    overall = f"{field}.{SCORES[0]}"
    return [*(path for path in paths if path not in (segments, overall)), overall]


def _is_default(name: str) -> bool:
    return name in ("tags", "metadata", "labels", "frame labels", "primitives", "other")
