"""Named distortions of videos: measure them, and find the samples that show one."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic

import fiftyone as fo
from fiftyone import ViewField as F
from fiftyone.core.collections import SampleCollection

from dover_plugin.analysis.diagnosis import diagnose
from dover_plugin.analysis.distortions import DISTORTIONS, Distortion
from dover_plugin.errors import DoverError, SettingsError
from dover_plugin.text import described
from fiftyone_plugin.runs import reported, tell_change
from fiftyone_plugin.sidebar import place
from fiftyone_plugin.summary import Summary
from fiftyone_plugin.targets import REMOTE, scorable
from fiftyone_plugin.writer import WRITE_EVERY, WRITE_SECONDS

DISTORTION_FIELD = "distortions"
TAGS, ERROR = "tags", "error"


@dataclass(frozen=True)
class DistortionRule:
    """Samples that show a distortion.

    Attributes:
        distortion: name of the distortion.
        limit: value from which a sample shows it.
    """

    distortion: str
    limit: float

    def find(self, samples: SampleCollection, field: str) -> fo.DatasetView:
        """The samples that match.

        Raises:
            SettingsError: there is no such distortion, or it was not measured.
        """
        distortion = by_name(self.distortion)
        path = f"{field}.{distortion.name}"
        if not samples.has_field(path):
            raise SettingsError(
                f"The field '{field}' holds no distortions. Run find_distortions first."
            )
        value, is_bad_if_low = F(path), distortion.strong < distortion.visible
        known = samples.match(value != None)  # noqa: E711
        return known.match(value <= self.limit if is_bad_if_low else value >= self.limit)


def by_name(name: str) -> Distortion:
    """The distortion of this name.

    Raises:
        SettingsError: there is none.
    """
    for distortion in DISTORTIONS:
        if distortion.name == name:
            return distortion
    known = ", ".join(distortion.name for distortion in DISTORTIONS)
    raise SettingsError(f"No distortion is named {name!r}. Choose from {known}.")


def distortion_fields(dataset: fo.Dataset) -> list[str]:
    """Fields of a dataset that hold distortions."""
    names = {TAGS, ERROR, *(distortion.name for distortion in DISTORTIONS)}
    schema = dataset.get_field_schema(ftype=fo.EmbeddedDocumentField)
    return [name for name, field in schema.items() if names <= set(field.get_field_schema())]


def declare(dataset: fo.Dataset, field: str) -> None:
    """Add the field of distortions, and place it in the sidebar.

    Raises:
        SettingsError: a field of that name holds something else.
    """
    if not field.isidentifier():
        raise SettingsError(
            f"{field!r} is not a field name. Use letters, digits and underscores, as in "
            "'distortions'."
        )
    if field in distortion_fields(dataset):
        return
    if dataset.has_field(field):
        raise SettingsError(
            f"The field '{field}' exists and holds something else. Use another field."
        )
    dataset.add_sample_field(
        field,
        fo.EmbeddedDocumentField,
        embedded_doc_type=fo.DynamicEmbeddedDocument,
        description="Distortions of the video, measured by 'find distortions'",
    )
    for distortion in DISTORTIONS:
        side = "to" if distortion.strong < distortion.visible else "from"
        words = f"{distortion.name} in {distortion.unit}; visible {side} {distortion.visible:g}"
        path = f"{field}.{distortion.name}"
        dataset.add_sample_field(path, fo.FloatField, description=words)
    dataset.add_sample_field(
        f"{field}.{TAGS}",
        fo.ListField,
        subfield=fo.StringField,
        description="Distortions that are visible or strong",
    )
    dataset.add_sample_field(
        f"{field}.{ERROR}", fo.StringField, description="Why the video was not measured"
    )
    place(dataset, field, [TAGS, *(distortion.name for distortion in DISTORTIONS), ERROR], [], None)


def waiting(samples: SampleCollection, field: str) -> SampleCollection:
    """Samples that were not measured yet."""
    if not samples.has_field(f"{field}.{TAGS}"):
        return samples
    return samples.match(F(f"{field}.{TAGS}") == None)  # noqa: E711


def find_distortions(
    samples: SampleCollection, field: str = DISTORTION_FIELD, *, overwrite: bool = False
) -> Iterator[Summary]:
    """Measure the distortions of samples, as one run that the App shows and cancels.

    Args:
        samples: see ``scorable``.
        field: field to write.
        overwrite: measure samples again that were measured.

    Yields:
        The one summary, first, after each sample and once at the end.

    Raises:
        SettingsError: another run is going on, or a field that holds something else.
    """
    dataset = samples._dataset
    target = scorable(samples)
    with reported(dataset, field) as reporter:
        declare(dataset, field)
        todo = target if overwrite else waiting(target, field)
        ids, paths = todo.values(["id", "filepath"])
        summary = Summary(len(ids), len(target) - len(ids), verb="measured")
        reporter.update(summary)
        yield summary
        found: dict[str, fo.DynamicEmbeddedDocument] = {}
        written = monotonic()
        try:
            for sample_id, path in zip(ids, paths, strict=True):
                found[sample_id], error = _document(path)
                summary.count(path, error)
                yield summary
                late = monotonic() - written > WRITE_SECONDS
                if late or len(found) >= WRITE_EVERY:
                    _write(dataset, field, found)
                    written = monotonic()
                if reporter.cancelled():
                    break
            summary.stopped = summary.done < summary.total
        finally:
            _write(dataset, field, found)
        yield summary


def _document(path: str) -> tuple[fo.DynamicEmbeddedDocument, str | None]:
    try:
        if re.search(REMOTE, path):
            raise SettingsError(
                f"Remote file '{path}' is not supported. Download it and set filepath to it."
            )
        found = diagnose(path).found
    except Exception as error:
        text = str(error) if isinstance(error, DoverError) else described(error)
        nothing = dict.fromkeys(distortion.name for distortion in DISTORTIONS)
        return fo.DynamicEmbeddedDocument(**nothing, **{TAGS: None, ERROR: text}), text
    values = {finding.name: finding.value for finding in found.findings}
    return fo.DynamicEmbeddedDocument(**values, **{TAGS: list(found.tags), ERROR: None}), None


def _write(dataset: fo.Dataset, field: str, found: dict[str, fo.DynamicEmbeddedDocument]) -> None:
    if found:
        dataset.set_values(field, found, key_field="id")
        tell_change(dataset)
    found.clear()
