"""Score the samples of a view: one run, reported, recorded, and written in batches."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fiftyone as fo
from fiftyone.core.collections import SampleCollection

from dover_plugin.analysis.segmented import Cut, score_segmented
from dover_plugin.analysis.segments import SegmentScores, by_seconds
from dover_plugin.errors import SettingsError
from dover_plugin.options import COMPARABLE, ModelOptions
from dover_plugin.scores import Failure, Result
from fiftyone_plugin.fields import check_field, declare
from fiftyone_plugin.moments import Moment, Moments, cut, find_moments
from fiftyone_plugin.runs import reported
from fiftyone_plugin.summary import Summary
from fiftyone_plugin.targets import REMOTE, scorable, waiting
from fiftyone_plugin.writer import Writer

if TYPE_CHECKING:
    from dover_plugin.scorer import Scorer

RUN = "dover"  # the method under which runs are recorded

type Parts = Sequence[SegmentScores] | None


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


def run(
    samples: SampleCollection,
    settings: Callable[[], ModelOptions],
    name: str,
    *,
    overwrite: bool = False,
    segment_seconds: float | None = None,
    labels: str | None = None,
) -> Iterator[Summary]:
    """Load the model and score samples, as one run that the App shows and cancels.

    Args:
        samples: see ``score``.
        settings: called first; gives the settings of the scorer, and may download weights.
        name: field to write.
        overwrite: score samples again that have scores.
        segment_seconds: also score segments of this length; None leaves them out.
        labels: see ``score``.

    Yields:
        The one summary, after each sample and once at the end.

    Raises:
        DoverError: another run is going on, invalid settings, weights, samples or field.
    """
    with reported(samples._root_dataset, name) as reporter:
        scorer = make_scorer(**settings())
        for summary in score(
            samples,
            scorer,
            name,
            overwrite=overwrite,
            segment_seconds=segment_seconds,
            labels=labels,
            stop=reporter.cancelled,
        ):
            reporter.update(summary)
            yield summary


def score(
    samples: SampleCollection,
    scorer: "Scorer",
    name: str,
    *,
    overwrite: bool = False,
    segment_seconds: float | None = None,
    labels: str | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Summary]:
    """Score samples and write results in batches.

    What is written stays when the run is stopped, killed or closed; a later run resumes.

    Args:
        samples: see ``scorable``; of a clips view the whole videos, and the labels of its clips.
        scorer: scorer to use.
        name: field to write.
        overwrite: score samples again that have scores.
        segment_seconds: also score segments of this length; None leaves them out.
        labels: field of temporal detections whose segments are scored too; the scores become
            attributes of the labels.
        stop: called after each sample, and between segments; True stops the run.

    Yields:
        The one summary, first, after each sample and once at the end.

    Raises:
        SettingsError: samples that cannot be scored, or a field that holds something else.
    """
    videos, moments = find_moments(samples, labels, name)
    check_one_kind(segment_seconds, moments)
    target = scorable(videos, scorer.settings.model)
    segments = segment_seconds is not None
    dataset = samples._root_dataset
    check_field(dataset, name)
    if moments:
        moments.declare()
    needs_parts = segments or moments is not None
    like = {key: getattr(scorer.settings, key) for key in COMPARABLE} if needs_parts else None
    todo = target if overwrite else waiting(target, name, like, moments)
    ids, paths = todo.values(["id", "filepath"])
    summary = Summary(total=len(ids), skipped=len(target) - len(ids))
    yield summary
    declare(dataset, name, segments=segments)
    if not ids:
        return
    summary.run_key = _record(videos, scorer, name, overwrite, segment_seconds, labels)
    by_sample = moments.by_sample() if moments else {}
    own = [by_sample.get(sample_id, []) for sample_id in ids]
    cuts = _cuts(own if moments else None, segment_seconds, len(ids))
    writer = Writer(dataset, name, moments, keep_segments=moments is not None and not overwrite)
    try:
        results = _results(paths, scorer, cuts, stop)
        for sample_id, path, labelled, (result, parts) in zip(
            ids, paths, own, results, strict=False
        ):
            summary.count(path, result.error)
            writer.add(sample_id, result, parts, labelled)
            yield summary
            if stop():
                break
        summary.stopped = summary.done < summary.total
    finally:
        writer.flush()
        _close_record(dataset, summary)
    yield summary


def check_one_kind(segment_seconds: float | None, moments: Moments | None) -> None:
    """Raise SettingsError for segments of equal length beside labels."""
    if segment_seconds is not None and moments:
        raise SettingsError(
            "Segments of equal length and labels cannot be scored in one run. Leave out one of "
            "them, and run again for it."
        )


def _cuts(own: list[list[Moment]] | None, seconds: float | None, count: int) -> list[Cut] | None:
    """A function for each sample that cuts its video; None if there are no segments."""
    if own is not None:
        return [partial(cut, each) for each in own]
    if seconds is not None:
        return [partial(by_seconds, seconds=seconds)] * count
    return None


def _results(
    paths: list[str],
    scorer: "Scorer",
    cuts: list[Cut] | None,
    stop: Callable[[], bool],
) -> Iterator[tuple[Result, Parts]]:
    """One result per path, in order; remote files are not opened. Ends early at a stop."""
    local = [i for i, path in enumerate(paths) if not re.search(REMOTE, path)]
    done: Iterator[tuple[Result, Parts]]
    if cuts is None:
        done = ((result, None) for result in scorer.score_many([paths[i] for i in local]))
    else:
        found = score_segmented(scorer, ((paths[i], cuts[i]) for i in local), stop=stop)
        done = ((each.result, each.segments) for each in found)
    for path in paths:
        if re.search(REMOTE, path):
            reason = f"Remote file '{path}' is not supported. Download it and set filepath to it."
            yield Failure(path, reason, scorer.settings), None
            continue
        result = next(done, None)
        if result is None:
            return
        yield result


def _record(
    samples: SampleCollection,
    scorer: "Scorer",
    name: str,
    overwrite: bool,
    segment_seconds: float | None,
    labels: str | None,
) -> str:
    """Register the run with its settings and its view; returns its key."""
    key = f"{RUN}_{datetime.now(UTC):%Y%m%d_%H%M%S_%f}"
    config = samples.init_run(
        method=RUN,
        field=name,
        overwrite=overwrite,
        segment_seconds=segment_seconds,
        labels=labels,
        **asdict(scorer.settings),
    )
    samples.register_run(key, config)
    return key


def _close_record(dataset: fo.Dataset, summary: Summary) -> None:
    record = summary.to_dict()
    key = record.pop("run_key")
    dataset.save_run_results(key, dataset.init_run_results(key, **record))
