"""Features: cached ones, those of views, and agreement with the scores that users get."""

from pathlib import Path

import numpy as np
import pytest
import torch
from clips import scene, write_clip
from train_helpers import CPU, SETTINGS

from dover_plugin import Scorer
from dover_plugin.evaluation.labels import LabelledVideo
from dover_plugin.preprocessing.sampling_rule import DOVER
from dover_plugin.training import dataset as dataset_module
from dover_plugin.training.data import load_batches
from dover_plugin.training.dataset import FeatureBuilder, VideoDataset, ViewBuilder
from dover_plugin.training.features import branch_features, raw_scores
from dover_plugin.training.model import load_initial
from dover_plugin.training.predictions import predict
from dover_plugin.training.settings import TrainSettings


def test_cached_features_and_views_give_equal_scores(
    labels: list[LabelledVideo], tmp_path: Path
) -> None:
    network, _ = load_initial(SETTINGS)
    rows = labels[::5]
    scores = []
    for build in (ViewBuilder(), FeatureBuilder(network, "hash", CPU)):
        dataset = VideoDataset(rows, build, seed=0, cached_samples=1, cache=tmp_path)
        (batch,) = load_batches(dataset, [[(0, i) for i in range(len(rows))]], workers=0)
        assert batch["overall"].tolist() == [row.overall for row in rows]
        assert batch["technical"].isnan().all()
        features = branch_features(network, batch)
        assert features["technical"].values.shape[:2] == (len(rows), 1)
        scores.append(raw_scores(network, features))
        one = branch_features(network, batch, ["aesthetic"])
        assert list(one) == ["aesthetic"]
        torch.testing.assert_close(one["aesthetic"].values, features["aesthetic"].values)
    for branch in ("technical", "aesthetic"):
        torch.testing.assert_close(scores[0][branch], scores[1][branch], rtol=0, atol=2e-3)


def test_training_scores_are_those_of_the_scorer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dover-open ignores black cells, which a letterboxed video has."""
    monkeypatch.setattr(dataset_module, "RULE", DOVER)  # the real clip length
    frames = np.stack(list(scene(8, 240, 320)))
    frames[:, :80] = 0
    rows = [
        LabelledVideo(write_clip(tmp_path / "whole.mp4", 8), 1.0),
        LabelledVideo(write_clip(tmp_path / "letterbox.mp4", frames=iter(frames)), 2.0),
    ]
    network, sha256 = load_initial(TrainSettings(model="dover-open", init="dover-open"))
    expected = [Scorer("dover-open", "cpu").score(row.file).raw for row in rows]
    for build, tolerance in ((ViewBuilder(), 1e-4), (FeatureBuilder(network, sha256, CPU), 5e-3)):
        videos = VideoDataset(rows, build, seed=0, cached_samples=1, cache=tmp_path / "cache")
        found = predict(network, videos, CPU, workers=0)
        for index, raw in enumerate(expected):
            assert found.technical[index] == pytest.approx(raw.technical, abs=tolerance)
            assert found.aesthetic[index] == pytest.approx(raw.aesthetic, abs=tolerance)
    assert abs(expected[0].technical - expected[1].technical) > 2e-2
