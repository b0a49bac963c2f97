"""Pairs of which the order is known: what is made, and that it is learnt."""

from math import log

import numpy as np
import pytest
import torch

from dover_plugin.training import pairs
from dover_plugin.training.data import Batch, features_of, raw_scores
from dover_plugin.training.learner import Learner
from dover_plugin.training.losses import pair_loss
from dover_plugin.training.pairs import draw_pairs
from dover_plugin.training.run import TrainSettings
from dover_plugin.training.scratch import untrained

SIZE = 64


@pytest.fixture
def batch() -> Batch:
    """Pictures with edges, texture and colour."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (8, 1, 2, SIZE // 8, SIZE // 8, 3)).repeat(8, 3).repeat(8, 4)
    views = np.clip(coarse + rng.normal(0, 12, coarse.shape), 0, 255).astype(np.uint8)
    opinions = torch.linspace(10, 90, 8)
    both = {f"{name}_view": torch.from_numpy(views) for name in ("technical", "aesthetic")}
    return {**both, "overall": opinions, "technical": opinions, "aesthetic": opinions}


def test_pairs_are_drawn_alike_from_one_seed(batch: Batch) -> None:
    first, again, other = (draw_pairs(batch, 3, np.random.default_rng(s)) for s in (1, 1, 2))
    for name in ("technical_view", "aesthetic_view"):
        assert first[name].shape == (6, 1, 2, SIZE, SIZE, 3)
        assert first[name].dtype == torch.uint8
        assert torch.equal(first[name], again[name])
        assert not torch.equal(first[name], other[name])
        for better, worse in zip(first[name][:3], first[name][3:], strict=True):
            assert not torch.equal(better, worse)


def test_more_of_a_fault_is_farther_from_what_it_spoils(batch: Batch) -> None:
    plain = pairs._fragments(batch["technical_view"][0])
    for seed in range(30):
        fault = pairs._fault(plain, np.random.default_rng(seed))
        lost = [float((fault(strength)(plain) - plain).square().mean()) for strength in (1, 3, 5)]
        assert 0 < lost[0] < lost[1] < lost[2]


def test_light_goes_one_way(batch: Batch) -> None:
    view = batch["aesthetic_view"][0]
    for seed in range(20):
        better, worse = pairs._aesthetic(view, np.random.default_rng(seed))
        lost = [float((each.float() - view.float()).square().mean()) for each in (better, worse)]
        assert lost[0] < lost[1]


def test_fragments_are_put_back(batch: Batch) -> None:
    view = batch["technical_view"][0]
    fragments = pairs._fragments(view)
    assert fragments.shape == (2 * 4, 3, 32, 32)
    assert torch.equal(fragments[1].permute(1, 2, 0).byte(), view[0, 0, :32, 32:64])
    assert torch.equal(pairs._mosaic(fragments, view.shape), view)
    coded = pairs._coded(fragments, 1e-4, np.array([3, 5]))
    assert torch.allclose(coded, fragments, atol=0.01)


def test_the_loss_of_pairs() -> None:
    scores = torch.tensor([-1.0, 1.0])  # of deviation 1
    level = torch.zeros(4)
    assert float(pair_loss(level, level, scores)) == pytest.approx(log(2))
    assert float(pair_loss(level + 3, level, scores)) < 1e-3
    assert float(pair_loss(level, level + 2, scores)) == pytest.approx(6, abs=0.01)
    assert float(pair_loss(level + 30, level, 10 * scores)) < 1e-3


def test_the_order_of_pairs_is_learnt(batch: Batch) -> None:
    settings = TrainSettings(
        model="dover-open", init="scratch", what="all", batch_size=8, clip_len=2, window=SIZE,
        learning_rate=0.003, backbone_rate=1.0, optimizer="muon", warmup_epochs=0, draws=0,
        pair_weight=5.0, ema=0.5, precision="bfloat16",
    )  # fmt: skip
    learner = Learner(untrained("dover-open", 0), settings, torch.device("cpu"))
    drawn = draw_pairs(batch, 8, np.random.default_rng(5))

    def lost() -> float:
        with torch.inference_mode():
            found = raw_scores(learner.averaged, features_of(learner.averaged, drawn))
        return float(sum(pair_loss(both[:8], both[8:], both) for both in found))

    before = lost()
    for _ in range(12):
        learner.learn(batch, 1000, 12)
    assert lost() < 0.8 * before
