"""ConvNeXt (V1 and V2), inflated to three dimensions.

Source: DOVER's aesthetic branch and both branches of DOVER-Mobile. A kernel's extent in time
follows the pattern 1, 3, 1 inside each stage.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from dover_plugin.networks.layers import (
    conv3d_channels_last,
    depthwise_conv3d,
    mlp,
    plain_form,
)

STEM_PATCH = (2, 4, 4)
SPATIAL_KERNEL = 7
TEMPORAL_KERNELS = (1, 3, 1)
NORM_EPS = 1e-6


@dataclass(frozen=True)
class ConvNeXtConfig:
    """Sizes of one ConvNeXt branch.

    Attributes:
        depths: blocks per stage.
        widths: channels per stage.
        response_norm: V2 (global response normalisation) rather than V1 (layer scale).
    """

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    global_response_norm: bool

    @property
    def channels(self) -> int:
        """Channels of the feature map."""
        return self.widths[-1]


class GlobalResponseNorm(nn.Module):
    """Global response normalisation of ConvNeXt V2.

    The norm is taken over time and height but not width: an oversight of the reference that its
    released weights were trained with, so it is part of the model.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, 1, channels))
        self.beta = nn.Parameter(torch.zeros(1, 1, 1, channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) -> the same shape; without gradients in the memory of ``x``."""
        if plain_form() or x.device.type != "cpu":
            energy = torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True)  # (N, 1, 1, W, C)
        else:  # frame by frame, whose squares stay in the cache; in float32, where halves overflow
            frames = (frame.float().square().sum(dim=1) for frame in x.unbind(1))
            energy = torch.stack(list(frames)).sum(dim=0).sqrt_()[:, None, None].to(x.dtype)
        share = energy / (energy.mean(dim=-1, keepdim=True) + NORM_EPS)
        gain = self.gamma * share + 1  # gamma * (x * share) + beta + x, as gain * x + beta
        return x * gain + self.beta if plain_form() else x.mul_(gain).add_(self.beta)


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution, LayerNorm, and an inverted bottleneck around a residual."""

    def __init__(self, channels: int, temporal_kernel: int, global_response_norm: bool) -> None:
        super().__init__()
        kernel = (temporal_kernel, SPATIAL_KERNEL, SPATIAL_KERNEL)
        self.dwconv = nn.Conv3d(channels, channels, kernel, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=NORM_EPS)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)
        self.grn = GlobalResponseNorm(4 * channels) if global_response_norm else None
        self.gamma = None if global_response_norm else nn.Parameter(torch.full((channels,), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) -> the same shape."""
        y = self.norm(depthwise_conv3d(x, self.dwconv.weight, self.dwconv.bias))
        y = mlp(y, self.pwconv1, self.pwconv2, self.grn)
        return x + y if self.gamma is None else torch.addcmul(x, self.gamma, y)


class ConvNeXt3d(nn.Module):
    """A video clip to a feature map."""

    def __init__(self, config: ConvNeXtConfig) -> None:
        super().__init__()
        widths = config.widths
        stem = nn.Conv3d(3, widths[0], STEM_PATCH, STEM_PATCH)
        self.downsample_layers = nn.ModuleList(
            [nn.Sequential(stem, nn.LayerNorm(widths[0], eps=NORM_EPS))]
        )
        for before, after in pairwise(widths):
            half = nn.Conv3d(before, after, (1, 2, 2), (1, 2, 2))
            self.downsample_layers.append(nn.Sequential(nn.LayerNorm(before, eps=NORM_EPS), half))
        self.stages = nn.ModuleList(
            nn.Sequential(
                *(
                    ConvNeXtBlock(
                        width,
                        TEMPORAL_KERNELS[i % len(TEMPORAL_KERNELS)],
                        config.global_response_norm,
                    )
                    for i in range(depth)
                )
            )
            for depth, width in zip(config.depths, widths, strict=True)
        )
        self.norm = nn.LayerNorm(config.channels, eps=NORM_EPS)

    def forward(self, clips: Tensor) -> Tensor:
        """Features of each clip.

        Args:
            clips: (N, 3, T, H, W) normalised RGB; T even, H and W multiples of 32.

        Returns:
            (N, T/2, H/32, W/32, C).
        """
        x = clips.permute(0, 2, 3, 4, 1)  # (N, T, H, W, C)
        for downsample, stage in zip(self.downsample_layers, self.stages, strict=True):
            for layer in downsample.children():
                x = conv3d_channels_last(layer, x) if isinstance(layer, nn.Conv3d) else layer(x)
            x = stage(x)
        return self.norm(x)
