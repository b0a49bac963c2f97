"""Pairs of which the order is known: what is made, and that it is learnt."""

from math import log

import numpy as np
import pytest
import torch

from dover_plugin.training import pairs
from dover_plugin.training.data import Batch, branch_scores, features_of
from dover_plugin.training.examples import BRANCHES
from dover_plugin.training.init import untrained
from dover_plugin.training.learner import Learner
from dover_plugin.training.losses import pair_loss
from dover_plugin.training.pairs import draw_pairs
from dover_plugin.training.run import TrainSettings

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
    views = batch["technical_view"][:3]
    first, again, other = (draw_pairs(views, np.random.default_rng(s)) for s in (1, 1, 2))
    whole = draw_pairs(views, np.random.default_rng(1), "aesthetic")
    assert first.shape == whole.shape == (6, 1, 2, SIZE, SIZE, 3)
    assert first.dtype == torch.uint8
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, whole)
    for better, worse in zip(first[:3], first[3:], strict=True):
        assert not torch.equal(better, worse)


def test_more_of_a_fault_is_farther_from_what_it_spoils(batch: Batch) -> None:
    plain = pairs._fragments(batch["technical_view"][0], 32)
    for seed in range(30):
        fault, _ = pairs._fault(5, np.random.default_rng(seed))
        lost = [float((fault(plain, strength) - plain).square().mean()) for strength in (1, 3, 5)]
        assert 0 < lost[0] < lost[1] < lost[2]


def test_no_edge_of_a_fragment_gives_a_fault_away() -> None:
    slope = torch.arange(64.0).expand(1, 3, 64, 64)  # blur leaves it as it is, but at its edges
    told = []
    for seed in range(60):
        fault, margin = pairs._fault(2.5, np.random.default_rng(seed))
        if not 0 < margin < min(pairs.BLOCKS):  # noise, or coding, which leaves nothing as it is
            continue
        off = (fault(slope, 2.5) - slope).abs()
        assert off[..., margin:-margin, margin:-margin].max() < 0.3
        told.append(bool(off.max() > 0.5))
    assert sum(told) > 20


def test_fragments_are_put_back(batch: Batch) -> None:
    view = batch["technical_view"][0]
    fragments = pairs._fragments(view, 32)
    assert fragments.shape == (2 * 4, 3, 32, 32)
    assert torch.equal(fragments[1].permute(1, 2, 0).byte(), view[0, 0, :32, 32:64])
    assert torch.equal(pairs._mosaic(fragments, view.shape), view)
    for block in pairs.BLOCKS:
        coded = pairs._coded(fragments, 1e-4, np.array([3, 5]), block)
        assert torch.allclose(coded, fragments, atol=0.01)


def test_the_loss_of_pairs() -> None:
    scores = torch.tensor([-1.0, 1.0])  # of deviation 1
    level = torch.zeros(4)
    assert float(pair_loss(level, level, scores)) == pytest.approx(log(2))
    assert float(pair_loss(level + 3, level, scores)) < 1e-3
    assert float(pair_loss(level, level + 2, scores)) == pytest.approx(6, abs=0.01)
    assert float(pair_loss(level + 30, level, 10 * scores)) < 1e-3


@pytest.mark.parametrize("branch", BRANCHES)
def test_the_order_of_pairs_is_learnt(batch: Batch, branch: str) -> None:
    settings = TrainSettings(
        model="dover-open", init="scratch", what="all", batch_size=32, clip_len=2, window=SIZE,
        learning_rate=0.001, backbone_rate=1.0, optimizer="muon", warmup_epochs=0, draws=0,
        pair_weight=5.0, ema=0.5, precision="bfloat16",
    )  # fmt: skip
    batch = {name: values.repeat(4, *[1] * (values.dim() - 1)) for name, values in batch.items()}
    learner = Learner(untrained("dover-open", 0), settings, torch.device("cpu"))
    drawn = draw_pairs(batch[f"{branch}_view"][:16], np.random.default_rng(5), branch)

    def lost() -> float:
        with torch.inference_mode():
            features = features_of(learner.averaged, {f"{branch}_view": drawn})[branch]
            scores = branch_scores(learner.averaged, branch, features)
        return float(pair_loss(scores[:16], scores[16:], scores))

    before = lost()
    for _ in range(30):
        learner.learn(batch, 1000, 30)
    assert lost() < 0.8 * before
