"""Losses of the fit: MOS of photographs, and order and equality inside ladders."""

import torch
import torch.nn.functional as F
from torch import Tensor

from dover_plugin.training.losses import plcc_loss, rank_loss
from recipes.dover_open.config import FitSettings, LadderSettings
from recipes.dover_open.ladder_groups import BranchName, Group

MOS_UNIT = 0.1  # errors of the MOS below this count quadratically


def photo_loss(scores: Tensor, labels: Tensor, settings: FitSettings) -> Tensor:
    """PLCC and rank loss, and the absolute error that gives raw scores the unit of the MOS.

    Args:
        scores: (B,) raw scores.
        labels: (B,) in [0, 1].
        settings: weights of the terms.
    """
    absolute = F.smooth_l1_loss(scores, labels, beta=MOS_UNIT)
    ranks = rank_loss(scores, labels)
    return (
        plcc_loss(scores, labels)
        + settings.rank_weight * ranks
        + settings.absolute_weight * absolute
    )


def ladder_loss(
    scores: list[Tensor], groups: list[Group], branch: BranchName, settings: LadderSettings
) -> Tensor:
    """Mean over groups of their pair loss or their difference from the reference.

    Args:
        scores: raw scores of each group's rows, the reference first.
        groups: the groups.
        branch: that the scores are of.
        settings: weights, margin and softness.
    """
    losses = [torch.zeros(())]
    for values, group in zip(scores, groups, strict=True):
        if group.same:
            loss = settings.same_weight * (values[1:] - values[0]).abs().mean()
        else:
            loss = settings.weight * pair_loss(values, group.levels, settings)
        losses.append(group.weight(branch, settings.other_branch) * loss)
    return torch.stack(losses).sum() / max(len(groups), 1)


def pair_loss(scores: Tensor, levels: tuple[int, ...], settings: LadderSettings) -> Tensor:
    """How far pairs are from the order of their levels with a margin.

    Args:
        scores: (K,) raw scores of one group.
        levels: severity of each row.
        settings: margin of one level and softness, in the unit of the scores.
    """
    severity = torch.tensor(levels, dtype=scores.dtype)
    steps = severity[None, :] - severity[:, None]  # column minus row
    lead = scores[:, None] - scores[None, :]  # row minus column
    excess = (settings.margin * steps - lead) / settings.softness
    return F.softplus(excess)[steps > 0].mean()
