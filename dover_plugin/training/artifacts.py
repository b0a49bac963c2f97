"""The files that a training run leaves, and the summary of several splits."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pandas as pd

from dover_plugin.calibration import MIN_VIDEOS, Calibration
from dover_plugin.evaluation.metrics import Correlations
from dover_plugin.io.csv_cells import safe_frame
from dover_plugin.io.write import write_text
from dover_plugin.scores import SCORES
from dover_plugin.training.model import save_weights
from dover_plugin.training.predictions import Predictions
from dover_plugin.training.settings import TrainSettings
from dover_plugin.training.trainer import TrainingResult
from dover_plugin.weights.registry import MODELS

MEASURES = ("srocc", "plcc", "krocc", "rmse")


@dataclass(frozen=True)
class Artifacts:
    """Files of a finished run.

    Attributes:
        weights: weights of the heads, or of the whole network.
        calibration: calibration on the validation split; None if it is too small.
        test: table of the predictions for the test split.
    """

    weights: Path
    calibration: Path | None
    test: Path


def save_artifacts(result: TrainingResult, settings: TrainSettings, folder: Path) -> Artifacts:
    """Write weights, report, test predictions and calibration to ``folder``.

    Heads trained on published weights are written alone. Heads trained on a weights file of the
    user are written together with the backbones, because loading heads looks for published weights.

    Raises:
        WeightsError: the weights cannot be written.
        SettingsError: another file cannot be written.
    """
    heads_alone = settings.heads_only and settings.init in MODELS
    weights = folder / ("heads.safetensors" if heads_alone else "model.safetensors")
    test = folder / "test.csv"
    report = {
        "settings": asdict(settings),
        "init_sha256": result.initial_sha256,
        "best_epoch": result.best_epoch,
        "test": {name: _to_dict(result.test.correlations(name)) for name in SCORES},
    }
    base = result.initial_sha256 if heads_alone else None
    save_weights(result.network, weights, base_sha256=base, about=report)
    write_text(folder / "report.json", json.dumps(report, indent=2))
    write_text(test, safe_frame(_table(result.test)).to_csv(index=False).rstrip())
    return Artifacts(weights, _save_calibration(result.validation, folder), test)


def summary(
    results: Sequence[dict[str, Correlations | None]],
) -> list[dict[str, Any]]:
    """One row per score: mean and standard deviation of each measure over the splits.

    Args:
        results: correlations by score, one dictionary per split. Splits without a correlation are
            left out of its mean.
    """
    rows = []
    for name in SCORES:
        row: dict[str, Any] = {"score": name}
        for measure in MEASURES:
            values = [getattr(each[name], measure) for each in results if each[name]]
            row[measure] = fmean(values) if values else None
            row[f"{measure}_std"] = stdev(values) if len(values) > 1 else None
        rows.append(row)
    return rows


def _save_calibration(validation: Predictions, folder: Path) -> Path | None:
    """Fit and write a calibration; None if there are too few videos or all scores are equal."""
    technical, aesthetic = validation.technical, validation.aesthetic
    if len(validation.labels) < MIN_VIDEOS or not np.ptp(technical) or not np.ptp(aesthetic):
        return None
    path = folder / "calibration.json"
    name = f"{folder.absolute().parent.name}-{folder.name}"
    Calibration.fit(name, technical.tolist(), aesthetic.tolist()).save(path)
    return path


def _to_dict(correlations: Correlations | None) -> dict[str, Any] | None:
    return asdict(correlations) if correlations else None


def _table(predictions: Predictions) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "file": [str(row.file) for row in predictions.labels],
            "mos": [row.overall for row in predictions.labels],
            "technical_raw": predictions.technical,
            "aesthetic_raw": predictions.aesthetic,
            "overall": predictions.overall,
        }
    )
