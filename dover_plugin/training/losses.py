"""What training makes small.

Source: paper section 4.3 (limited view biased supervision); plcc_loss and rank_loss of the
reference's training script.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dover_plugin.calibration import AESTHETIC_WEIGHT, TECHNICAL_WEIGHT

RANK_WEIGHT = 0.3
OWN_WEIGHT = 0.5  # of a branch's own label, beside the overall one (DOVER++)
EPS = 1e-8
STEEP = 3.0  # of the loss of pairs: how soon an order counts as clear, in deviations of scores


@dataclass(frozen=True)
class Labels:
    """Labels of a batch.

    Attributes:
        overall: (N,).
        technical: (N,), NaN where unknown.
        aesthetic: (N,), NaN where unknown.
    """

    overall: Tensor
    technical: Tensor
    aesthetic: Tensor


def plcc_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """How far scores are from a linear function of the labels, in [0, 1].

    Both are brought to zero mean and unit deviation first; the loss is the mean of their squared
    difference and of that after the best scaling.

    Args:
        scores: (..., N), N at least 2, each row by itself.
        labels: (..., N).

    Returns:
        (...).
    """
    predicted, wanted = _standard(scores), _standard(labels)
    correlation = (predicted * wanted).mean(dim=-1, keepdim=True)
    direct = (predicted - wanted).square().mean(dim=-1) / 4
    scaled = (correlation * predicted - wanted).square().mean(dim=-1) / 4
    return (direct + scaled) / 2


def rank_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """How much pairs are in the wrong order, from 0.

    Args:
        scores: (..., N), N at least 2, each row by itself.
        labels: (..., N).

    Returns:
        (...).
    """
    count = scores.shape[-1]
    lead = scores[..., :, None] - scores[..., None, :]  # (..., N, N)
    wrong = torch.relu(lead * torch.sign(labels[..., None, :] - labels[..., :, None]))
    return wrong.sum(dim=(-2, -1)) / count / (count - 1) / (1 + wrong.amax(dim=(-2, -1)))


def quality_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Both, as the reference weighs them."""
    return plcc_loss(scores, labels) + RANK_WEIGHT * rank_loss(scores, labels)


def view_biased_loss(
    technical: Tensor,
    aesthetic: Tensor,
    opinions: Labels,
    together: int = 1,
    own_weight: float = OWN_WEIGHT,
    fused_weight: float = 0.0,
) -> Tensor:
    """Each branch against the overall opinion, and against its own where that is known.

    A branch can only explain what its view shows, so one label teaches both different things.

    Args:
        technical: (N,) raw scores of the branch.
        aesthetic: (N,) likewise.
        opinions: of the same videos.
        together: so many neighbours show one thing in several qualities: half of the loss then
            compares these with each other alone.
        own_weight: of a branch's own opinion, beside the overall one.
        fused_weight: of the overall opinion of both together, fused with DOVER's
            weights (the reference learns from each branch alone).
    """

    def loss(scores: Tensor, labels: Tensor) -> Tensor:
        return _compared(scores, labels, together)

    total = loss(technical, opinions.overall) + loss(aesthetic, opinions.overall)
    if own_weight:
        own = loss(technical, opinions.technical) + loss(aesthetic, opinions.aesthetic)
        total = total + own_weight * own
    if fused_weight:
        fused = TECHNICAL_WEIGHT * _standard(technical) + AESTHETIC_WEIGHT * _standard(aesthetic)
        total = total + fused_weight * loss(fused, opinions.overall)
    return total


def _compared(scores: Tensor, labels: Tensor, together: int) -> Tensor:
    """The loss of all whose label is known, half of it within neighbours whose labels all are."""
    known = labels.isfinite()
    if known.sum() < 2:
        return torch.zeros((), device=scores.device)
    total = quality_loss(scores[known], labels[known])
    if together == 1:
        return total
    whole = known.view(-1, together).all(dim=1)
    if not whole.any():
        return total
    rows, wanted = (values.view(-1, together)[whole] for values in (scores, labels))
    return (total + quality_loss(rows, wanted).mean()) / 2


def pair_loss(better: Tensor, worse: Tensor, scores: Tensor) -> Tensor:
    """How little each of ``better`` scores above its own of ``worse``, from 0.

    Args:
        better: (N,) raw scores.
        worse: (N,) likewise.
        scores: of other videos, whose deviation is the unit.
    """
    lead = (better - worse) / (scores.detach().std(correction=0) + EPS)
    return F.softplus(-STEEP * lead).mean()


def _standard(values: Tensor) -> Tensor:
    """Rows (..., N) of zero mean and unit deviation."""
    deviation = values.std(dim=-1, correction=0, keepdim=True)
    return (values - values.mean(dim=-1, keepdim=True)) / (deviation + EPS)
