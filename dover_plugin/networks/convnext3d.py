"""ConvNeXt (V1 and V2), inflated to three dimensions.

Source: DOVER's aesthetic branch and both branches of DOVER-Mobile. The temporal kernel sizes of
the blocks of a stage follow the pattern 1, 3, 1.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from dover_plugin.networks.kernels import KernelModule
from dover_plugin.networks.layers import conv3d_channels_last

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
        global_response_norm: V2 (global response normalisation) instead of V1 (layer scale).
    """

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    global_response_norm: bool

    @property
    def channels(self) -> int:
        """Channels of the feature map."""
        return self.widths[-1]


class GlobalResponseNorm(KernelModule):
    """Global response normalisation of ConvNeXt V2.

    Each channel is scaled by its share of the response, which is an L2 norm. The norm is taken
    over time and height but not over width. This is an oversight of the reference, but the
    released weights were trained with it, so it is part of the model.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, 1, channels))
        self.beta = nn.Parameter(torch.zeros(1, 1, 1, channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) -> the same shape; kernels for inference overwrite ``x``."""
        return self.kernels.global_response_norm(x, self.gamma, self.beta, NORM_EPS)


class ConvNeXtBlock(KernelModule):
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
        y = self.norm(self.kernels.depthwise_conv3d(x, self.dwconv.weight, self.dwconv.bias))
        y = self.kernels.mlp(y, self.pwconv1, self.pwconv2, self.grn)
        return x + y if self.gamma is None else torch.addcmul(x, self.gamma, y)


class ConvNeXt3d(nn.Module):
    """Maps video clips to feature maps."""

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
