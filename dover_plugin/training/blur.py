"""Kernels of blur, as lenses and moving hands draw them, and how they are applied."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from dover_plugin.preprocessing.views import Picture

type Kernel = NDArray[np.float64]  # (K, K), K odd


def disc(radius: float) -> Kernel:
    """Out of focus; radius in pixels."""
    rows, cols = _grid(math.ceil(radius))
    return np.clip(radius + 0.5 - np.hypot(rows, cols), 0, 1)


def line(length: float, angle: float) -> Kernel:
    """Moved while it was exposed; length in pixels, angle in radians."""
    rows, cols = _grid(math.ceil(length / 2))
    along = cols * math.cos(angle) + rows * math.sin(angle)
    across = rows * math.cos(angle) - cols * math.sin(angle)
    inside = np.clip(length / 2 + 0.5 - np.abs(along), 0, 1)
    return np.asarray(np.clip(1 - np.abs(across), 0, 1) * inside)


def bell(sigma: float, reach: int) -> Kernel:
    """A normal distribution, cut off at ``reach`` pixels."""
    return np.asarray(np.exp(-(np.hypot(*_grid(reach)) ** 2) / (2 * sigma**2)))


def convolve(x: Tensor, kernel: Kernel) -> Tensor:
    """Each channel of (N, C, H, W) with one kernel, edges reflected."""
    weight = torch.from_numpy(kernel / kernel.sum()).float()[None, None]
    weight = weight.to(x.device, non_blocking=True)
    rows, cols = kernel.shape[0] // 2, kernel.shape[1] // 2
    padded = F.pad(x, (cols, cols, rows, rows), mode="reflect")
    return F.conv2d(padded, weight.repeat(x.shape[1], 1, 1, 1), groups=x.shape[1])


def _grid(reach: int) -> tuple[Kernel, Kernel]:
    """Rows and columns around 0."""
    rows, cols = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
    return rows, cols


def shallow(frames: Picture, rng: np.random.Generator) -> Picture:
    """Only an ellipse in focus, ever less around it: a choice of lens, no fault.

    Args:
        frames: (T, H, W, 3) uint8.
        rng: draws where, how large, and how far out of focus the rest is.
    """
    height, width = frames.shape[1:3]
    middle, reach = rng.uniform(0.25, 0.75, 2), rng.uniform(0.15, 0.45, 2)
    rows, columns = (
        (torch.linspace(0, 1, side) - at) / far
        for side, at, far in zip((height, width), middle, reach, strict=True)
    )
    away = (torch.hypot(rows[:, None], columns) - 1).clamp(0, 1)
    kernels = [disc(share * height) for share in np.cumsum(rng.uniform(0.004, 0.012, 2))]
    sharp = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
    near, far = (convolve(sharp, kernel) for kernel in kernels)
    seen = sharp.lerp(near, (2 * away).clamp(max=1)).lerp(far, (2 * away - 1).clamp(min=0))
    shown: Picture = seen.round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()
    return shown
