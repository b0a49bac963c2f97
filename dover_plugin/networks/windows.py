"""Windows of a token grid: partition, position index, fragment distance and shift mask."""

import torch
from torch import Tensor

FRAGMENT_GRID = (7, 7)
MASKED = -100.0  # added to the attention between tokens that are neighbours only after the roll

type Size3 = tuple[int, int, int]


def fit_window(grid: Size3, window: Size3, shift: Size3) -> tuple[Size3, Size3]:
    """Clip a window to a token grid. An axis that one window spans is not shifted.

    Raises:
        ValueError: windows do not tile the grid.
    """
    window_t, window_h, window_w = (min(g, w) for g, w in zip(grid, window, strict=True))
    shift_t, shift_h, shift_w = (
        0 if g <= w else s for g, w, s in zip(grid, window, shift, strict=True)
    )
    fitted = (window_t, window_h, window_w)
    if any(g % w for g, w in zip(grid, fitted, strict=True)):
        raise ValueError(
            f"Windows of {fitted} tokens do not tile a grid of {grid}. Use clips of the size that "
            "the model was trained on, such as 32 frames of 224x224."
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
    """Row of the bias table for each query and key of a window: (tokens, tokens) int64."""
    axes = torch.meshgrid(*(torch.arange(w) for w in window), indexing="ij")
    tokens = torch.stack(axes).flatten(1)  # (3, tokens)
    distance = tokens[:, :, None] - tokens[:, None, :]  # query minus key
    rows = torch.zeros(distance.shape[1:], dtype=torch.int64)
    for d, w in zip(distance, window, strict=True):
        rows = rows * (2 * w - 1) + d + w - 1
    return rows


def fragment_distance(grid: Size3, window: Size3, shift: Size3) -> Tensor:
    """Distance between the fragments of two tokens, in rows plus columns of the fragment grid.

    Returns:
        (windows, tokens, tokens) float32, small integers.
    """
    _, h, w = grid
    rows = torch.arange(h) * FRAGMENT_GRID[0] // h
    cols = torch.arange(w) * FRAGMENT_GRID[1] // w
    locations = torch.stack(torch.meshgrid(rows, cols, indexing="ij"), dim=-1)  # (H, W, 2)
    windows = _rolled_windows(locations.float().expand(*grid, 2), window, shift)
    return (windows[:, :, None] - windows[:, None, :]).abs().sum(-1)


def shift_mask(grid: Size3, window: Size3, shift: Size3) -> Tensor:
    """0 between tokens that are neighbours without the roll, MASKED between other tokens.

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
