"""Video Swin Transformer with the gated relative position bias (GRPB) of FAST-VQA.

Source: DOVER's technical branch. Its input is a mosaic of 7x7 fragments from distant locations of
the frame, so the tokens of a window may come from different fragments. Each block of the first
stages has two position bias tables: ``relative_position_bias_table`` and
``fragment_position_bias_table``. The distance between the fragments of two tokens weights them.

The bias, shift mask included, is constant for one input size and one set of weights. Kernels for
inference keep it between calls: about 1.1 GB in float32 for the whole network.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Self

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from dover_plugin.networks.kernels import CachedTensor, KernelModule
from dover_plugin.networks.layers import conv3d_channels_last
from dover_plugin.networks.windows import (
    Size3,
    fit_window,
    fragment_distance,
    from_windows,
    relative_position_index,
    shift_mask,
    to_windows,
)

PATCH = (2, 4, 4)
NORM_EPS = 1e-5


@dataclass(frozen=True)
class SwinConfig:
    """Sizes of the Swin branch.

    Attributes:
        depths: blocks per stage.
        num_heads: attention heads per stage.
        embed_dim: channels of the first stage; each stage doubles them.
        window: attention window in tokens (T, H, W).
        table_window: window that the position bias tables are made for; odd blocks shift by half
            of it. None is ``window``.
        fragment_bias_stages: number of first stages whose blocks have a fragment position bias.
    """

    depths: tuple[int, ...] = (2, 2, 6, 2)
    num_heads: tuple[int, ...] = (3, 6, 12, 24)
    embed_dim: int = 96
    window: Size3 = (8, 7, 7)
    table_window: Size3 | None = None
    fragment_bias_stages: int = 3

    @property
    def tables(self) -> Size3:
        """Window that the position bias tables are made for."""
        return self.table_window or self.window

    @property
    def shift(self) -> Size3:
        """Shift of the odd blocks in tokens; a shift by whole windows is none."""
        t, h, w = (size // 2 % step for size, step in zip(self.tables, self.window, strict=True))
        return t, h, w

    @property
    def channels(self) -> int:
        """Channels of the feature map."""
        return self.embed_dim * 2 ** (len(self.depths) - 1)


class WindowAttention(KernelModule):
    """Self-attention inside windows, with a position bias."""

    relative_position_index: Tensor

    def __init__(
        self, channels: int, num_heads: int, window: Size3, fragment_bias: bool, resized: bool
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.table_window = window
        self.resized = resized  # windows are smaller than those of the tables
        rows = (2 * window[0] - 1) * (2 * window[1] - 1) * (2 * window[2] - 1)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(rows, num_heads))
        self.fragment_position_bias_table = (
            nn.Parameter(torch.zeros(rows, num_heads)) if fragment_bias else None
        )
        self.register_buffer("relative_position_index", relative_position_index(window))
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        if self.fragment_position_bias_table is not None:
            nn.init.trunc_normal_(self.fragment_position_bias_table, std=0.02)
        self.cached_bias = CachedTensor()

    def forward(self, windows: Tensor, grid: Size3, window: Size3, shift: Size3) -> Tensor:
        """(N, windows, tokens, C) -> the same shape."""
        n, num_windows, tokens, c = windows.shape
        bias = self.position_bias(grid, window, shift)
        qkv = self.kernels.linear(self.qkv, windows)
        qkv = qkv.view(n, num_windows, tokens, 3, self.num_heads, c // self.num_heads)
        q, k, v = qkv.permute(3, 0, 1, 4, 2, 5)  # each (N, windows, heads, tokens, C / heads)
        return self.kernels.linear(self.proj, self.kernels.attention(q, k, v, bias))

    def position_bias(self, grid: Size3, window: Size3, shift: Size3) -> Tensor:
        """Position bias plus shift mask: (windows, heads, tokens, tokens)."""
        build = partial(self._build_bias, grid, window, shift)
        if not self.kernels.keep_constants:
            return build()
        tables = (self.relative_position_bias_table, self.fragment_position_bias_table)
        return self.cached_bias.get(grid, [t for t in tables if t is not None], build)

    def _build_bias(self, grid: Size3, window: Size3, shift: Size3) -> Tensor:
        tokens = window[0] * window[1] * window[2]
        index = self.relative_position_index[:tokens, :tokens].flatten()
        if self.resized:
            t, h, w = window
            every = self.relative_position_index.view(*self.table_window, *self.table_window)
            index = every[:t, :h, :w, :t, :h, :w].flatten()

        def spread(table: Tensor) -> Tensor:
            return table[index].view(tokens, tokens, -1).permute(2, 0, 1)[None]

        bias = spread(self.relative_position_bias_table)  # (1, heads, tokens, tokens)
        if self.fragment_position_bias_table is not None:
            distance = fragment_distance(grid, window, shift).to(bias)[:, None]
            fragment_bias = spread(self.fragment_position_bias_table)
            bias = distance * bias + (1 - distance) * fragment_bias  # (windows, heads, ...)
        if any(shift):
            bias = bias + shift_mask(grid, window, shift).to(bias)[:, None]
        num_windows = grid[0] * grid[1] * grid[2] // tokens
        return bias.expand(num_windows, -1, -1, -1)

    def train(self, mode: bool = True) -> Self:
        """Set the mode and drop the kept bias, because writes through ``.data`` are not counted."""
        self.cached_bias.clear()
        return super().train(mode)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self.cached_bias.clear()  # the device or dtype may change
        return super()._apply(fn, recurse)


class SwinMlp(KernelModule):
    """Linear layer, GELU, linear layer."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, 4 * channels)
        self.fc2 = nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> the same shape."""
        return self.kernels.mlp(x, self.fc1, self.fc2)


class SwinBlock(nn.Module):
    """Windowed attention and an MLP, each with a LayerNorm before it and a residual around it."""

    def __init__(
        self, channels: int, num_heads: int, config: SwinConfig, shift: Size3, fragment_bias: bool
    ) -> None:
        super().__init__()
        self.window = config.window
        self.shift = shift
        resized = config.tables != config.window
        self.norm1 = nn.LayerNorm(channels, eps=NORM_EPS)
        self.attn = WindowAttention(channels, num_heads, config.tables, fragment_bias, resized)
        self.norm2 = nn.LayerNorm(channels, eps=NORM_EPS)
        self.mlp = SwinMlp(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) -> the same shape."""
        _, t, h, w, _ = x.shape
        grid = (t, h, w)
        window, shift = fit_window(grid, self.window, self.shift)
        y = self.norm1(x)
        if any(shift):
            y = torch.roll(y, [-s for s in shift], dims=(1, 2, 3))
        y = from_windows(self.attn(to_windows(y, window), grid, window, shift), window, grid)
        if any(shift):
            y = torch.roll(y, shift, dims=(1, 2, 3))
        x = x + y
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    """Embeds non-overlapping patches as tokens."""

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv3d(3, embed_dim, PATCH, PATCH)
        self.norm = nn.LayerNorm(embed_dim, eps=NORM_EPS)

    def forward(self, clips: Tensor) -> Tensor:
        """(N, 3, T, H, W) -> (N, T/2, H/4, W/4, C)."""
        return self.norm(conv3d_channels_last(self.proj, clips.permute(0, 2, 3, 4, 1)))


class PatchMerging(KernelModule):
    """Halves height and width, and doubles the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * channels, eps=NORM_EPS)
        self.reduction = nn.Linear(4 * channels, 2 * channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) -> (N, T, H/2, W/2, 2C)."""
        quarters = [x[:, :, row::2, col::2] for col in (0, 1) for row in (0, 1)]
        return self.kernels.linear(self.reduction, self.norm(torch.cat(quarters, dim=-1)))


class SwinStage(nn.Module):
    """Blocks at one resolution, then patch merging, except in the last stage."""

    def __init__(
        self, channels: int, depth: int, num_heads: int, config: SwinConfig, index: int
    ) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(
                SwinBlock(
                    channels,
                    num_heads,
                    config,
                    config.shift if i % 2 else (0, 0, 0),
                    fragment_bias=index < config.fragment_bias_stages,
                )
                for i in range(depth)
            )
        )
        last = index == len(config.depths) - 1
        self.downsample = None if last else PatchMerging(channels)

    def forward(self, x: Tensor, checkpointing: bool = False) -> Tensor:
        """(N, T, H, W, C) -> (N, T, H/2, W/2, 2C), or the same shape in the last stage."""
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if checkpointing else block(x)
        return x if self.downsample is None else self.downsample(x)


class Swin3d(nn.Module):
    """Maps video clips to feature maps."""

    def __init__(self, config: SwinConfig) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(config.embed_dim)
        stages = zip(config.depths, config.num_heads, strict=True)
        self.layers = nn.Sequential(
            *(
                SwinStage(config.embed_dim * 2**i, depth, num_heads, config, i)
                for i, (depth, num_heads) in enumerate(stages)
            )
        )
        self.norm = nn.LayerNorm(config.channels, eps=NORM_EPS)
        self.checkpointing = False  # gradient checkpointing: less memory, more time

    def forward(self, clips: Tensor) -> Tensor:
        """Features of each clip.

        Args:
            clips: (N, 3, T, H, W) normalised RGB whose tokens fill all windows: 32 x 224 x 224.

        Returns:
            (N, T/2, H/32, W/32, C).

        Raises:
            ValueError: windows do not tile the token grid.
        """
        x = self.patch_embed(clips)
        for stage in self.layers.children():
            x = stage(x, self.checkpointing and torch.is_grad_enabled())
        return self.norm(x)
