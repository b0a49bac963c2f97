"""Statistics of a score over segments or videos."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dover_plugin.errors import SettingsError

PERCENTILES = (1, 5, 10)


@dataclass(frozen=True)
class Statistics:
    """Statistics of some values.

    Attributes:
        mean: arithmetic mean.
        harmonic_mean: number of values over the sum of their inverses, which low values pull down;
            0 if a value is 0, None if one is negative.
        median: median.
        minimum: lowest value.
        p1: 1st percentile, linearly interpolated.
        p5: 5th percentile.
        p10: 10th percentile.
        std: standard deviation of the values, without Bessel's correction.
    """

    mean: float
    harmonic_mean: float | None
    median: float
    minimum: float
    p1: float
    p5: float
    p10: float
    std: float

    def gate(self, name: str) -> float:
        """The statistic that a limit applies to, "min" for the minimum.

        Raises:
            SettingsError: the values have no such statistic.
        """
        value = getattr(self, "minimum" if name == "min" else name)
        if value is None:
            raise SettingsError(
                "Values below 0 have no harmonic mean. Use another statistic, such as mean or min."
            )
        return float(value)

    @classmethod
    def of(cls, values: Sequence[float]) -> "Statistics":
        """The statistics of at least one value."""
        known = np.asarray(values, dtype=np.float64)
        p1, p5, p10 = (float(each) for each in np.percentile(known, PERCENTILES))
        return cls(
            float(known.mean()),
            _harmonic_mean(known),
            float(np.median(known)),
            float(known.min()),
            p1,
            p5,
            p10,
            float(known.std()),
        )


def _harmonic_mean(values: NDArray[np.float64]) -> float | None:
    if (values < 0).any():
        return None
    return 0.0 if (values == 0).any() else float(len(values) / (1 / values).sum())
