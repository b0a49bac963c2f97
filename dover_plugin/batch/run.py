"""Score a batch of videos into a journal and resume an earlier run."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from dover_plugin.batch.journal import Journal, Row, Stamp, stamp_of
from dover_plugin.readers.reading import Limits
from dover_plugin.scorer import Scorer


@dataclass
class Tally:
    """What a run did.

    Attributes:
        taken_over: files whose rows were there.
        scored: files that got scores.
        failed: files that got an error.
        stopped: whether Ctrl-C ended it early.
        kinds: how often each kind of error.
    """

    taken_over: int = 0
    scored: int = 0
    failed: int = 0
    stopped: bool = False
    kinds: Counter[str] = field(default_factory=Counter)


def score_batch(
    scorer: Scorer,
    videos: Sequence[str],
    journal: Journal,
    *,
    workers: int = 1,
    limits: Limits | None = None,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[Tally], None] = lambda _: None,
) -> Tally:
    """Score what the journal does not hold.

    Args:
        scorer: scores them.
        videos: paths; one that comes twice is scored once.
        journal: where rows are kept.
        workers: threads, or with ``limits`` processes, that read videos.
        limits: of a process that reads; None reads in threads.
        stopping: asked after each video; what is in hand is finished first.
        progress: told after each video.

    Raises:
        SettingsError: the disk is full.
    """
    tally = Tally()
    missing = [path for path in dict.fromkeys(videos) if not journal.has(path)]
    tally.taken_over = len(dict.fromkeys(videos)) - len(missing)
    stamps: dict[str, Stamp] = {}

    def until_stopped() -> Iterator[str]:
        for path in missing:
            if stopping():
                return
            stamps[path] = stamp_of(path)
            yield path

    results = scorer.score_as_read(until_stopped(), workers=workers, limits=limits)
    for path, result in results:
        journal.add(path, result, stamps.pop(path))
        if result.error:
            tally.failed += 1
            tally.kinds[kind_of(result.error)] += 1
        else:
            tally.scored += 1
        progress(tally)
    tally.stopped = tally.scored + tally.failed < len(missing)
    return tally


def score_kept(
    scorer: Scorer, videos: Sequence[str | PathLike[str]], kept: Path, *, workers: int = 1
) -> Iterator[Row]:
    """Score videos, taking over what ``kept`` holds of them; failed ones are tried again.

    Args:
        scorer: scores them.
        videos: paths.
        kept: a journal.
        workers: threads that read videos.

    Yields:
        One row per video, in order; see Scores.to_dict.

    Raises:
        SettingsError: the file holds scores of other settings, or something else.
    """
    paths = [os.fspath(video) for video in videos]
    with Journal(kept, scorer, retry_failed=True) as journal:
        missing = [path for path in dict.fromkeys(paths) if not journal.has(path)]
        stamps: dict[str, Stamp] = {path: stamp_of(path) for path in missing}
        results = scorer.score_many(missing, workers=workers)
        for path in paths:
            if path in stamps:
                yield journal.add(path, next(results), stamps.pop(path))
            else:
                yield journal.row(path)


def kind_of(error: str) -> str:
    """An error without what is particular to its file."""
    return re.sub(r"""'[^']*'|"[^"]*"|\d[\d.,x]*""", "…", error).split(". ")[0][:80]
