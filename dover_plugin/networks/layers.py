"""Building blocks shared by the branches. Tensors are channels-last: (N, T, H, W, C)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv3d_channels_last(conv: nn.Conv3d, x: Tensor) -> Tensor:
    """Apply ``conv`` to a channels-last tensor.

    Args:
        conv: any 3-D convolution.
        x: (N, T, H, W, C).

    Returns:
        (N, T', H', W', C'), contiguous.
    """
    weight = conv.weight.contiguous(memory_format=torch.channels_last_3d)
    y = F.conv3d(x.permute(0, 4, 1, 2, 3), weight, conv.bias, conv.stride, conv.padding)
    return y.permute(0, 2, 3, 4, 1).contiguous()


class QualityHead(nn.Module):
    """Regresses the quality of every location of a feature map.

    Source: VQAHead of the reference (dover/models/head.py).
    """

    def __init__(self, channels: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.fc_hid = nn.Conv3d(channels, hidden, 1)
        self.fc_last = nn.Conv3d(hidden, 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(N, T, H, W, C) features -> (N, T, H, W) local quality, unbounded and without a unit."""
        x = self.dropout(features)
        x = F.gelu(F.linear(x, self.fc_hid.weight.flatten(1), self.fc_hid.bias))
        x = self.dropout(x)
        x = F.linear(x, self.fc_last.weight.flatten(1), self.fc_last.bias)
        return x.squeeze(-1)
