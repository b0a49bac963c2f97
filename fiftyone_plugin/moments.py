"""Segments that labels give: the temporal detections of a user, or the clips of a clips view.

The scores become attributes of the labels, such as ``dover_overall``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import fiftyone as fo
from bson import ObjectId
from fiftyone import ViewField as F
from fiftyone.core.clips import ClipsView
from fiftyone.core.collections import SampleCollection
from fiftyone.core.expressions import ViewExpression

from dover_plugin.analysis.segments import Segment, SegmentScores
from dover_plugin.errors import SettingsError
from dover_plugin.io.source import VideoInfo
from dover_plugin.preprocessing.sampling import BRANCHES
from dover_plugin.scores import SCORES, Scores
from fiftyone_plugin.fields import SUBFIELDS, every_sample, score_fields, segments_field

LABELS = (fo.TemporalDetection, fo.TemporalDetections)


@dataclass(frozen=True)
class Moment:
    """One label.

    Attributes:
        label_id: id of the label.
        first: its first frame, from 1.
        last: its last frame.
    """

    label_id: str
    first: int
    last: int

    def of(self, num_frames: int) -> Segment | None:
        """The frames of the label that a video has; None if it has none of them."""
        start, end = max(self.first - 1, 0), min(self.last, num_frames)
        return Segment(start, end) if start < end else None


@dataclass(frozen=True)
class Moments:
    """Labels of a field that are scored, and how their scores are written.

    Attributes:
        samples: samples of the labels, or the clips view whose clips are scored.
        labels: field of temporal detections.
        name: field of scores; attributes of labels begin with it.
    """

    samples: SampleCollection
    labels: str
    name: str

    def by_sample(self) -> dict[str, list[Moment]]:
        """The labels of each sample."""
        if isinstance(self.samples, ClipsView):
            rows = self.samples.values([f"{self.labels}.id", "sample_id", "support"])
            found: dict[str, list[Moment]] = {}
            for label_id, sample_id, support in zip(*rows, strict=True):
                found.setdefault(sample_id, []).append(Moment(label_id, *support))
            return found
        paths = (self._path(self.samples, each) for each in ("id", "support"))
        rows = self.samples.values(["id", *paths])
        return {
            sample_id: [
                Moment(label_id, *support)
                for label_id, support in zip(_list(ids), _list(supports), strict=True)
            ]
            for sample_id, ids, supports in zip(*rows, strict=True)
        }

    def declare(self) -> None:
        """Add the attributes to the schema of the labels."""
        root = self.samples._root_dataset
        for collection in {id(each): each for each in (root, self.samples)}.values():
            for name in SCORES:
                path = self._path(collection, f"{self.name}_{name}")
                if not collection._dataset.has_field(path):
                    description = SUBFIELDS[name][1]
                    collection._dataset.add_sample_field(
                        path, fo.FloatField, description=description
                    )

    def lacking(self) -> ViewExpression:
        """Whether a sample has a label without scores."""
        kind, path = self.samples._get_label_field_path(self.labels)
        labels = F(path)
        technical, aesthetic = (F(f"{self.name}_{branch}") for branch in BRANCHES)
        missing = (technical == None) & (aesthetic == None)  # noqa: E711
        if isinstance(self.samples, ClipsView):
            clips = self.samples.match(labels.apply(missing))
            return F("_id").is_in([ObjectId(each) for each in clips.distinct("sample_id")])
        if kind is fo.TemporalDetections:
            return labels.filter(missing).length() > 0
        return (labels != None) & labels.apply(missing)  # noqa: E711

    def write(self, found: dict[str, Scores | None]) -> None:
        """Write the scores of labels by their ids; None removes older scores."""
        for name in SCORES:
            values = {
                label_id: getattr(scores, name) if scores else None
                for label_id, scores in found.items()
            }
            path = self._path(self.samples, f"{self.name}_{name}")
            self.samples.set_label_values(path, values)

    def _path(self, collection: SampleCollection, attribute: str) -> str:
        root = str(collection._get_label_field_path(self.labels)[1])
        return f"{root}.{attribute}"


def find_moments(
    samples: SampleCollection, labels: str | None, name: str
) -> tuple[SampleCollection, Moments | None]:
    """Whole videos and the labels to score beside them.

    Args:
        samples: dataset or view; the videos of a clips view are whole ones in the result.
        labels: field of temporal detections; None scores labels of a clips view only.
        name: field of scores.

    Raises:
        SettingsError: no such field, or clips that no label describes.
    """
    if not isinstance(samples, ClipsView):
        if not labels:
            return samples, None
        check_labels(samples._dataset, labels)
        return samples, Moments(every_sample(samples._dataset), labels, name)
    if not samples._classification_field:
        raise SettingsError(
            "These clips do not come from a field of temporal detections. Show the clips of such a "
            "field, or clear the view to score whole videos."
        )
    if samples._classification_field not in label_fields(samples._root_dataset):
        raise SettingsError(
            f"The clips of '{samples._classification_field}' have scores. Clear the view to score "
            "whole videos."
        )
    videos = every_sample(samples._root_dataset).select(samples.distinct("sample_id"))
    return videos, Moments(samples, samples._classification_field, name)


def label_fields(dataset: fo.Dataset) -> list[str]:
    """Fields of temporal detections that this plugin has not written."""
    schema = dataset.get_field_schema(ftype=fo.EmbeddedDocumentField, embedded_doc_type=LABELS)
    ours = {segments_field(name) for name in score_fields(dataset)}
    return [name for name in schema if name not in ours]


def check_labels(dataset: fo.Dataset, labels: str) -> None:
    """Raise SettingsError unless ``labels`` is a field of temporal detections of the user."""
    known = label_fields(dataset)
    if labels not in known:
        have = f"Fields of temporal detections: {', '.join(known)}." if known else "There is none."
        raise SettingsError(f"'{labels}' is no field of temporal detections. {have}")


def cut(moments: Iterable[Moment], info: VideoInfo) -> list[Segment]:
    """The segments of labels, each once, in the order of their ends."""
    found = {segment for moment in moments if (segment := moment.of(info.num_frames))}
    return sorted(found, key=lambda segment: (segment.end, segment.start))


def assign(
    moments: Iterable[Moment], parts: Iterable[SegmentScores], num_frames: int
) -> dict[str, Scores | None]:
    """The scores of each label by its id; None for labels outside a video of ``num_frames``."""
    scored = {part.segment: part.scores for part in parts}
    return {
        moment.label_id: scored.get(segment) if (segment := moment.of(num_frames)) else None
        for moment in moments
    }


def _list(value: Any) -> list[Any]:
    """Ids or supports of a sample, whose field holds no label, one label or a list of labels."""
    if value is None:
        return []
    several = isinstance(value, list) and not (value and isinstance(value[0], int))
    return value if several else [value]
