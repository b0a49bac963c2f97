"""Normalisation of frames."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

MEAN = (123.675, 116.28, 103.53)  # of ImageNet's RGB, 0..255; the reference's dover.yml
STD = (58.395, 57.12, 57.375)


def normalise(clips: "Tensor") -> "Tensor":
    """(N, T, 224, 224, 3) uint8 RGB -> (N, 3, T, 224, 224) float32, (pixel - mean) / std."""
    import torch

    mean, std = (
        torch.tensor(constant, dtype=torch.float32, device=clips.device) for constant in (MEAN, STD)
    )
    return (clips.float() - mean).div_(std).permute(0, 4, 1, 2, 3)
