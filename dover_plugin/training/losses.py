"""Training losses.

Source: paper section 4.3 (limited view biased supervision); plcc_loss and rank_loss of the
reference's training script.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

RANK_WEIGHT = 0.3  # of the rank loss beside the PLCC loss; training script of the reference
EPS = 1e-8


def plcc_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Deviation of the scores from a linear function of the labels, in [0, 1].

    Scores and labels are standardised. The loss is the mean of their squared difference and of the
    squared difference after scaling the scores by the correlation.

    Args:
        scores: (N,), N at least 2.
        labels: (N,).

    Returns:
        A scalar.
    """
    predicted, target = _standardise(scores), _standardise(labels)
    correlation = (predicted * target).mean()
    direct = (predicted - target).square().mean() / 4
    scaled = (correlation * predicted - target).square().mean() / 4
    return (direct + scaled) / 2


def rank_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean difference of the score pairs that are in the wrong order; 0 if all are in order.

    Args:
        scores: (N,), N at least 2.
        labels: (N,).

    Returns:
        A scalar.
    """
    count = len(scores)
    difference = scores[:, None] - scores[None, :]  # (N, N)
    wrong = torch.relu(difference * torch.sign(labels[None, :] - labels[:, None]))
    return wrong.sum() / count / (count - 1) / (1 + wrong.max())


def quality_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """PLCC loss plus weighted rank loss over the videos whose label is known.

    Args:
        scores: (N,).
        labels: (N,), NaN where unknown.

    Returns:
        A scalar; 0 if fewer than two labels are known.
    """
    known = labels.isfinite()
    if known.sum() < 2:
        return torch.zeros((), device=scores.device)
    scores, labels = scores[known], labels[known]
    return plcc_loss(scores, labels) + RANK_WEIGHT * rank_loss(scores, labels)


def view_biased_loss(
    scores: Mapping[str, Tensor], labels: Mapping[str, Tensor], branch_loss_weight: float
) -> Tensor:
    """Sum of the losses of each branch against the overall MOS and against its own MOS.

    Both branches are compared with the same overall MOS. A branch can only explain the part of it
    that its view shows, so the branches learn different aspects of quality.

    Args:
        scores: raw scores (N,) by branch, of one branch or of both.
        labels: MOS (N,) under "overall", "technical" and "aesthetic"; NaN where unknown.
        branch_loss_weight: weight of the loss against the branch's own MOS.

    Returns:
        A scalar.
    """
    losses = [
        quality_loss(raw, labels["overall"])
        + branch_loss_weight * quality_loss(raw, labels[branch])
        for branch, raw in scores.items()
    ]
    return torch.stack(losses).sum()


def _standardise(values: Tensor) -> Tensor:
    """Values (N,) with zero mean and unit standard deviation."""
    return (values - values.mean()) / (values.std(correction=0) + EPS)
