"""Write results to a dataset in batches."""

from collections.abc import Sequence
from mimetypes import guess_type
from pathlib import Path
from time import monotonic

import fiftyone as fo
from fiftyone import ViewField as F

from dover_plugin.analysis.segments import SegmentScores
from dover_plugin.scores import Result, Scores
from fiftyone_plugin.fields import (
    FAILED_TAG,
    detections,
    document,
    every_sample,
    segments_field,
)
from fiftyone_plugin.moments import Moment, Moments, assign
from fiftyone_plugin.runs import tell_change

WRITE_EVERY = 64  # results, or
WRITE_SECONDS = 5.0  # seconds of work that a crash may lose


class Writer:
    """Collects results and writes them in batches.

    Args:
        dataset: dataset whose field ``name`` is declared.
        name: field of scores.
        moments: labels that hold the scores of segments.
        keep_segments: keep the field of segments as it is.
    """

    def __init__(
        self,
        dataset: fo.Dataset,
        name: str,
        moments: Moments | None = None,
        *,
        keep_segments: bool = False,
    ) -> None:
        self._dataset = dataset
        self._name = name
        self._moments = moments
        self._labels: dict[str, Scores | None] = {}
        self._results: dict[str, Result] = {}
        self._segments: dict[str, fo.TemporalDetections | None] = {}
        self._has_segments = not keep_segments and dataset.has_field(segments_field(name))
        self._written = monotonic()

    def add(
        self,
        sample_id: str,
        result: Result,
        parts: Sequence[SegmentScores] | None = None,
        labels: Sequence[Moment] = (),
    ) -> None:
        """Add a result, and its segments or labels if they were requested."""
        self._results[sample_id] = result
        frames = result.num_frames if isinstance(result, Scores) else 0
        self._labels |= assign(labels, parts or (), frames)
        if self._has_segments:  # segments of older scores are removed
            wanted = not self._moments and parts is not None and isinstance(result, Scores)
            self._segments[sample_id] = detections(parts or ()) if wanted else None
        late = monotonic() - self._written > WRITE_SECONDS
        if late or len(self._results) >= WRITE_EVERY:
            self.flush()

    def flush(self) -> None:
        """Write collected results."""
        if self._results:
            documents = {i: document(result) for i, result in self._results.items()}
            self._dataset.set_values(self._name, documents, key_field="id")
            if self._segments:
                field = segments_field(self._name)
                self._dataset.set_values(field, self._segments, key_field="id")
            if self._moments and self._labels:
                self._moments.write(self._labels)
            self._tag()
            self._add_metadata()
            tell_change(self._dataset)
        self._results, self._segments, self._labels = {}, {}, {}
        self._written = monotonic()

    def _tag(self) -> None:
        failed = [i for i, result in self._results.items() if result.error]
        every = every_sample(self._dataset)
        written = every.select(list(self._results))
        written.match_tags(FAILED_TAG).untag_samples(FAILED_TAG)
        if failed:
            every.select(failed).tag_samples(FAILED_TAG)

    def _add_metadata(self) -> None:
        """Fill the metadata of scored samples that have none; the videos were opened anyway."""
        good = {i: r for i, r in self._results.items() if isinstance(r, Scores)}
        lacking = every_sample(self._dataset).select(list(good)).match(F("metadata") == None)  # noqa: E711
        found = {i: _metadata(path, good[i]) for i, path in _paths(lacking)}
        if found:
            self._dataset.set_values("metadata", found, key_field="id")


def _paths(samples: fo.DatasetView) -> list[tuple[str, str]]:
    return list(zip(*samples.values(["id", "filepath"]), strict=True))


def _metadata(path: str, scores: Scores) -> fo.Metadata:
    file = Path(path)
    mime_type = guess_type(path)[0] or ""
    size = file.stat().st_size if file.is_file() else None
    common = {"size_bytes": size, "mime_type": mime_type}
    if mime_type.startswith("image/"):
        return fo.ImageMetadata(width=scores.width, height=scores.height, **common)
    return fo.VideoMetadata(
        frame_width=scores.width,
        frame_height=scores.height,
        frame_rate=scores.fps,
        total_frame_count=scores.num_frames,
        duration=scores.num_frames / scores.fps if scores.fps else None,
        **common,
    )
