"""How well scores agree with mean opinion scores."""

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from dover_plugin.errors import SettingsError

MIN_VIDEOS = 3
CONFIDENCE = 0.95
PARAMETERS = 4  # of the logistic function
RESAMPLES = 1000  # of the bootstrap


@dataclass(frozen=True)
class Correlations:
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


def agreement(scores: Sequence[float], mos: Sequence[float]) -> Correlations:
    """Compare scores with opinions, as the reference does.

    Args:
        scores: one a video, in any unit.
        mos: likewise.

    Raises:
        SettingsError: too few, not one each, or all alike.
    """
    predicted, opinions = _check(scores, mos)
    error = rescale(predicted, opinions) - opinions
    return Correlations(
        videos=len(opinions),
        srocc=float(stats.spearmanr(predicted, opinions).statistic),
        plcc=float(stats.pearsonr(predicted, opinions).statistic),
        krocc=float(stats.kendalltau(predicted, opinions).statistic),
        rmse=float(np.sqrt(np.mean(error**2))),
    )


def intervals(
    scores: Sequence[float], mos: Sequence[float], seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Where each measure lies in 95 % of RESAMPLES bootstrap samples of the videos.

    Args:
        scores: one a video, in any unit.
        mos: likewise.
        seed: of the resampling.

    Returns:
        {"srocc": (low, high), ...} with the measures of Agreement.

    Raises:
        SettingsError: as ``agreement``.
    """
    predicted, opinions = _check(scores, mos)
    rng = np.random.default_rng(seed)
    found: list[dict[str, float]] = []
    while len(found) < RESAMPLES:
        chosen = rng.integers(0, len(opinions), len(opinions))
        part, wanted = predicted[chosen], opinions[chosen]
        if np.ptp(part) and np.ptp(wanted):  # few videos may all be the same one
            found.append(asdict(agreement(part.tolist(), wanted.tolist())))
    levels = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    return {
        name: (float(low), float(high))
        for name in ("srocc", "plcc", "krocc", "rmse")
        for low, high in [np.quantile([each[name] for each in found], levels)]
    }


def logistic_fit(
    scores: Sequence[float], mos: Sequence[float], at: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Scores brought to the opinions' scale by the logistic function of four parameters.

    (b1 - b2) / (1 + exp(-(x - b3) / |b4|)) + b2, fitted by least squares, as is usual before the
    linear correlation of a metric is reported (VQEG; ITU-T P.1401). Where no fit is found, it is
    worse than a line, or there are no more videos than parameters, it is the line.

    Args:
        scores: one a video, in any unit.
        mos: likewise.
        at: scores that are brought there in place of those that it is fitted to, as for a plot.

    Raises:
        SettingsError: as ``agreement``.
    """
    predicted, opinions = _check(scores, mos)
    wanted = predicted if at is None else at
    slope, offset = np.polyfit(predicted, opinions, 1)
    line: NDArray[np.float64] = slope * wanted + offset
    if len(opinions) <= PARAMETERS:
        return line

    def curve(x: NDArray[np.float64], *b: float) -> NDArray[np.float64]:
        top, bottom, middle, width = b
        value: NDArray[np.float64] = (top - bottom) * special.expit((x - middle) / abs(width))
        return value + bottom

    begin = (opinions.max(), opinions.min(), predicted.mean(), predicted.std() / 4)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optimize.OptimizeWarning)
            found, _ = optimize.curve_fit(curve, predicted, opinions, begin, maxfev=10_000)
    except RuntimeError:  # no fit
        return line
    error, of_line = (
        np.square(fitted - opinions).sum()
        for fitted in (curve(predicted, *found), slope * predicted + offset)
    )
    return curve(wanted, *found) if error <= of_line else line


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
        if not np.isfinite(values).all() or not np.ptp(values):
            raise SettingsError(
                f"The {name} must be numbers that differ, got {values.min()} to {values.max()}."
            )
    return predicted, opinions
