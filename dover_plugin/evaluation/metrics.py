"""Correlation of scores with mean opinion scores (MOS)."""

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from dover_plugin.errors import SettingsError
from dover_plugin.text import counted

MIN_VIDEOS = 3
CONFIDENCE = 0.95
PARAMETERS = 4  # the logistic function has four
RESAMPLES = 1000  # bootstrap samples


@dataclass(frozen=True)
class Correlations:
    """Correlation of scores with MOS.

    Attributes:
        videos: number of videos.
        srocc: Spearman's rank correlation, in [-1, 1].
        plcc: Pearson's linear correlation, in [-1, 1].
        krocc: Kendall's tau-b, in [-1, 1].
        rmse: root mean squared error after ``rescale``, in the unit of the MOS.
    """

    videos: int
    srocc: float
    plcc: float
    krocc: float
    rmse: float


def correlations(scores: Sequence[float], mos: Sequence[float]) -> Correlations:
    """Correlate scores with MOS as the reference implementation does.

    Args:
        scores: one score per video, in any unit.
        mos: one MOS per video, in any unit.

    Raises:
        SettingsError: too few videos, different numbers of scores and MOS, or constant values.
    """
    predicted, labels = _check(scores, mos)
    error = rescale(predicted, labels) - labels
    return Correlations(
        videos=len(labels),
        srocc=float(stats.spearmanr(predicted, labels).statistic),
        plcc=float(stats.pearsonr(predicted, labels).statistic),
        krocc=float(stats.kendalltau(predicted, labels).statistic),
        rmse=float(np.sqrt(np.mean(error**2))),
    )


def intervals(
    scores: Sequence[float], mos: Sequence[float], seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % confidence interval of each measure, from RESAMPLES bootstrap samples of the videos.

    Args:
        scores: one score per video, in any unit.
        mos: one MOS per video, in any unit.
        seed: random seed of the resampling.

    Returns:
        {"srocc": (low, high), ...} for the measures of Correlations.

    Raises:
        SettingsError: as in ``correlations``.
    """
    predicted, labels = _check(scores, mos)
    rng = np.random.default_rng(seed)
    found: list[dict[str, float]] = []
    while len(found) < RESAMPLES:
        chosen = rng.integers(0, len(labels), len(labels))
        part, wanted = predicted[chosen], labels[chosen]
        if np.ptp(part) and np.ptp(wanted):  # a sample of few videos may hold one video only
            found.append(asdict(correlations(part.tolist(), wanted.tolist())))
    levels = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    return {
        name: (float(low), float(high))
        for name in ("srocc", "plcc", "krocc", "rmse")
        for low, high in [np.quantile([each[name] for each in found], levels)]
    }


def logistic_fit(
    scores: Sequence[float], mos: Sequence[float], at: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Map scores to the scale of the MOS with a logistic function of four parameters.

    The function is (b1 - b2) / (1 + exp(-(x - b3) / |b4|)) + b2, fitted by least squares, which is
    customary before the linear correlation of a metric is reported (VQEG; ITU-T P.1401). A line
    replaces it if the fit fails or is worse than a line, or if there are at most PARAMETERS videos.

    Args:
        scores: one score per video, in any unit.
        mos: one MOS per video, in any unit.
        at: scores to map; None maps ``scores``.

    Returns:
        The mapped scores, in the unit of the MOS.

    Raises:
        SettingsError: as in ``correlations``.
    """
    predicted, labels = _check(scores, mos)
    wanted = predicted if at is None else at
    slope, offset = np.polyfit(predicted, labels, 1)
    line: NDArray[np.float64] = slope * wanted + offset
    if len(labels) <= PARAMETERS:
        return line

    def curve(x: NDArray[np.float64], *b: float) -> NDArray[np.float64]:
        top, bottom, middle, width = b
        value: NDArray[np.float64] = (top - bottom) * special.expit((x - middle) / abs(width))
        return value + bottom

    begin = (labels.max(), labels.min(), predicted.mean(), predicted.std() / 4)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optimize.OptimizeWarning)
            found, _ = optimize.curve_fit(curve, predicted, labels, begin, maxfev=10_000)
    except RuntimeError:  # no fit
        return line
    curve_error, line_error = (
        np.square(fitted - labels).sum()
        for fitted in (curve(predicted, *found), slope * predicted + offset)
    )
    return curve(wanted, *found) if curve_error <= line_error else line


def rescale(
    scores: Sequence[float] | NDArray[np.float64], mos: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Scores with the mean and the standard deviation of the MOS."""
    predicted = np.asarray(scores, np.float64)
    return (predicted - predicted.mean()) / predicted.std() * mos.std() + mos.mean()


def _check(
    scores: Sequence[float], mos: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    predicted, labels = np.asarray(scores, np.float64), np.asarray(mos, np.float64)
    if len(predicted) != len(labels) or len(predicted) < MIN_VIDEOS:
        raise SettingsError(
            f"Correlations need scores and MOS of at least {MIN_VIDEOS} videos, got "
            f"{counted(len(predicted), 'score')} and {len(labels)} MOS. Add videos."
        )
    for name, values in (("scores", predicted), ("MOS", labels)):
        if not np.isfinite(values).all():
            raise SettingsError(f"The {name} contain NaN or infinite values. Remove these videos.")
        if not np.ptp(values):
            raise SettingsError(
                f"All {name} are {values[0]:g}, so no correlation exists. Add videos that differ."
            )
    return predicted, labels
