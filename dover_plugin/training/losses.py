"""What training makes small.

Source: paper section 4.3 (limited view biased supervision); plcc_loss and rank_loss of the
reference's training script.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

RANK_WEIGHT = 0.3
OWN_WEIGHT = 0.5  # of a branch's own label, beside the overall one (DOVER++)
EPS = 1e-8


@dataclass(frozen=True)
class Opinions:
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
        scores: (N,), N at least 2.
        labels: (N,).
    """
    predicted, wanted = _standard(scores), _standard(labels)
    correlation = (predicted * wanted).mean()
    direct = (predicted - wanted).square().mean() / 4
    scaled = (correlation * predicted - wanted).square().mean() / 4
    return (direct + scaled) / 2


def rank_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """How much pairs are in the wrong order, from 0.

    Args:
        scores: (N,), N at least 2.
        labels: (N,).
    """
    count = len(scores)
    lead = scores[:, None] - scores[None]  # (N, N)
    wrong = torch.relu(lead * torch.sign(labels[None] - labels[:, None]))
    return wrong.sum() / count / (count - 1) / (1 + wrong.max())


def quality_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Both, as the reference weighs them."""
    return plcc_loss(scores, labels) + RANK_WEIGHT * rank_loss(scores, labels)


def view_biased_loss(
    technical: Tensor,
    aesthetic: Tensor,
    opinions: Opinions,
    together: int = 1,
    own_weight: float = OWN_WEIGHT,
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
    """
    total = torch.zeros((), device=technical.device)
    for scores in (technical, aesthetic):
        loss = quality_loss(scores, opinions.overall)
        parts = (torch.split(values, together) for values in (scores, opinions.overall))
        pairs = list(zip(*parts, strict=True))
        within = [quality_loss(s, o) for s, o in pairs if len(s) > 1]
        total = total + (loss + torch.stack(within).mean()) / 2 if within else total + loss
    for scores, own in ((technical, opinions.technical), (aesthetic, opinions.aesthetic)):
        known = own.isfinite()
        if known.sum() > 1:
            total = total + own_weight * quality_loss(scores[known], own[known])
    return total


def _standard(values: Tensor) -> Tensor:
    return (values - values.mean()) / (values.std(correction=0) + EPS)
