"""EfficientNet-Lite0 on single frames, with features of several stages for each cell of a grid.

Source: the Lite variant of EfficientNet (Tan and Le, ICML 2019): no squeeze-and-excitation, ReLU6
throughout. Batch norm is folded into the convolutions, and each convolution has a bias.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dover_plugin.preprocessing.bars import BLACK
from dover_plugin.preprocessing.normalise import MEAN, STD

GRID = 7  # cells along each side of a quality map; a cell of the technical view is one fragment
STEM_CHANNELS = 32
BLACK_SPREAD = 8.0  # of 255: largest range of one channel inside such a cell
DEVIATION_EPS = 1e-4
CELL = 32  # side of a cell in pixels of the view


class Stage(NamedTuple):
    """Blocks of equal width.

    Attributes:
        blocks: number of blocks; the first one has the stage's stride.
        kernel: side of the depthwise kernel in pixels.
        stride: stride of the first block.
        expand: width of a block's hidden layer in multiples of its input.
        width: output channels.
    """

    blocks: int
    kernel: int
    stride: int
    expand: int
    width: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
CELL_SIDES = (16, 8, 4, 2, 2, 1, 1)  # pixels of a grid cell in the output of each stage


@dataclass(frozen=True)
class EfficientNetConfig:
    """Settings of one EfficientNet-Lite0 branch.

    Attributes:
        frame_stride: step between the frames of a clip that are used, which begin in the middle
            of the first step.
    """

    frame_stride: int = 4

    @property
    def channels(self) -> int:
        """Features per cell: means of all stages; deviations where a cell has several pixels."""
        return sum(
            stage.width * (2 if side > 1 else 1)
            for stage, side in zip(STAGES, CELL_SIDES, strict=True)
        )


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution and linear projection around a residual (MBConv)."""

    def __init__(self, channels: int, stage: Stage, stride: int) -> None:
        super().__init__()
        hidden = channels * stage.expand
        self.residual = stride == 1 and channels == stage.width
        self.expand = _convolution(channels, hidden, 1) if stage.expand > 1 else nn.Identity()
        self.depthwise = _convolution(hidden, hidden, stage.kernel, stride, groups=hidden)
        self.project = _convolution(hidden, stage.width, 1, activation=None)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H / stride, W / stride)."""
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class EfficientNetLite(nn.Module):
    """Frames to the outputs of all stages."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _convolution(3, STEM_CHANNELS, 3, stride=2)
        widths = (STEM_CHANNELS, *(stage.width for stage in STAGES))
        self.stages = nn.ModuleList(
            nn.Sequential(
                *(
                    InvertedResidual(
                        stage.width if block else before, stage, 1 if block else stage.stride
                    )
                    for block in range(stage.blocks)
                )
            )
            for before, stage in zip(widths, STAGES, strict=False)
        )

    def forward(self, frames: Tensor) -> list[Tensor]:
        """Outputs of all stages.

        Args:
            frames: (B, 3, 224, 224) normalised RGB.

        Returns:
            One (B, C, H, W) per stage; H = W = 112, 56, 28, 14, 14, 7, 7.
        """
        x = self.stem(frames)
        outputs = []
        for stage in self.stages:
            x = stage(x)
            outputs.append(x)
        return outputs


class FrameFeatures(nn.Module):
    """Clips to multi-level features of the cells of each frame used."""

    dither: Tensor

    def __init__(self, config: EfficientNetConfig) -> None:
        super().__init__()
        self.frame_stride = config.frame_stride
        self.trunk = EfficientNetLite()
        # A fixed noise of about one grey level, part of the weights. It masks invisible dithering,
        # which otherwise changes the score of flat areas.
        self.register_buffer("dither", torch.zeros(3, CELL, CELL))

    def forward(self, clips: Tensor) -> Tensor:
        """Features of each clip.

        Args:
            clips: (N, 3, T, 224, 224) normalised RGB; T a multiple of the frame stride.

        Returns:
            (N, T / stride, 7, 7, C).
        """
        count = clips.shape[0]
        frames = self.select(clips).transpose(1, 2).flatten(0, 1)  # (N * T', 3, 224, 224)
        tiles = frames.shape[-1] // CELL
        frames = frames + self.dither.repeat(1, tiles, tiles)
        frames = frames.contiguous(memory_format=torch.channels_last)
        cells = cell_features(self.trunk(frames))
        return cells.unflatten(0, (count, -1))

    def select(self, clips: Tensor) -> Tensor:
        """(N, 3, T, H, W) -> the frames used, (N, 3, T / stride, H, W)."""
        return clips[:, :, self.frame_stride // 2 :: self.frame_stride]


def cell_features(outputs: list[Tensor]) -> Tensor:
    """Mean and standard deviation of each stage inside each cell.

    Args:
        outputs: one (B, C, H, W) per stage, see EfficientNetLite.

    Returns:
        (B, 7, 7, C).
    """
    levels = [level for output in outputs for level in cell_statistics(output)]
    return torch.cat(levels, dim=1).permute(0, 2, 3, 1)


def cell_statistics(output: Tensor) -> list[Tensor]:
    """(B, C, H, W) -> means and, where cells have several pixels, deviations: (B, C, 7, 7) each."""
    side = output.shape[-1] // GRID
    if side == 1:
        return [output]
    mean = F.avg_pool2d(output, side)
    variance = F.avg_pool2d(output.square(), side) - mean.square()
    return [mean, (variance.relu() + DEVIATION_EPS).sqrt()]


def black_cells(clips: Tensor) -> Tensor:
    """Cells that hold nothing but black, such as letterbox bars.

    Args:
        clips: (N, 3, T, 224, 224) normalised RGB.

    Returns:
        (N, T, 7, 7) bool.
    """
    side = clips.shape[-1] // GRID
    frames = clips.transpose(1, 2).flatten(0, 1)  # (N * T, 3, H, W)
    mean, std = (torch.tensor(values, device=clips.device)[:, None, None] for values in (MEAN, STD))
    highest = F.max_pool2d(frames, side) * std + mean  # (N * T, 3, 7, 7)
    lowest = mean - F.max_pool2d(-frames, side) * std
    black = (highest.amax(1) <= BLACK) & ((highest - lowest).amax(1) <= BLACK_SPREAD)
    return black.unflatten(0, (clips.shape[0], -1))


def fill_black(quality: Tensor, black: Tensor) -> Tensor:
    """Replace the quality of black cells by the mean of the clip's other cells.

    Args:
        quality: (N, T, 7, 7).
        black: (N, T, 7, 7) bool; a clip that is all black keeps its values.

    Returns:
        (N, T, 7, 7).
    """
    weight = (~black).to(quality.dtype)
    total = weight.sum(dim=(1, 2, 3), keepdim=True)
    mean = (quality * weight).sum(dim=(1, 2, 3), keepdim=True) / total.clamp(min=1)
    return torch.where(black & (total > 0), mean, quality)


def _convolution(
    channels: int,
    width: int,
    kernel: int,
    stride: int = 1,
    groups: int = 1,
    activation: type[nn.Module] | None = nn.ReLU6,
) -> nn.Sequential:
    """A convolution with bias, padded as TensorFlow's "SAME" for sides divisible by the stride."""
    layers: list[nn.Module] = []
    if stride > 1:
        before, after = (kernel - stride) // 2, (kernel - stride + 1) // 2
        layers.append(nn.ZeroPad2d((before, after, before, after)))
    padding = 0 if stride > 1 else kernel // 2
    convolution = nn.Conv2d(channels, width, kernel, stride, padding, groups=groups)
    layers.append(nn.Sequential(convolution, *([activation()] if activation else [])))
    return nn.Sequential(*layers)
