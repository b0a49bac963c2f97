"""Video Swin Transformer with the gated relative position bias of FAST-VQA.

Source: DOVER's technical branch. The picture is a mosaic of 7x7 fragments cut from far apart, so
two tokens of one window may stem from different fragments. Each block of the first stages holds
two tables of position biases, one for tokens of the same fragment and one for tokens of different
ones, blended by the distance between the fragments.

For one input size and one set of weights every bias and shift mask is constant, so a block keeps
it between calls (about 1.1 GB in float32 for the whole network) and rebuilds it when its tables
change. Under gradients nothing is kept.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from dover_plugin.networks.layers import EXPORTING, conv3d_channels_last, linear, mlp, plain_form

PATCH = (2, 4, 4)
FRAGMENT_GRID = (7, 7)
MASKED = -100.0  # added to the attention between tokens that only the roll made neighbours
NORM_EPS = 1e-5

type Size3 = tuple[int, int, int]


@dataclass(frozen=True)
class SwinConfig:
    """Sizes of the Swin branch.

    Attributes:
        depths: blocks per stage.
        heads: attention heads per stage.
        width: channels of the first stage; they double at each stage.
        window: attention window in tokens (T, H, W); odd blocks shift by half of it.
        gated_stages: stages whose blocks hold two bias tables.
    """

    depths: tuple[int, ...] = (2, 2, 6, 2)
    heads: tuple[int, ...] = (3, 6, 12, 24)
    width: int = 96
    window: Size3 = (8, 7, 7)
    gated_stages: int = 3

    @property
    def channels(self) -> int:
        """Channels of the feature map."""
        return self.width * 2 ** (len(self.depths) - 1)


def fit_window(grid: Size3, window: Size3, shift: Size3) -> tuple[Size3, Size3]:
    """Clip a window to a token grid; an axis that one window spans is not shifted.

    Raises:
        ValueError: the windows do not tile the grid.
    """
    window_t, window_h, window_w = (min(g, w) for g, w in zip(grid, window, strict=True))
    shift_t, shift_h, shift_w = (
        0 if g <= w else s for g, w, s in zip(grid, window, shift, strict=True)
    )
    fitted = (window_t, window_h, window_w)
    if any(g % w for g, w in zip(grid, fitted, strict=True)):
        raise ValueError(
            f"Windows of {fitted} tokens do not tile a grid of {grid}. "
            "Use clips of 32 frames of 224x224."
        )
    return fitted, (shift_t, shift_h, shift_w)


def to_windows(x: Tensor, window: Size3) -> Tensor:
    """(N, T, H, W, C) -> (N, windows, tokens of a window, C)."""
    n, t, h, w, c = x.shape
    wt, wh, ww = window
    x = x.view(n, t // wt, wt, h // wh, wh, w // ww, ww, c)
    return x.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(n, -1, wt * wh * ww, c)


def from_windows(x: Tensor, window: Size3, grid: Size3) -> Tensor:
    """(N, windows, tokens of a window, C) -> (N, T, H, W, C)."""
    t, h, w = grid
    wt, wh, ww = window
    x = x.view(x.shape[0], t // wt, h // wh, w // ww, wt, wh, ww, x.shape[-1])
    return x.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(x.shape[0], t, h, w, x.shape[-1])


def relative_position_index(window: Size3) -> Tensor:
    """Row of the bias table for each (query, key) of a window: (tokens, tokens) int64."""
    axes = torch.meshgrid(*(torch.arange(w) for w in window), indexing="ij")
    tokens = torch.stack(axes).flatten(1)  # (3, tokens)
    distance = tokens[:, :, None] - tokens[:, None, :]  # query minus key
    rows = torch.zeros(distance.shape[1:], dtype=torch.int64)
    for d, w in zip(distance, window, strict=True):
        rows = rows * (2 * w - 1) + d + w - 1
    return rows


def fragment_distance(grid: Size3, window: Size3, shift: Size3) -> Tensor:
    """How many fragments apart (rows plus columns) the tokens of each window are.

    Returns:
        (windows, tokens, tokens) float32, small whole numbers.
    """
    _, h, w = grid
    rows = torch.arange(h) * FRAGMENT_GRID[0] // h
    cols = torch.arange(w) * FRAGMENT_GRID[1] // w
    place = torch.stack(torch.meshgrid(rows, cols, indexing="ij"), dim=-1)  # (H, W, 2)
    windows = _rolled_windows(place.float().expand(*grid, 2), window, shift)
    return (windows[:, :, None] - windows[:, None, :]).abs().sum(-1)


def shift_mask(grid: Size3, window: Size3, shift: Size3) -> Tensor:
    """0 between tokens that were neighbours before the roll, MASKED between others.

    Returns:
        (windows, tokens, tokens) float32.
    """
    regions = []
    for g, w, s in zip(grid, window, shift, strict=True):
        axis = torch.zeros(g)
        if s:
            axis[g - w : g - s] = 1
            axis[g - s :] = 2
        regions.append(axis)
    region = torch.stack(torch.meshgrid(*regions, indexing="ij"), dim=-1)
    windows = to_windows(region[None], window)[0]  # (windows, tokens, 3)
    apart = (windows[:, :, None] != windows[:, None, :]).any(-1)
    return apart * MASKED


def _rolled_windows(x: Tensor, window: Size3, shift: Size3) -> Tensor:
    """(T, H, W, C) -> (windows, tokens, C) after the roll of a shifted block."""
    rolled = torch.roll(x, [-s for s in shift], dims=(0, 1, 2))
    return to_windows(rolled[None], window)[0]


def _join_heads(x: Tensor) -> Tensor:
    """(..., heads, tokens, C / heads) -> (..., tokens, C)."""
    return x.transpose(-2, -3).flatten(-2)


class WindowAttention(nn.Module):
    """Self-attention inside windows, with a position bias."""

    relative_position_index: Tensor

    def __init__(self, channels: int, heads: int, window: Size3, gated: bool) -> None:
        super().__init__()
        self.heads = heads
        rows = (2 * window[0] - 1) * (2 * window[1] - 1) * (2 * window[2] - 1)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(rows, heads))
        self.fragment_position_bias_table = (
            nn.Parameter(torch.zeros(rows, heads)) if gated else None
        )
        self.register_buffer("relative_position_index", relative_position_index(window))
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        if self.fragment_position_bias_table is not None:
            nn.init.trunc_normal_(self.fragment_position_bias_table, std=0.02)
        self._constant: tuple[Any, Any, Tensor] | None = None  # key, tables, bias
        self._lock = threading.Lock()

    def forward(self, windows: Tensor, grid: Size3, window: Size3, shift: Size3) -> Tensor:
        """(N, windows, tokens, C) -> the same shape."""
        n, num_windows, tokens, c = windows.shape
        bias = self.bias(grid, window, shift)  # (windows or 1, heads, tokens, tokens)
        qkv = linear(self.qkv, windows).view(n, num_windows, tokens, 3, self.heads, c // self.heads)
        q, k, v = qkv.permute(3, 0, 1, 4, 2, 5)  # each (N, windows, heads, tokens, C / heads)
        if EXPORTING.get():  # graphs take any number of clips
            weights = (q * (c // self.heads) ** -0.5) @ k.mT + bias
            return self.proj(_join_heads(weights.softmax(-1) @ v))
        # One clip at a time: the bias then has the four dimensions that fused kernels take.
        clips = (
            _join_heads(F.scaled_dot_product_attention(*clip, attn_mask=bias))
            for clip in zip(q, k, v, strict=True)
        )
        if plain_form():
            return self.proj(torch.stack(list(clips)))
        out = torch.empty_like(windows)
        for i, clip in enumerate(clips):
            out[i] = clip
        return linear(self.proj, out)

    def bias(self, grid: Size3, window: Size3, shift: Size3) -> Tensor:
        """Position bias plus shift mask: (windows, heads, tokens, tokens).

        In evaluation without gradients it is built once and kept until a table changes.
        """
        table = self.relative_position_bias_table
        if plain_form() or self.training or table.is_inference():
            return self._build_bias(grid, window, shift)
        tables = (table, self.fragment_position_bias_table)
        key = (grid, *((id(t), t._version) for t in tables if t is not None))
        with self._lock:
            if self._constant is None or self._constant[0] != key:
                bias = self._build_bias(grid, window, shift).contiguous()
                self._constant = (key, tables, bias)  # holding the tables keeps their ids theirs
            return self._constant[2]

    def _build_bias(self, grid: Size3, window: Size3, shift: Size3) -> Tensor:
        tokens = window[0] * window[1] * window[2]
        index = self.relative_position_index[:tokens, :tokens].flatten()

        def spread(table: Tensor) -> Tensor:
            return table[index].view(tokens, tokens, -1).permute(2, 0, 1)[None]

        bias = spread(self.relative_position_bias_table)
        if self.fragment_position_bias_table is not None:
            gate = fragment_distance(grid, window, shift).to(bias)[:, None]
            bias = gate * bias + (1 - gate) * spread(self.fragment_position_bias_table)
        if any(shift):
            bias = bias + shift_mask(grid, window, shift).to(bias)[:, None]
        num_windows = grid[0] * grid[1] * grid[2] // tokens
        return bias.expand(num_windows, -1, -1, -1)

    def train(self, mode: bool = True) -> Self:
        """Also drops the kept bias, which writes through ``.data`` would leave stale."""
        self._constant = None
        return super().train(mode)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._constant = None  # moved to another device or type
        return super()._apply(fn, recurse)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state["_constant"] = state["_lock"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._lock = threading.Lock()


class SwinMlp(nn.Module):
    """The two linear layers of a block's second half."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, 4 * channels)
        self.fc2 = nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> the same shape."""
        return mlp(x, self.fc1, self.fc2)


class SwinBlock(nn.Module):
    """Pre-norm windowed attention and MLP around residuals."""

    def __init__(self, channels: int, heads: int, window: Size3, shift: Size3, gated: bool) -> None:
        super().__init__()
        self.window = window
        self.shift = shift
        self.norm1 = nn.LayerNorm(channels, eps=NORM_EPS)
        self.attn = WindowAttention(channels, heads, window, gated)
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
    """Non-overlapping patches to tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv3d(3, width, PATCH, PATCH)
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)

    def forward(self, clips: Tensor) -> Tensor:
        """(N, 3, T, H, W) -> (N, T/2, H/4, W/4, C)."""
        return self.norm(conv3d_channels_last(self.proj, clips.permute(0, 2, 3, 4, 1)))


class PatchMerging(nn.Module):
    """Halves height and width, doubles channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * channels, eps=NORM_EPS)
        self.reduction = nn.Linear(4 * channels, 2 * channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) -> (N, T, H/2, W/2, 2C)."""
        quarters = [x[:, :, row::2, col::2] for col in (0, 1) for row in (0, 1)]
        return linear(self.reduction, self.norm(torch.cat(quarters, dim=-1)))


class SwinStage(nn.Module):
    """Blocks at one resolution, then the merging towards the next."""

    def __init__(self, channels: int, depth: int, heads: int, config: SwinConfig, index: int):
        super().__init__()
        half = tuple(w // 2 for w in config.window)
        self.blocks = nn.Sequential(
            *(
                SwinBlock(
                    channels,
                    heads,
                    config.window,
                    (half[0], half[1], half[2]) if i % 2 else (0, 0, 0),
                    gated=index < config.gated_stages,
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
    """A video clip to a feature map."""

    def __init__(self, config: SwinConfig) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(config.width)
        self.layers = nn.Sequential(
            *(
                SwinStage(config.width * 2**i, depth, heads, config, i)
                for i, (depth, heads) in enumerate(zip(config.depths, config.heads, strict=True))
            )
        )
        self.norm = nn.LayerNorm(config.channels, eps=NORM_EPS)
        self.checkpointing = False  # in training, compute activations twice rather than keep them

    def forward(self, clips: Tensor) -> Tensor:
        """Features of each clip.

        Args:
            clips: (N, 3, T, H, W) normalised RGB, cut into windows exactly: 32 x 224 x 224.

        Returns:
            (N, T/2, H/32, W/32, C).

        Raises:
            ValueError: the clip's size is not a multiple of the windows.
        """
        x = self.patch_embed(clips)
        for stage in self.layers.children():
            x = stage(x, self.checkpointing and torch.is_grad_enabled())
        return self.norm(x)
