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
    """Counts of a run.

    Attributes:
        resumed: videos whose rows were in the journal.
        scored: videos that were scored.
        failed: videos that failed.
        stopped: whether Ctrl-C ended the run early.
        kinds: number of errors of each kind.
    """

    resumed: int = 0
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
    """Score the videos that the journal does not hold.

    Args:
        scorer: scorer of the videos.
        videos: paths; a path that occurs twice is scored once.
        journal: receives the rows.
        workers: number of threads, or with ``limits`` of processes, that read videos.
        limits: time and memory that a process may use for one video; None reads in threads.
        stopping: called after each video; if it returns True, videos in progress are finished.
        progress: called with the counts after each video.

    Raises:
        SettingsError: the disk is full.

    Examples:
        >>> from pathlib import Path
        >>> from dover_plugin import Journal, Scorer
        >>> scorer = Scorer(device="cpu")
        >>> with Journal(Path("scores.jsonl"), scorer) as journal:
        ...     tally = score_batch(scorer, ["good.mp4", "missing.mp4"], journal)
        >>> tally.scored, tally.failed, tally.resumed
        (1, 1, 0)
    """
    tally = Tally()
    missing = [path for path in dict.fromkeys(videos) if not journal.has(path)]
    tally.resumed = len(dict.fromkeys(videos)) - len(missing)
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


def score_resumed(
    scorer: Scorer, videos: Sequence[str | PathLike[str]], file: Path, *, workers: int = 1
) -> Iterator[Row]:
    """Score the videos that a journal does not hold, and yield the rows of all.

    Failed videos are scored again.

    Args:
        scorer: scorer of the videos.
        videos: paths.
        file: file of the journal.
        workers: number of threads that read videos.

    Yields:
        One row per video, in order; see Scores.to_dict.

    Raises:
        SettingsError: the file is not a journal, or holds scores of other settings.
    """
    paths = [os.fspath(video) for video in videos]
    with Journal(file, scorer, retry_failed=True) as journal:
        missing = [path for path in dict.fromkeys(paths) if not journal.has(path)]
        stamps: dict[str, Stamp] = {path: stamp_of(path) for path in missing}
        results = scorer.score_many(missing, workers=workers)
        for path in paths:
            if path in stamps:
                yield journal.add(path, next(results), stamps.pop(path))
            else:
                yield journal.row(path)


def kind_of(error: str) -> str:
    """An error message without names and numbers, so that equal errors can be counted."""
    return re.sub(r"""'[^']*'|"[^"]*"|\d[\d.,x]*""", "…", error).split(". ")[0][:80]
