"""What a training leaves in its folder, and how several splits of one set sum up."""

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
from dover_plugin.io.write import write_text
from dover_plugin.networks import CONFIGS
from dover_plugin.training.model import save_trained
from dover_plugin.training.predictions import SCORES, Predictions
from dover_plugin.training.run import TrainSettings
from dover_plugin.training.trainer import Trained

MEASURES = ("srocc", "plcc", "krocc", "rmse")


@dataclass(frozen=True)
class Files:
    """What a training leaves.

    Attributes:
        weights: heads alone, or the whole network.
        calibration: constants of the validation split; None where it is too small.
        test: what was predicted for the test split.
    """

    weights: Path
    calibration: Path | None
    test: Path


def keep(trained: Trained, settings: TrainSettings, folder: Path) -> Files:
    """Write weights first, then constants, predictions and a report.

    Heads whose backbones are a file of the user's are written with them, since that file is not
    where heads are laid over published weights.
    """
    heads = settings.heads_alone and settings.init in CONFIGS
    weights = folder / ("heads.safetensors" if heads else "model.safetensors")
    report = {
        "settings": asdict(settings),
        "init_sha256": trained.start.sha256,
        "best_epoch": trained.best_epoch,
        "test": {name: _as_dict(trained.test.agreement(name)) for name in SCORES},
    }
    save_trained(
        trained.network,
        weights,
        base_sha256=trained.start.sha256 if heads else None,
        about=report,
    )
    write_text(folder / "report.json", json.dumps(report, indent=2))
    test = folder / "test.csv"
    write_text(test, _table(trained.test).to_csv(index=False).rstrip())
    found = trained.validation
    calibration = None
    if len(found.labels) >= MIN_VIDEOS and np.ptp(found.technical) and np.ptp(found.aesthetic):
        calibration = folder / "calibration.json"
        name = f"{folder.absolute().parent.name}-{folder.name}"
        Calibration.fit(name, found.technical.tolist(), found.aesthetic.tolist()).save(calibration)
    return Files(weights, calibration, test)


def summary(found: Sequence[dict[str, Correlations | None]]) -> list[dict[str, Any]]:
    """A row for each score: the means over several splits, and deviations where there are some.

    Splits in which a score was the same for every video have no agreement and are left out.
    """
    rows = []
    for name in SCORES:
        row: dict[str, Any] = {"score": name}
        for measure in MEASURES:
            values = [getattr(each[name], measure) for each in found if each[name]]
            row[measure] = fmean(values) if values else None
            row[f"{measure}_std"] = stdev(values) if len(values) > 1 else None
        rows.append(row)
    return rows


def _as_dict(found: Correlations | None) -> dict[str, Any] | None:
    return asdict(found) if found else None


def _table(found: Predictions) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "file": [str(row.file) for row in found.labels],
            "label": [row.overall for row in found.labels],
            "technical_raw": found.technical,
            "aesthetic_raw": found.aesthetic,
            "overall": found.overall,
        }
    )
