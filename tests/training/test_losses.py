"""Losses against their formulas."""

from math import nan

import numpy as np
import pytest
import torch

from dover_plugin.training.losses import plcc_loss, quality_loss, rank_loss, view_biased_loss

OVERALL = torch.tensor([1.0, 2.0, 3.0, 4.0])
UNKNOWN = torch.full((4,), nan)


def test_losses_by_their_formulas() -> None:
    rng = np.random.default_rng(0)
    p, y = rng.normal(size=9), rng.normal(size=9)
    zp, zy = ((v - v.mean()) / v.std() for v in (p, y))
    rho = (zp * zy).mean()
    plcc = (((zp - zy) ** 2).mean() / 4 + ((rho * zp - zy) ** 2).mean() / 4) / 2
    pairs = [max(0.0, (p[i] - p[j]) * np.sign(y[j] - y[i])) for i in range(9) for j in range(9)]
    rank = sum(pairs) / 9 / 8 / (1 + max(pairs))
    scores, labels = torch.tensor(p), torch.tensor(y)
    assert float(plcc_loss(scores, labels)) == pytest.approx(plcc, rel=1e-6)
    assert float(rank_loss(scores, labels)) == pytest.approx(rank, rel=1e-6)
    assert float(quality_loss(scores, labels)) == pytest.approx(plcc + 0.3 * rank, rel=1e-6)


def test_the_correct_rank_order_costs_nothing() -> None:
    labels = torch.tensor([1.0, 2.0, 5.0])
    assert float(plcc_loss(labels * 3 - 7, labels)) == pytest.approx(0, abs=1e-6)
    assert float(rank_loss(labels, labels)) == 0
    assert float(rank_loss(-labels, labels)) > 0


def test_a_branchs_own_label_counts_where_it_is_known() -> None:
    scores = {branch: torch.tensor([0.1, 0.5, 0.2, 0.9]) for branch in ("technical", "aesthetic")}
    own = torch.tensor([2.0, nan, 1.0, 5.0])
    unlabelled = {"overall": OVERALL, "technical": UNKNOWN, "aesthetic": UNKNOWN}
    plain = view_biased_loss(scores, unlabelled, 0.5)
    assert float(plain) == pytest.approx(2 * float(quality_loss(scores["technical"], OVERALL)))
    known = [0, 2, 3]
    expected = float(quality_loss(scores["technical"][known], own[known]))
    for weight in (0.0, 0.5, 2.0):
        both = view_biased_loss(scores, {**unlabelled, "technical": own}, weight)
        assert float(both - plain) == pytest.approx(weight * expected, rel=1e-5, abs=1e-7)


def test_one_branch_is_trained_on_its_own_labels() -> None:
    scores = torch.tensor([0.0, 9.0, 1.0, 8.0])
    own = torch.tensor([4.0, 1.0, 3.0, 2.0])
    labels = {"overall": OVERALL, "technical": own, "aesthetic": own.flip(0)}
    loss = view_biased_loss({"technical": scores}, labels, 0.5)
    expected = quality_loss(scores, OVERALL) + 0.5 * quality_loss(scores, own)
    assert float(loss) == pytest.approx(float(expected))
    other = view_biased_loss({"aesthetic": scores}, labels, 0.5)
    expected = quality_loss(scores, OVERALL) + 0.5 * quality_loss(scores, own.flip(0))
    assert float(other) == pytest.approx(float(expected))


def test_a_batch_without_known_labels_has_a_finite_loss() -> None:
    scores = torch.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    one_known = torch.tensor([nan, 1.0, nan, nan])
    labels = {"overall": OVERALL.flip(0), "technical": one_known, "aesthetic": UNKNOWN}
    view_biased_loss({"technical": scores}, labels, 0.5).backward()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
