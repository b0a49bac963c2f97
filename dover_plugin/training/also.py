"""Outputs that learn other columns of the labels beside the opinions, and are thrown away after.

What they make the backbones see helps the scores: "motion blur, step 3 of 5" teaches more than
the opinion that follows from it. Source: multi-task learning, as in MEON (Ma et al., 2018).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from dover_plugin.networks import Dover
from dover_plugin.training.examples import BRANCHES
from dover_plugin.training.synthetic.degradations import LEVELS, LIGHT

WEIGHT = 0.25  # beside the loss of the scores


def as_met(rows: Sequence[Mapping[str, float]], spoil_light: bool) -> list[list[float]]:
    """Values (N, K) of other columns as examples give them, to take their deviations from.

    Labels may know light and colour as good nearly everywhere. Where examples spoil it in every
    other case, such a column's own deviation would be a fraction of what is met, and its error,
    in deviations, outweigh all that is to be learnt.

    Args:
        rows: columns by name of each training video.
        spoil_light: examples do.
    """
    values = []
    for index, row in enumerate(rows):
        met = dict(row)
        if spoil_light and index % 2:
            fault = f"fault_{LIGHT[index % len(LIGHT)]}"
            if fault in met:
                met[fault] = max(met[fault], index // len(LIGHT) % LEVELS + 1)
        values.append(list(met.values()))
    return values


class Also(nn.Module):
    """A linear output per column, of the mean features of each branch.

    Args:
        network: whose features they see.
        values: (N, K) of the training videos; NaN where unknown.
    """

    def __init__(self, network: Dover, values: Sequence[Sequence[float]]) -> None:
        super().__init__()
        known = np.asarray(values, float)
        deviation = np.nanstd(known, axis=0)
        deviation[deviation == 0] = 1
        self.mean = nn.Buffer(torch.tensor(np.nanmean(known, axis=0), dtype=torch.float32))
        self.deviation = nn.Buffer(torch.tensor(deviation, dtype=torch.float32))
        self.outputs = nn.ModuleDict()
        for branch in BRANCHES:
            channels = getattr(network, f"{branch}_head").fc_hid.in_channels
            self.outputs[branch] = nn.Linear(channels, known.shape[1])
            for parameter in self.outputs[branch].parameters():
                nn.init.zeros_(parameter)

    def forward(self, features: Mapping[str, Tensor], wanted: Tensor) -> Tensor:
        """The loss: mean squared error in deviations of each column, over what is known.

        Args:
            features: of each branch, (N, clips, T, H, W, C).
            wanted: (N, K), NaN where unknown.
        """
        wanted = (wanted - self.mean) / self.deviation
        known = wanted.isfinite()
        total = torch.zeros((), device=wanted.device)
        for branch, output in self.outputs.items():
            found = output(features[branch].float().mean(dim=(1, 2, 3, 4)))
            error = torch.where(known, found - wanted.nan_to_num(), 0).square()
            total = total + error.sum() / known.sum().clamp(min=1)
        return WEIGHT * total
