"""Correlations of each branch and of the fused score with MOS."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dover_plugin.calibration import AESTHETIC_WEIGHT, TECHNICAL_WEIGHT
from dover_plugin.errors import SettingsError
from dover_plugin.evaluation.metrics import agreement, intervals, logistic_fit
from dover_plugin.preprocessing.sampling import BRANCHES

MEASURES = ("srocc", "plcc", "plcc_fitted", "krocc", "rmse")


@dataclass(frozen=True)
class EvaluationResult:
    """How well one score agrees with the opinions.

    Attributes:
        score: "technical", "aesthetic", "overall" (as users get it), or "z-scores": both branches,
            each brought to zero mean and unit deviation over this set, and weighted as the set's
            preset says.
        videos: how many.
        values: of MEASURES. plcc_fitted is after the logistic fit, plcc before; rmse is in the
            unit of the opinions, of scores with their mean and deviation.
        intervals: 95 % of the bootstrap, without plcc_fitted.
    """

    score: str
    videos: int
    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def accuracy(
    rows: Sequence[dict[str, Any]], mos: Sequence[float], technical_weight: float | None = None
) -> list[EvaluationResult]:
    """Agreement of each branch and of both fused.

    Args:
        rows: of scored videos; see Scores.to_dict.
        mos: opinions of the same videos.
        technical_weight: of the z-scores; None takes the reference's weights.

    Raises:
        SettingsError: too few videos, or values that do not differ. A score that alone is the same
            for all, as a saturated one, is left out.
    """
    weights = (technical_weight, 1 - technical_weight) if technical_weight else None
    technical, aesthetic = weights or (TECHNICAL_WEIGHT, AESTHETIC_WEIGHT)
    raw = {name: np.array([row[f"{name}_raw"] for row in rows]) for name in BRANCHES}
    z = {name: (values - values.mean()) / (values.std() or 1) for name, values in raw.items()}
    scores = {
        "overall": [row["overall"] for row in rows],
        "technical": raw["technical"],
        "aesthetic": raw["aesthetic"],
        "z-scores": technical * z["technical"] + aesthetic * z["aesthetic"],
    }
    values = {name: np.asarray(each) for name, each in scores.items()}
    alike = [name for name, each in values.items() if not np.ptp(each)]
    if len(alike) == len(values):
        raise SettingsError(
            f"All {len(rows)} videos got the same score: nothing agrees with it or does not."
        )
    return [_accuracy(name, each, mos) for name, each in values.items() if name not in alike]




def _accuracy(name: str, scores: np.ndarray, mos: Sequence[float]) -> EvaluationResult:
    found = agreement(scores.tolist(), mos)
    fitted = np.corrcoef(logistic_fit(scores.tolist(), mos), mos)[0, 1]
    values = {**asdict(found), "plcc_fitted": float(fitted)}
    return EvaluationResult(
        name,
        found.videos,
        {measure: values[measure] for measure in MEASURES},
        intervals(scores.tolist(), mos),
    )
