"""Pairs of a video and its transcode: by group, field, file name, or folder."""

from collections import defaultdict
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import fiftyone as fo
from fiftyone.core.collections import SampleCollection

from dover_plugin.errors import SettingsError
from dover_plugin.io.pairing import videos_by_name
from fiftyone_plugin.name_pattern import NamePattern

BEFORE, AFTER = "before", "after"


class Pair(NamedTuple):
    """Ids of two samples."""

    before: str
    after: str


def pairs_by_group(samples: SampleCollection, before: str, after: str) -> tuple[list[Pair], int]:
    """Pairs of a grouped dataset: two slices of a group; and how many groups lack one.

    Raises:
        SettingsError: no groups, or no such slices.
    """
    if samples.media_type != "group" or samples._is_dynamic_groups:
        raise SettingsError("This dataset has no groups. Pair by a field or by file names.")
    for name in (before, after):
        if name not in samples.group_slices:
            known = ", ".join(samples.group_slices)
            raise SettingsError(f"No slice is named {name!r}. There are {known}.")
    group = f"{samples.group_field}.id"
    sides = []
    for name in (before, after):
        ids, groups = samples.select_group_slices(name).values(["id", group])
        sides.append(list(zip(groups, ids, strict=True)))
    return _match(*sides)


def pairs_by_field(
    samples: SampleCollection, key: str, before_tag: str = BEFORE
) -> tuple[list[Pair], int]:
    """Pairs that agree in the field ``key``; the sources carry the tag ``before_tag``.

    A source may have several transcodes.

    Raises:
        SettingsError: no such field, or no sample with that tag.
    """
    if not samples.has_field(key):
        raise SettingsError(f"There is no field '{key}' to pair by.")
    sides = []
    for is_before in (True, False):
        ids, keys = samples.match_tags(before_tag, bool=is_before).values(["id", key])
        side = [(k, i) for k, i in zip(keys, ids, strict=True) if k is not None]
        sides.append(side)
    if not sides[0]:
        raise SettingsError(
            f"No sample carries the tag {before_tag!r}, which says what the sources are."
        )
    return _match(*sides)


def pairs_by_name(samples: SampleCollection, before: str, after: str) -> tuple[list[Pair], int]:
    """Pairs whose file names agree in ``{key}``.

    Args:
        samples: to pair.
        before: pattern of the sources' names, as "{key}.mov"; * stands for anything.
        after: pattern of the names of the transcodes, such as "{key}_crf*.mp4". A name that
            matches both patterns is a transcode.

    Raises:
        SettingsError: a pattern without one {key}.
    """
    patterns = [NamePattern(text) for text in (before, after)]
    sides: tuple[list[tuple[Any, str]], list[tuple[Any, str]]] = ([], [])
    for sample_id, path in zip(*samples.values(["id", "filepath"]), strict=True):
        name = PurePath(path).name
        for side in (1, 0):
            if key := patterns[side].key_of(name):
                sides[side].append((key, sample_id))
                break
    return _match(*sides)


def group_folders(before: str, after: str, name: str, *, persistent: bool = True) -> fo.Dataset:
    """Make a grouped dataset of two folders, whose videos are paired by path and stem.

    Args:
        before: folder of the sources.
        after: folder of the transcodes, with the same layout; suffixes may differ.
        name: of the new dataset.
        persistent: keep it in the database.

    Returns:
        A dataset with the slices "before" and "after". What has no counterpart is a group of one.

    Raises:
        SettingsError: a folder without videos, two videos of one name, or a name that is taken.
    """
    if fo.dataset_exists(name):
        raise SettingsError(f"A dataset is named {name!r} already. Choose another name.")
    groups: dict[str, dict[str, str]] = defaultdict(dict)
    for slice_name, folder in ((BEFORE, before), (AFTER, after)):
        root = Path(folder).absolute()
        videos = videos_by_name(root) if root.is_dir() else {}
        if not videos:
            raise SettingsError(f"'{folder}' is not a folder that holds videos.")
        for key, file in videos.items():
            groups[key][slice_name] = str(file)
    dataset = fo.Dataset(name, persistent=persistent)
    dataset.add_group_field("group", default=AFTER)
    samples = []
    for slices in groups.values():
        group = fo.Group()
        for slice_name, path in slices.items():
            samples.append(fo.Sample(filepath=path, group=group.element(slice_name)))
    dataset.add_samples(samples, progress=False)
    return dataset


def _match(before: list[tuple[Any, str]], after: list[tuple[Any, str]]) -> tuple[list[Pair], int]:
    """Pair by key; each after has one before, or none."""
    sources: dict[Any, str] = {}
    for key, sample_id in before:
        if key in sources:
            raise SettingsError(f"Two sources share the key {key!r}, so their pairs are unclear.")
        sources[key] = sample_id
    pairs = [Pair(sources[key], sample_id) for key, sample_id in after if key in sources]
    used = {pair.before for pair in pairs}
    return pairs, len(after) - len(pairs) + len(sources) - len(used)
