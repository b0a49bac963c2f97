"""Fields of scores in a dataset: schema, descriptions, sidebar, and views."""

from collections.abc import Iterable

import fiftyone as fo
from fiftyone import ViewField as F
from fiftyone.core.collections import SampleCollection
from fiftyone.core.expressions import ViewExpression

from dover_plugin.analysis.segments import SegmentScores
from dover_plugin.errors import SettingsError
from dover_plugin.grades import grade
from dover_plugin.scores import SCORES, Result
from fiftyone_plugin.sidebar import place

DEFAULT_FIELD = "dover"
FAILED_TAG = "dover:failed"

# The columns of a row of dover_plugin, less what a sample's own path and metadata say.
SUBFIELDS: dict[str, tuple[type[fo.Field], str]] = {
    "overall": (fo.FloatField, "Overall quality in [0, 1]: technical and aesthetic scores, fused"),
    "technical": (
        fo.FloatField,
        "Technical quality in [0, 1]: blur, noise, compression, low resolution",
    ),
    "aesthetic": (
        fo.FloatField,
        "Aesthetic quality in [0, 1]: exposure, colour, composition, content",
    ),
    "error": (fo.StringField, "Why the video has no scores"),
    "model": (fo.StringField, "Model that scored the video"),
    "warnings": (fo.ListField, "Conditions that affect the scores"),
    "technical_raw": (fo.FloatField, "Raw output of the technical branch"),
    "aesthetic_raw": (fo.FloatField, "Raw output of the aesthetic branch"),
    "technical_std": (fo.FloatField, "Standard deviation of technical_raw over the repeats"),
    "aesthetic_std": (fo.FloatField, "Standard deviation of aesthetic_raw over the repeats"),
    "weights_sha256": (fo.StringField, "SHA-256 of the weights"),
    "branches": (fo.StringField, "Branches of the network that were run"),
    "fusion": (fo.StringField, "Calibration of the scores"),
    "version": (fo.StringField, "Version of dover-plugin"),
    "engine": (fo.StringField, "Inference engine"),
    "device": (fo.StringField, "Device of the network"),
    "precision": (fo.StringField, "Numeric precision of the network"),
    "repeats": (fo.IntField, "Number of samples that were averaged"),
    "seed": (fo.IntField, "Random seed; none for centred samples"),
    "reading": (fo.StringField, "Options of reading that are not the defaults"),
    "decoder": (fo.StringField, "Video decoder"),
}
SHOWN = (*SCORES, "error", "model", "warnings")
INDEXED = (*SCORES, "error")


def segments_field(field: str) -> str:
    """Name of the field of segments that goes with a field of scores."""
    return f"{field}_segments"


def declare(dataset: fo.Dataset, field: str, *, segments: bool) -> None:
    """Add missing fields, descriptions, indexes and the sidebar group.

    Raises:
        SettingsError: a field of that name holds something else.
    """
    check_field(dataset, field)
    if not dataset.has_field(field):
        dataset.add_sample_field(
            field,
            fo.EmbeddedDocumentField,
            embedded_doc_type=fo.DynamicEmbeddedDocument,
            description="Video quality by DOVER",
        )
    for name, (kind, description) in SUBFIELDS.items():
        path = f"{field}.{name}"
        if not dataset.has_field(path):
            subfield = fo.StringField if kind is fo.ListField else None
            dataset.add_sample_field(path, kind, subfield=subfield, description=description)
    if segments:
        _declare_segments(dataset, segments_field(field))
    present = dataset.list_indexes()
    for name in INDEXED:
        if f"{field}.{name}" not in present:
            dataset.create_index(f"{field}.{name}")
    rest = [name for name in SUBFIELDS if name not in SHOWN]
    place(dataset, field, list(SHOWN), rest, segments_field(field) if segments else None)


def check_field(dataset: fo.Dataset, field: str) -> None:
    """Raise SettingsError unless scores can be written to ``field``."""
    if not field.isidentifier():
        raise SettingsError(
            f"{field!r} is not a field name. Use letters, digits and underscores, such as 'dover'."
        )
    known = dataset.get_field(field)
    if known is not None and not (is_scores(known) and _made_by_us(known)):
        raise SettingsError(
            f"The field '{field}' exists and holds {type(known).__name__}, not scores. Use "
            "another field."
        )


def is_scores(field: fo.Field) -> bool:
    """Whether a field of a dataset was made by ``declare``."""
    return (
        isinstance(field, fo.EmbeddedDocumentField)
        and field.document_type is fo.DynamicEmbeddedDocument
    )


def _made_by_us(field: fo.Field) -> bool:
    names = set(field.get_field_schema())
    return not names or set(SCORES) <= names


def every_sample(dataset: fo.Dataset) -> SampleCollection:
    """All samples; in a grouped dataset those of every slice."""
    if dataset.media_type == "group":
        return dataset.select_group_slices(_allow_mixed=True)
    return dataset


def score_fields(dataset: fo.Dataset) -> list[str]:
    """Fields of a dataset that hold scores; the default field comes first."""
    schema = dataset.get_field_schema(ftype=fo.EmbeddedDocumentField)
    found = [
        name
        for name, field in schema.items()
        if is_scores(field) and {*SCORES, "model", "error"} <= set(field.get_field_schema())
    ]
    return sorted(found, key=lambda name: name != DEFAULT_FIELD)


def document(result: Result) -> fo.DynamicEmbeddedDocument:
    """Document that stores a result."""
    row = result.to_dict()
    return fo.DynamicEmbeddedDocument(**{name: row[name] for name in SUBFIELDS})


def detections(segments: Iterable[SegmentScores]) -> fo.TemporalDetections:
    """Segments as temporal detections with their grade and their scores."""
    return fo.TemporalDetections(
        detections=[
            fo.TemporalDetection(
                label=grade(getattr(part.scores, part.scores.main)),
                support=[part.segment.start + 1, part.segment.end],  # from 1, end inclusive
                **{name: getattr(part.scores, name) for name in SCORES},
            )
            for part in segments
        ]
    )


def scored(samples: SampleCollection, field: str) -> fo.DatasetView:
    """Samples that have scores."""
    return samples.match(has_scores(field))


def unscored(samples: SampleCollection, field: str) -> fo.DatasetView:
    """Samples without scores, never tried or failed."""
    return samples.match(~has_scores(field))


def has_scores(field: str) -> ViewExpression:
    """Whether a sample has the score of a branch; overall is null if one branch was run alone."""
    return (F(f"{field}.technical") != None) | (F(f"{field}.aesthetic") != None)  # noqa: E711


def failed(samples: SampleCollection, field: str) -> fo.DatasetView:
    """Samples that could not be scored."""
    return samples.match(F(f"{field}.error") != None)  # noqa: E711


def warned(samples: SampleCollection, field: str) -> fo.DatasetView:
    """Samples whose scores have warnings."""
    return samples.match(F(f"{field}.warnings").length() > 0)


def _declare_segments(dataset: fo.Dataset, field: str) -> None:
    known = dataset.get_field(field)
    if known is None:
        dataset.add_sample_field(
            field,
            fo.EmbeddedDocumentField,
            embedded_doc_type=fo.TemporalDetections,
            description="Video quality by DOVER, per segment",
        )
    elif getattr(known, "document_type", None) is not fo.TemporalDetections:
        raise SettingsError(f"The field '{field}' exists and holds other labels. Rename it.")
    for name in SCORES:
        path = f"{field}.detections.{name}"
        if not dataset.has_field(path):
            dataset.add_sample_field(path, fo.FloatField, description=SUBFIELDS[name][1])
