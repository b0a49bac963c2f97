"""How well scores agree with mean opinion scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from dover_plugin.errors import SettingsError

MIN_VIDEOS = 3


@dataclass(frozen=True)
class Agreement:
    """Scores against opinions.

    Attributes:
        videos: how many had both.
        srocc: Spearman's rank correlation, in [-1, 1].
        plcc: Pearson's linear correlation, in [-1, 1].
        krocc: Kendall's tau-b, in [-1, 1].
        rmse: root mean squared error after ``rescale``, in the unit of the opinions.
    """

    videos: int
    srocc: float
    plcc: float
    krocc: float
    rmse: float


def agreement(scores: Sequence[float], mos: Sequence[float]) -> Agreement:
    """Compare scores with opinions, as the reference does.

    Args:
        scores: one a video, in any unit.
        mos: likewise.

    Raises:
        SettingsError: too few, not one each, or all alike.
    """
    predicted, opinions = _check(scores, mos)
    error = rescale(predicted, opinions) - opinions
    return Agreement(
        videos=len(opinions),
        srocc=float(stats.spearmanr(predicted, opinions).statistic),
        plcc=float(stats.pearsonr(predicted, opinions).statistic),
        krocc=float(stats.kendalltau(predicted, opinions).statistic),
        rmse=float(np.sqrt(np.mean(error**2))),
    )


def rescale(
    scores: Sequence[float] | NDArray[np.float64], mos: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Scores with the mean and standard deviation of the opinions, and so in their unit."""
    predicted = np.asarray(scores, np.float64)
    return (predicted - predicted.mean()) / predicted.std() * mos.std() + mos.mean()


def _check(
    scores: Sequence[float], mos: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    predicted, opinions = np.asarray(scores, np.float64), np.asarray(mos, np.float64)
    if len(predicted) != len(opinions) or len(predicted) < MIN_VIDEOS:
        raise SettingsError(
            f"Agreement needs a score and an opinion of at least {MIN_VIDEOS} videos, got "
            f"{len(predicted)} scores and {len(opinions)} opinions."
        )
    for name, values in (("scores", predicted), ("opinions", opinions)):
        if not np.isfinite(values).all() or not values.std():
            raise SettingsError(
                f"The {name} must be numbers that differ, got {values.min()} to {values.max()}."
            )
    return predicted, opinions
