"""How much a score changed over the segments of a video, and what may be said of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 2000  # of the bootstrap
FEWEST = 8  # segments of an interval; those of fewer are too narrow
INTERVAL = "95 % by the studentised bootstrap over segments"
SMALL = 0.01  # a mean difference below this is none, whatever its interval
TOLERANCE = 0.02  # quality is kept where the whole interval lies within this


@dataclass(frozen=True)
class Change:
    """How one score changed, after minus before.

    Attributes:
        difference: mean over the segments, in [-1, 1].
        low: where its 95 % interval begins; None with fewer than FEWEST segments.
        high: where it ends.
    """

    difference: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, differences: Sequence[float]) -> "Change":
        """The mean and its interval: the bootstrap of (mean - true) / spread, seeded.

        Dividing each resampled mean by its own spread is what keeps intervals of few segments wide
        enough (Efron and Tibshirani 1993, section 12.5).
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
        """As -0.110 (-0.130 to -0.090)."""
        if self.low is None:
            return f"{self.difference:+.3f}"
        return f"{self.difference:+.3f} ({self.low:+.3f} to {self.high:+.3f})"
