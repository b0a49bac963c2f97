"""Correlations of each branch and of the fused score with MOS."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dover_plugin.calibration import AESTHETIC_WEIGHT, TECHNICAL_WEIGHT
from dover_plugin.errors import SettingsError
from dover_plugin.evaluation.metrics import correlations, intervals, logistic_fit
from dover_plugin.preprocessing.sampling import BRANCHES
from dover_plugin.text import counted

MEASURES = ("srocc", "plcc", "plcc_fitted", "krocc", "rmse")


@dataclass(frozen=True)
class EvaluationResult:
    """Correlation of one score with MOS.

    Attributes:
        score: "technical", "aesthetic", "overall" (the fused score), or "z-scores": the weighted
            sum of both branches after normalisation over this data set; the preset of the data
            set gives the weights.
        videos: number of videos.
        values: one value per name in MEASURES. plcc is before the logistic fit, plcc_fitted after
            it. rmse is in the unit of the MOS.
        intervals: 95 % bootstrap intervals of all measures except plcc_fitted.
    """

    score: str
    videos: int
    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]

    def to_dict(self) -> dict[str, Any]:
        """A dictionary for JSON."""
        return asdict(self)


def evaluate_scores(
    rows: Sequence[dict[str, Any]], mos: Sequence[float], technical_weight: float | None = None
) -> list[EvaluationResult]:
    """Correlate the score of each branch and the fused scores with MOS.

    A score that is equal for all videos, for example a saturated one, is left out, and so are the
    scores of a branch that was not run and the fused scores that need it.

    Args:
        rows: rows of scored videos; see Scores.to_dict.
        mos: MOS of the same videos.
        technical_weight: weight of the technical z-score; None uses the weights of the reference
            implementation.

    Raises:
        SettingsError: too few videos, or all scores are constant.
    """
    weights = (technical_weight, 1 - technical_weight) if technical_weight else None
    technical, aesthetic = weights or (TECHNICAL_WEIGHT, AESTHETIC_WEIGHT)
    run: list[str] = [name for name in BRANCHES if rows[0][f"{name}_raw"] is not None]
    raw = {name: np.array([row[f"{name}_raw"] for row in rows]) for name in run}
    z = {name: (values - values.mean()) / (values.std() or 1) for name, values in raw.items()}
    overall = [row["overall"] for row in rows]
    values = {"overall": np.array(overall)} if None not in overall else {}
    values.update(raw)
    if len(z) == len(BRANCHES):
        values["z-scores"] = technical * z["technical"] + aesthetic * z["aesthetic"]
    constant = [name for name, each in values.items() if not np.ptp(each)]
    if len(constant) == len(values):
        raise SettingsError(
            f"All scores of {counted(len(rows), 'video')} are equal, so no correlation exists. "
            "Add videos that differ."
        )
    return [_evaluate(name, each, mos) for name, each in values.items() if name not in constant]


def _evaluate(name: str, scores: np.ndarray, mos: Sequence[float]) -> EvaluationResult:
    found = correlations(scores.tolist(), mos)
    fitted = np.corrcoef(logistic_fit(scores.tolist(), mos), mos)[0, 1]
    values = {**asdict(found), "plcc_fitted": float(fitted)}
    return EvaluationResult(
        name,
        found.videos,
        {measure: values[measure] for measure in MEASURES},
        intervals(scores.tolist(), mos),
    )
