"""Pairs of a video and its transcode, and what each lost."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import fiftyone as fo
from fiftyone import ViewField as F
from fiftyone.core.collections import SampleCollection

from dover_plugin.errors import SettingsError
from dover_plugin.io.files import search_folder
from dover_plugin.options import COMPARABLE
from dover_plugin.scores import SCORES
from fiftyone_plugin.fields import is_scores
from fiftyone_plugin.name_pattern import NamePattern
from fiftyone_plugin.runs import tell_change
from fiftyone_plugin.targets import scorable

BEFORE, AFTER = "before", "after"
VIEW_OF = "Greatest loss of"  # begins the description of our saved views


class Pair(NamedTuple):
    """Ids of two samples."""

    before: str
    after: str


@dataclass(frozen=True)
class Comparison:
    """What compare found.

    Attributes:
        pairs: with a difference.
        unpaired: samples without a counterpart.
        unscored: pairs with a sample that has no scores.
        settings_mismatch: pairs scored with different settings, which say nothing of each other.
        lost: pairs whose overall score, or that of the one branch, fell by more than the threshold.
        threshold: in [0, 1].
        mean: of the differences in overall, after minus before; None without pairs.
        worst: the largest loss; None without pairs.
        view: name of the saved view, the greatest loss first.
    """

    pairs: int
    unpaired: int
    unscored: int
    settings_mismatch: int
    lost: int
    threshold: float
    mean: float | None
    worst: float | None
    view: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def difference_field(field: str) -> str:
    """Name of the field of differences that goes with a field of scores."""
    return f"{field}_difference"


def check_view(dataset: fo.Dataset, view: str) -> None:
    """Raise SettingsError if a saved view of that name is someone else's."""
    if not view:
        raise SettingsError("The saved view needs a name, as 'lost quality'.")
    if dataset.has_saved_view(view):
        description = dataset.get_saved_view_info(view)["description"] or ""
        if not description.startswith(VIEW_OF):
            raise SettingsError(f"A saved view is named {view!r} already. Choose another name.")


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


def compare(
    samples: SampleCollection,
    field: str,
    pairs: Iterable[Pair],
    *,
    unpaired: int = 0,
    threshold: float = 0.05,
    view: str = "lost quality",
) -> Comparison:
    """Write the differences, after minus before, on the after samples, and save a view by loss.

    Args:
        samples: that hold the pairs.
        field: of scores.
        pairs: of one of the functions above.
        unpaired: what it said besides.
        threshold: a fall of overall by more than this counts as a loss; in [0, 1].
        view: name of the saved view; one of that name is replaced.

    Raises:
        SettingsError: no scores, or no pairs.
    """
    pairs = list(pairs)
    if not pairs:
        raise SettingsError(f"No pairs were found; {unpaired:,} samples have no counterpart.")
    if not samples.has_field(f"{field}.overall"):
        raise SettingsError(f"The field '{field}' holds no scores. Run score_videos first.")
    dataset = samples._dataset
    check_view(dataset, view)
    name = difference_field(field)
    _declare(dataset, name)
    flat = scorable(samples)
    columns = [f"{field}.{column}" for column in (*SCORES, *COMPARABLE)]
    wanted = flat.select({i for pair in pairs for i in pair})
    ids, *values = wanted.values(["id", *columns])
    rows = dict(zip(ids, zip(*values, strict=True), strict=True))
    found: dict[str, fo.DynamicEmbeddedDocument] = {}
    unscored = settings_mismatch = 0
    main = SCORES[0]  # overall, unless one branch was run alone
    for before, after in pairs:
        old, new = rows[before], rows[after]
        shared = [i for i in range(len(SCORES)) if old[i] is not None and new[i] is not None]
        if not shared:
            unscored += 1
        elif old[len(SCORES) :] != new[len(SCORES) :]:
            settings_mismatch += 1
        else:
            differences = {SCORES[i]: new[i] - old[i] for i in shared}
            main = SCORES[shared[0]]
            found[after] = fo.DynamicEmbeddedDocument(**differences, before=before)
    old_ones = flat.match(F(name) != None).values("id")  # noqa: E711
    flat.set_values(name, {**dict.fromkeys(old_ones), **found}, key_field="id")
    result = flat.select(list(found)).sort_by(F(f"{name}.{main}"))
    dataset.save_view(view, result, description=f"{VIEW_OF} {field} first", overwrite=True)
    tell_change(dataset)
    losses = sorted(loss for doc in found.values() if (loss := doc.to_dict().get(main)) is not None)
    return Comparison(
        pairs=len(found),
        unpaired=unpaired,
        unscored=unscored,
        settings_mismatch=settings_mismatch,
        lost=sum(loss < -threshold for loss in losses),
        threshold=threshold,
        mean=sum(losses) / len(losses) if losses else None,
        worst=losses[0] if losses else None,
        view=view,
    )


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
    groups: dict[PurePath, dict[str, str]] = defaultdict(dict)
    for slice_name, folder in ((BEFORE, before), (AFTER, after)):
        for path in _videos_of(folder):
            key = PurePath(path).relative_to(Path(folder).absolute()).with_suffix("")
            if slice_name in groups[key]:
                raise SettingsError(f"'{folder}' holds two videos named '{key}'. Rename one.")
            groups[key][slice_name] = path
    dataset = fo.Dataset(name, persistent=persistent)
    dataset.add_group_field("group", default=AFTER)
    samples = []
    for slices in groups.values():
        group = fo.Group()
        for slice_name, path in slices.items():
            samples.append(fo.Sample(filepath=path, group=group.element(slice_name)))
    dataset.add_samples(samples, progress=False)
    return dataset


def _videos_of(folder: str) -> Iterator[str]:
    root = Path(folder).absolute()
    if not root.is_dir():
        raise SettingsError(f"'{folder}' is not a folder that holds videos.")
    found = search_folder(str(root))
    if found.unreadable:
        raise SettingsError(f"Cannot read '{found.unreadable[0]}'. Check its permissions.")
    if not found.videos:
        raise SettingsError(f"'{folder}' is not a folder that holds videos.")
    return iter(found.videos)


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


def _declare(dataset: fo.Dataset, name: str) -> None:
    known = dataset.get_field(name)
    if known is not None and not is_scores(known):
        raise SettingsError(f"The field '{name}' exists and holds something else. Rename it.")
    if known is None:
        dataset.add_sample_field(
            name,
            fo.EmbeddedDocumentField,
            embedded_doc_type=fo.DynamicEmbeddedDocument,
            description="Scores after minus before: below 0 where quality was lost",
        )
    for score in SCORES:
        if not dataset.has_field(f"{name}.{score}"):
            dataset.add_sample_field(f"{name}.{score}", fo.FloatField)
    if not dataset.has_field(f"{name}.before"):
        dataset.add_sample_field(
            f"{name}.before", fo.StringField, description="Id of the sample it is compared with"
        )
