"""One branch in training: the stages that are fine-tuned, and the head."""

from collections.abc import Iterator
from typing import cast

import torch
from torch import Tensor, nn

from dover_plugin.networks.efficientnet import (
    EfficientNetConfig,
    EfficientNetLite,
    InvertedResidual,
    cell_statistics,
)
from dover_plugin.networks.layers import QualityHead

MIN_DEVIATION = 1e-2  # of a feature, so that constant ones are not blown up


class BranchTail(nn.Module):
    """Frozen features of frames to their scores.

    Args:
        trunk: with ImageNet weights; its later stages are trained in place.
        frozen_stages: number of stages that the features come from.
        hidden: width of the head's hidden layer.
        dropout: of the head.
        mean_mos: first value of every score.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        trunk: EfficientNetLite,
        frozen_stages: int,
        hidden: int,
        dropout: float,
        mean_mos: float,
    ) -> None:
        super().__init__()
        channels = EfficientNetConfig().channels
        self.stages = trunk.stages[frozen_stages:]
        self.head = QualityHead(channels, hidden, dropout)
        nn.init.zeros_(self.head.fc_last.weight)
        nn.init.constant_(cast(Tensor, self.head.fc_last.bias), mean_mos)
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))

    def forward(self, maps: Tensor, cells: Tensor, black: Tensor) -> Tensor:
        """Raw scores of frames.

        Args:
            maps: (B, C, H, W) output of the last frozen stage.
            cells: (B, C', 7, 7) cell statistics of the frozen stages.
            black: (B, 7, 7) bool, cells left out of the mean unless a frame has no other.

        Returns:
            (B,).
        """
        features = (self.features(maps, cells) - self.mean) / self.deviation
        quality = self.head(features[:, None])[:, 0]  # (B, 7, 7)
        shown = ~black | black.all(dim=2, keepdim=True).all(dim=1, keepdim=True)
        return (quality * shown).sum(dim=(1, 2)) / shown.sum(dim=(1, 2))

    def features(self, maps: Tensor, cells: Tensor) -> Tensor:
        """Features of all stages, (B, 7, 7, C), not standardised."""
        levels, x = [cells], maps
        for stage in self.stages:
            for block in _blocks(stage):
                x = block_in_halves(block, x) if torch.is_grad_enabled() else block(x)
            levels += cell_statistics(x)
        return torch.cat(levels, dim=1).permute(0, 2, 3, 1)

    def blocks(self) -> Iterator[InvertedResidual]:
        """The blocks of the trained stages."""
        for stage in self.stages:
            yield from _blocks(stage)

    def standardise(self, features: Tensor) -> None:
        """Take mean and deviation of each channel from ``features``, (B, 7, 7, C)."""
        flat = features.flatten(0, 2)
        self.mean.copy_(flat.mean(dim=0))
        self.deviation.copy_(flat.std(dim=0).clamp(min=MIN_DEVIATION))

    def folded_head(self) -> dict[str, Tensor]:
        """State dict of a QualityHead that takes features as they are."""
        state = {name: value.clone() for name, value in self.head.state_dict().items()}
        weight = state["fc_hid.weight"] / self.deviation[:, None, None, None]
        shift = (weight * self.mean[:, None, None, None]).sum(dim=(1, 2, 3, 4))
        return state | {"fc_hid.weight": weight, "fc_hid.bias": state["fc_hid.bias"] - shift}


def _blocks(stage: nn.Module) -> Iterator[InvertedResidual]:
    return cast(Iterator[InvertedResidual], iter(cast(nn.Sequential, stage)))


def block_in_halves(block: InvertedResidual, x: Tensor) -> Tensor:
    """A block with pointwise convolutions in bfloat16.

    Depthwise convolutions stay in float32: their bfloat16 gradients are slow on CPUs.

    Args:
        block: in training.
        x: (B, C, H, W) float32.

    Returns:
        (B, C', H', W') float32.
    """
    with torch.autocast("cpu", torch.bfloat16):
        y = block.expand(x)
    y = block.depthwise(y.float())
    with torch.autocast("cpu", torch.bfloat16):
        y = block.project(y)
    return x + y.float() if block.residual else y.float()


def full_state(tail: BranchTail, trunk: EfficientNetLite) -> dict[str, Tensor]:
    """Tensors of one branch of the network, by their names inside the branch.

    Args:
        tail: trained.
        trunk: whose first stages made the features; its others are replaced by those of ``tail``.

    Returns:
        Names start with "backbone.trunk." or "head.".
    """
    state = {f"backbone.trunk.{name}": value for name, value in trunk.state_dict().items()}
    first = len(trunk.stages) - len(tail.stages)
    for name, value in tail.stages.state_dict().items():
        stage, rest = name.split(".", 1)
        state[f"backbone.trunk.stages.{first + int(stage)}.{rest}"] = value
    head = {f"head.{name}": value for name, value in tail.folded_head().items()}
    return state | head
