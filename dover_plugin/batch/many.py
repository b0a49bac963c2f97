"""Many videos in one call: ``score_many``, and ``to_frame`` for what it gives."""

from collections.abc import Iterable, Iterator
from os import PathLike, fspath
from typing import TYPE_CHECKING, Unpack

from dover_plugin.io.inputs import expand
from dover_plugin.options import ScorerOptions
from dover_plugin.readers.reading import Limits
from dover_plugin.scorer import Scorer
from dover_plugin.scores import COLUMNS, Result

if TYPE_CHECKING:
    import pandas as pd


def score_many(
    videos: Iterable[str | PathLike[str]],
    *,
    workers: int = 1,
    limits: Limits | None = None,
    **options: Unpack[ScorerOptions],
) -> Iterator[Result]:
    """Score files, what is below folders, and what patterns match.

    To keep scores as they come and go on after a stop, see dover_plugin.batch.

    Args:
        videos: paths, folders, or patterns as "clips/**/*.mp4".
        workers: threads that read videos.
        limits: read in processes instead, each of which may take so much for one video; call it
            below ``if __name__ == "__main__":`` then.
        options: settings of Scorer, such as ``model`` and ``device``.

    Yields:
        Scores, or a Failure for a video that has none; one per video, in order.

    Raises:
        SettingsError: settings that make no sense.
        WeightsError: weights that are missing or wrong.
    """
    scorer = Scorer(**options)
    paths = expand(fspath(video) for video in videos)
    yield from scorer.score_many(paths, workers=workers, limits=limits)


def to_frame(results: Iterable[Result]) -> "pd.DataFrame":
    """A row per result, columns as in the tables of ``dover score``."""
    import pandas as pd

    return pd.DataFrame([result.to_dict() for result in results], columns=list(COLUMNS))
