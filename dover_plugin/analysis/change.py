"""Difference of a score over the segments of a video, with its confidence interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 2000  # of the bootstrap
FEWEST = 8  # segments; intervals over fewer segments are too narrow
INTERVAL = "95 % by the studentised bootstrap over segments"
SMALL = 0.01  # a smaller mean difference is never a loss or a gain
TOLERANCE = 0.02  # quality is kept if the whole interval is within +- this


@dataclass(frozen=True)
class Change:
    """Difference of one score, after minus before.

    Attributes:
        difference: mean over the segments, in [-1, 1].
        low: lower end of the 95 % interval; None with fewer than FEWEST segments.
        high: upper end of the interval.
    """

    difference: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, differences: Sequence[float]) -> "Change":
        """Mean and studentised bootstrap interval, with a fixed seed.

        Each resampled mean is divided by its own standard error, which keeps intervals over few
        segments wide enough (Efron and Tibshirani 1993, section 12.5).
        """
        values = np.asarray(differences, dtype=np.float64)
        mean, count = float(values.mean()), len(values)
        if count < FEWEST:
            return cls(mean, None, None)
        spread = float(values.std(ddof=1)) / count**0.5
        drawn = values[np.random.default_rng(0).integers(0, count, (RESAMPLES, count))]
        spreads = drawn.std(axis=1, ddof=1) / count**0.5
        varied = spreads > 0
        if not varied.any():
            return cls(mean, mean, mean)
        off = (drawn.mean(axis=1) - mean)[varied] / spreads[varied]
        low, high = np.quantile(off, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return cls(mean, mean - float(high) * spread, mean - float(low) * spread)

    @property
    def verdict(self) -> str:
        """One of "loses", "gains", "keeps"; "unsure" if the interval is too wide or missing."""
        if self.low is None or self.high is None:
            return "unsure"
        if self.low >= -TOLERANCE and self.high <= TOLERANCE:
            return "keeps"
        if abs(self.difference) >= SMALL and (self.low > 0 or self.high < 0):
            return "loses" if self.difference < 0 else "gains"
        return "unsure"

    @property
    def text(self) -> str:
        """Text such as -0.110 (-0.130 to -0.090)."""
        if self.low is None:
            return f"{self.difference:+.3f}"
        return f"{self.difference:+.3f} ({self.low:+.3f} to {self.high:+.3f})"
