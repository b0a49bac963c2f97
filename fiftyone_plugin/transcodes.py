"""What transcodes lost against their sources."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import fiftyone as fo
from fiftyone import ViewField as F
from fiftyone.core.collections import SampleCollection

from dover_plugin.errors import SettingsError
from dover_plugin.options import COMPARABLE
from dover_plugin.scores import SCORES
from fiftyone_plugin.fields import is_scores, segments_field
from fiftyone_plugin.pairs import Pair
from fiftyone_plugin.runs import tell_change
from fiftyone_plugin.targets import scorable

VIEW_OF = "Greatest loss of"  # begins the description of our saved views
SEGMENT_DIFFERENCE = "difference"  # attribute of the segments of a transcode


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
        view: name of the saved view, the largest loss first.
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


def compare(
    samples: SampleCollection,
    field: str,
    pairs: Iterable[Pair],
    *,
    unpaired: int = 0,
    threshold: float = 0.05,
    view: str = "lost quality",
) -> Comparison:
    """Write the differences, after minus before, and save a view of the pairs side by side.

    Differences are written to the transcodes. Both samples of a pair get the id of the source and
    the largest loss among its transcodes, by which the view sorts. Segments of a transcode get
    their difference if both videos have the same segments.

    Args:
        samples: samples that hold the pairs.
        field: field of scores.
        pairs: pairs of one of the functions of ``pairs``.
        unpaired: number of samples without a counterpart.
        threshold: a larger decrease of overall counts as a loss; in [0, 1].
        view: name of the saved view; one of ours with that name is replaced.

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
    found: dict[Pair, dict[str, float]] = {}
    unscored = settings_mismatch = 0
    main = SCORES[0]  # overall, unless one branch was run alone
    for pair in pairs:
        old, new = rows[pair.before], rows[pair.after]
        shared = [i for i in range(len(SCORES)) if old[i] is not None and new[i] is not None]
        if not shared:
            unscored += 1
        elif old[len(SCORES) :] != new[len(SCORES) :]:
            settings_mismatch += 1
        else:
            main = SCORES[shared[0]]
            found[pair] = {SCORES[i]: new[i] - old[i] for i in shared}
    old_ones = flat.match(F(name) != None).values("id")  # noqa: E711
    flat.set_values(name, {**dict.fromkeys(old_ones), **_documents(found, main)}, key_field="id")
    _compare_segments(flat, field, found, main)
    dataset.save_view(
        view,
        _side_by_side(samples, name, main),
        description=f"{VIEW_OF} {field} first",
        overwrite=True,
    )
    tell_change(dataset)
    losses = sorted(each[main] for each in found.values() if main in each)
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


def _documents(
    found: dict[Pair, dict[str, float]], main: str
) -> dict[str, fo.DynamicEmbeddedDocument]:
    """Documents of the samples of all pairs."""
    largest: dict[str, float] = defaultdict(float)
    for pair, differences in found.items():
        largest[pair.before] = min(largest[pair.before], differences.get(main, 0.0))
    documents = {}
    for pair, differences in found.items():
        common = {"before": pair.before, "largest_loss": largest[pair.before]}
        documents[pair.before] = fo.DynamicEmbeddedDocument(**common)
        documents[pair.after] = fo.DynamicEmbeddedDocument(**common, **differences)
    return documents


def _compare_segments(
    flat: SampleCollection, field: str, found: dict[Pair, dict[str, float]], main: str
) -> None:
    """Write the differences of segments that lie at the same frames in both videos."""
    name = segments_field(field)
    if not found or not flat.has_field(name):
        return
    path = f"{name}.detections"
    if not flat.has_field(f"{path}.{SEGMENT_DIFFERENCE}"):
        flat._dataset.add_sample_field(
            f"{path}.{SEGMENT_DIFFERENCE}",
            fo.FloatField,
            description="Main score after minus before",
        )
    wanted = flat.select({i for pair in found for i in pair})
    columns = wanted.values(["id", f"{path}.support", f"{path}.{main}"])
    rows = {i: (support, values) for i, support, values in zip(*columns, strict=True)}
    differences = {
        pair.after: [b - a for a, b in zip(old[1], new[1], strict=True)]
        for pair in found
        for old, new in [(rows[pair.before], rows[pair.after])]
        if old[0] and new[0] and old[0] == new[0] and None not in (*old[1], *new[1])
    }
    if differences:
        flat.select(list(differences)).set_values(
            f"{path}.{SEGMENT_DIFFERENCE}", differences, key_field="id"
        )


def _side_by_side(samples: SampleCollection, name: str, main: str) -> fo.DatasetView:
    """Each source before its transcodes, pairs with the largest loss first.

    In a grouped dataset the groups are sorted; a group shows both videos.
    """
    dataset = samples._dataset
    if dataset.media_type == "group":
        largest = f"{name}.largest_loss"  # which both videos of a pair have
        return dataset.match(F(largest) != None).sort_by(largest)  # noqa: E711
    pairs = dataset.match(F(f"{name}.before") != None)  # noqa: E711
    keys = ("largest_loss", "before", main)  # a source has no difference and comes first
    return pairs.sort_by([(f"{name}.{key}", 1) for key in keys])


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
            f"{name}.before", fo.StringField, description="Id of the source of the pair"
        )
        dataset.add_sample_field(
            f"{name}.largest_loss",
            fo.FloatField,
            description="Largest loss among the transcodes of the source, at most 0",
        )
