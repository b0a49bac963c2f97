"""Files that a run leaves, and the summary of several splits."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from train_helpers import SETTINGS, TINY

from dover_plugin.calibration import Calibration
from dover_plugin.evaluation.labels import LabelledVideo
from dover_plugin.networks import Dover
from dover_plugin.training.artifacts import save_artifacts, summary
from dover_plugin.training.predictions import Predictions
from dover_plugin.training.trainer import TrainingResult


def predictions(count: int, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    mos = rng.uniform(1, 5, count)
    rows = [LabelledVideo(Path(f"{i}.mp4"), float(value)) for i, value in enumerate(mos)]
    return Predictions(rows, 0.1 * mos + 0.01 * rng.normal(size=count), rng.normal(size=count))


def result(validation: Predictions, test: Predictions) -> TrainingResult:
    torch.manual_seed(0)
    return TrainingResult(Dover(TINY), "abc", 2, validation, test)


def test_the_report_the_predictions_and_the_calibration(tmp_path: Path) -> None:
    validation, test = predictions(12), predictions(5, 1)
    files = save_artifacts(result(validation, test), SETTINGS, tmp_path)
    report = json.loads((tmp_path / "report.json").read_text())
    correlations = test.correlations("technical")
    assert correlations is not None
    assert report["test"]["technical"]["srocc"] == correlations.srocc
    assert report["settings"]["epochs"] == SETTINGS.epochs
    assert (report["best_epoch"], report["init_sha256"]) == (2, "abc")
    table = pd.read_csv(files.test)
    assert table["mos"].tolist() == pytest.approx([row.overall for row in test.labels])
    assert table["technical_raw"].tolist() == pytest.approx(test.technical.tolist())
    assert files.calibration is not None
    fitted = Calibration.load(files.calibration)
    assert fitted.name == f"{tmp_path.parent.name}-{tmp_path.name}"
    assert fitted.technical_mean == pytest.approx(validation.technical.mean())
    assert fitted.aesthetic_std == pytest.approx(validation.aesthetic.std())


def test_a_small_validation_split_gives_no_calibration(tmp_path: Path) -> None:
    files = save_artifacts(result(predictions(9), predictions(5)), SETTINGS, tmp_path)
    assert files.calibration is None
    assert not (tmp_path / "calibration.json").exists()


def test_the_summary_of_several_splits() -> None:
    tests = [predictions(20, seed) for seed in range(3)]
    results = [
        {name: test.correlations(name) for name in ("overall", "technical", "aesthetic")}
        for test in tests
    ]
    results[2]["aesthetic"] = None
    rows = {row["score"]: row for row in summary(results)}
    values = [test.correlations("technical").srocc for test in tests]
    assert rows["technical"]["srocc"] == pytest.approx(np.mean(values))
    assert rows["technical"]["srocc_std"] == pytest.approx(np.std(values, ddof=1))
    assert rows["aesthetic"]["plcc"] == pytest.approx(
        np.mean([test.correlations("aesthetic").plcc for test in tests[:2]])
    )
    (one, *_) = summary(results[:1])
    assert one["srocc"] == tests[0].correlations().srocc
    assert one["srocc_std"] is None
    assert summary([dict.fromkeys(results[0])])[0]["srocc"] is None


def test_equal_scores_have_no_correlation() -> None:
    labels = predictions(5).labels
    constant, varied = np.ones(5), np.arange(5.0)
    found = Predictions(labels, constant, varied)
    assert found.correlations("technical") is None
    assert found.correlations("aesthetic") is not None
    assert np.allclose(found.overall, 0.3896 * (varied - 2) / varied.std())
    assert Predictions(labels, np.full(5, np.nan), varied).correlations("technical") is None
