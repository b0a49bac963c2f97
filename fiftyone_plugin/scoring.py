"""Score the samples of a view with batched writes, failure documents and a run record."""

import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import fiftyone as fo
from fiftyone import ViewField as F
from fiftyone.core.collections import SampleCollection

from dover_plugin.analysis.segments import SegmentScores
from dover_plugin.errors import DoverError, EngineError, SettingsError
from dover_plugin.options import COMPARABLE
from dover_plugin.scores import Failure, Result, Scores
from fiftyone_plugin.fields import (
    FAILED_TAG,
    check_field,
    declare,
    detections,
    document,
    every_sample,
    segments_field,
    unscored,
)

if TYPE_CHECKING:
    from dover_plugin.scorer import Scorer

WRITE_EVERY = 64  # results, or
WRITE_SECONDS = 5.0  # seconds of work that a crash may lose
REMOTE = r"(^|/)[a-z][a-z0-9+.-]+:/"  # FiftyOne makes /here/s3:/bucket of s3://bucket
SHOWN_FAILURES = 100
RUN = "dover"  # the method under which runs are recorded


@dataclass
class Summary:
    """Progress and result of a run.

    Attributes:
        total: samples to score.
        skipped: samples that had scores.
        scored: samples scored by this run.
        failed: samples with an error.
        failures: path and error of the first hundred failures.
        stopped: whether the run was stopped early.
        run_key: key of the run record in the dataset; None if there was nothing to do.
    """

    total: int
    skipped: int
    scored: int = 0
    failed: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    stopped: bool = False
    run_key: str | None = None

    @property
    def done(self) -> int:
        """Samples finished so far."""
        return self.scored + self.failed

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@lru_cache(maxsize=1)
def _scorer(settings: tuple[tuple[str, Any], ...], files_changed: tuple[float, ...]) -> "Scorer":
    del files_changed  # part of the key
    from dover_plugin.scorer import Scorer  # imports torch

    return Scorer(**dict(settings))


def make_scorer(**settings: Any) -> "Scorer":
    """A Scorer with these settings; the latest one is cached between runs.

    Raises:
        DoverError: invalid settings or weights.
    """
    files = [Path(name) for name in (settings.get("weights"), settings.get("fusion")) if name]
    changed = tuple(file.stat().st_mtime for file in files if file.is_file())
    return _scorer(tuple(sorted(settings.items())), changed)


def videos(samples: SampleCollection) -> SampleCollection:
    """The samples as single videos; in a grouped dataset every slice of videos.

    Raises:
        SettingsError: there is no video, or the samples are parts of videos.
    """
    if samples._is_dynamic_groups:
        raise SettingsError("This view groups videos by a field. Clear the grouping first.")
    if samples.media_type == "group":
        slices = [s for s, kind in samples.group_media_types.items() if kind == "video"]
        if not slices:
            raise SettingsError("No slice of this grouped dataset holds videos.")
        return samples.select_group_slices(slices)
    if samples._dataset._is_generated:
        raise SettingsError(
            "This view shows parts of videos. Scores belong to whole videos: clear the view first."
        )
    if samples.media_type != "video" and len(samples):
        raise SettingsError(
            f"DOVER scores videos, and this dataset holds {samples.media_type}s. Open a dataset of "
            "videos."
        )
    return samples


def waiting(
    samples: SampleCollection, name: str, segments_like: dict[str, Any] | None
) -> SampleCollection:
    """Samples that a run without overwriting scores.

    Args:
        samples: samples of videos.
        name: field of scores.
        segments_like: settings of the run if segments are requested. Samples with scores of these
            settings but without segments are scored again, which changes no score.

    Returns:
        Samples without scores, and those that lack the segments.
    """
    if not samples.has_field(name):
        return samples
    if segments_like is None:
        return unscored(samples, name)
    lacking = F(f"{name}.overall") != None  # noqa: E711
    for setting, value in segments_like.items():
        lacking &= F(f"{name}.{setting}") == value
    if samples.has_field(segments_field(name)):
        lacking &= F(segments_field(name)) == None  # noqa: E711
    return samples.match((F(f"{name}.overall") == None) | lacking)  # noqa: E711


def score(
    samples: SampleCollection,
    scorer: "Scorer",
    name: str,
    *,
    overwrite: bool = False,
    segment_seconds: float | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Summary]:
    """Score samples and write results in batches.

    What is written stays when the run is stopped, killed or closed, and a later run goes on there.

    Args:
        samples: see ``videos``.
        scorer: scorer to use.
        name: field to write.
        overwrite: score samples again that have scores.
        segment_seconds: also score segments of this length; None leaves them out.
        stop: called at each write; True stops the run.

    Yields:
        The one summary, after each sample and once at the end.

    Raises:
        SettingsError: samples that are no videos, or a field that holds something else.
    """
    target = videos(samples)
    segments = segment_seconds is not None
    check_field(samples._dataset, name)
    like = {key: getattr(scorer.settings, key) for key in COMPARABLE} if segments else None
    todo = target if overwrite else waiting(target, name, like)
    ids, paths = todo.values(["id", "filepath"])
    summary = Summary(total=len(ids), skipped=len(target) - len(ids))
    dataset = samples._dataset
    declare(dataset, name, segments=segments)
    if not ids:
        yield summary
        return
    summary.run_key = _record(samples, scorer, name, overwrite, segment_seconds)
    writer = _Writer(dataset, name)
    try:
        results = _results(paths, scorer)
        for sample_id, path, result in zip(ids, paths, results, strict=True):
            parts = None
            if segment_seconds is not None and isinstance(result, Scores):
                try:
                    parts = list(scorer.timeline(path, seconds=segment_seconds))
                except EngineError:
                    raise
                except (DoverError, MemoryError, OSError) as error:
                    reason = f"its segments could not be scored: {error}"
                    result = replace(result, warnings=(*result.warnings, reason))
                    parts = []
            if isinstance(result, Failure):
                summary.failed += 1
                if len(summary.failures) < SHOWN_FAILURES:
                    summary.failures.append((path, result.error))
            else:
                summary.scored += 1
            if writer.add(sample_id, result, parts) and stop():
                summary.stopped = summary.done < summary.total
                if summary.stopped:
                    break
            yield summary
    finally:
        writer.flush()
        _close_record(dataset, summary)
    yield summary


def _results(paths: list[str], scorer: "Scorer") -> Iterator[Result]:
    """One result per path, in order; remote files are not opened."""
    local = scorer.score_many(path for path in paths if not re.search(REMOTE, path))
    for path in paths:
        if re.search(REMOTE, path):
            reason = f"Remote file '{path}' is not supported. Download it and set filepath to it."
            yield Failure(path, reason, scorer.settings)
        else:
            yield next(local)


class _Writer:
    """Collects results and writes them in batches."""

    def __init__(self, dataset: fo.Dataset, name: str) -> None:
        self._dataset = dataset
        self._name = name
        self._results: dict[str, Result] = {}
        self._segments: dict[str, fo.TemporalDetections | None] = {}
        self._has_segments = dataset.has_field(segments_field(name))
        self._written = monotonic()

    def add(self, sample_id: str, result: Result, parts: list[SegmentScores] | None) -> bool:
        """Add a result; returns True if a batch was written."""
        self._results[sample_id] = result
        if self._has_segments:  # segments of older scores are removed
            self._segments[sample_id] = None if parts is None else detections(parts)
        late = monotonic() - self._written > WRITE_SECONDS
        if late or len(self._results) >= WRITE_EVERY:
            self.flush()
            return True
        return False

    def flush(self) -> None:
        """Write collected results."""
        if self._results:
            documents = {i: document(result) for i, result in self._results.items()}
            self._dataset.set_values(self._name, documents, key_field="id")
            self._tag()
        if self._segments:
            field = segments_field(self._name)
            self._dataset.set_values(field, self._segments, key_field="id")
        self._results, self._segments = {}, {}
        self._written = monotonic()

    def _tag(self) -> None:
        failed = [i for i, result in self._results.items() if result.error]
        every = every_sample(self._dataset)
        written = every.select(list(self._results))
        written.match_tags(FAILED_TAG).untag_samples(FAILED_TAG)
        if failed:
            every.select(failed).tag_samples(FAILED_TAG)


def _record(
    samples: SampleCollection,
    scorer: "Scorer",
    name: str,
    overwrite: bool,
    segment_seconds: float | None,
) -> str:
    """Register the run with its settings and its view; returns its key."""
    key = f"{RUN}_{datetime.now(UTC):%Y%m%d_%H%M%S_%f}"
    config = samples.init_run(
        method=RUN,
        field=name,
        overwrite=overwrite,
        segment_seconds=segment_seconds,
        **asdict(scorer.settings),
    )
    samples.register_run(key, config)
    return key


def _close_record(dataset: fo.Dataset, summary: Summary) -> None:
    record = summary.to_dict()
    key = record.pop("run_key")
    dataset.save_run_results(key, dataset.init_run_results(key, **record))
