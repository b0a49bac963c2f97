"""Score many videos in one call, and convert the results to a table."""

from collections.abc import Iterable, Iterator
from os import PathLike, fspath
from typing import TYPE_CHECKING, Unpack

from dover_plugin.io.inputs import expand
from dover_plugin.io.source import Video
from dover_plugin.options import ScorerOptions, check_list
from dover_plugin.readers.reading import Limits
from dover_plugin.scorer import Scorer
from dover_plugin.scores import COLUMNS, Result

if TYPE_CHECKING:
    import pandas as pd


def score_many(
    videos: Iterable[Video],
    *,
    workers: int = 1,
    limits: Limits | None = None,
    **options: Unpack[ScorerOptions],
) -> Iterator[Result]:
    """Score files, the videos in folders, and the files that patterns match.

    Use Journal and score_batch to write each score at once and to resume after a stop.

    Args:
        videos: paths, folders, patterns such as "clips/**/*.mp4", or other inputs of
            Scorer.score.
        workers: number of threads, or with ``limits`` of processes, that read videos.
        limits: time and memory that a reader process may use for one video; None reads in threads.
            Scripts that use processes need ``if __name__ == "__main__":``.
        options: settings of Scorer, such as ``model`` and ``device``.

    Yields:
        Scores, or a Failure for a video that cannot be scored; one per video, in order.

    Raises:
        SettingsError: settings that do not work.
        WeightsError: weights that are missing or damaged.

    Examples:
        >>> for result in score_many(["*.mp4"], device="cpu"):
        ...     print(result.path, result.error or f"{result.overall:.1f}")
        bad.mp4 0.3
        good.mp4 0.6
    """
    scorer = Scorer(**options)
    check_list(videos)
    yield from scorer.score_many(_each(videos), workers=workers, limits=limits)


def _each(videos: Iterable[Video]) -> Iterator[Video]:
    """Videos of any kind, with those in folders and patterns in place of their names."""
    for video in videos:
        if isinstance(video, str | PathLike):
            yield from expand([fspath(video)])
        else:
            yield video


def to_frame(results: Iterable[Result]) -> "pd.DataFrame":
    """A table with one row per result and the columns of ``dover score``.

    Examples:
        >>> table = to_frame(score_many(["good.mp4", "missing.mp4"], device="cpu"))
        >>> table[["path", "num_frames"]].values.tolist()
        [['good.mp4', 50.0], ['missing.mp4', nan]]
    """
    import pandas as pd

    return pd.DataFrame([result.to_dict() for result in results], columns=list(COLUMNS))
