"""Filters and noise that the distortions are made of."""

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from dover_plugin.preprocessing.pictures import Picture

type Kernel = NDArray[np.float64]  # (K, K), K odd


def grid(reach: int) -> tuple[Kernel, Kernel]:
    """Rows and columns of (2 * reach + 1) squared positions around 0."""
    rows, cols = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
    return rows, cols


def by_frame(frames: Picture, change: Callable[[Tensor], Tensor]) -> Picture:
    """Apply a change of (1, 3, H, W) floats of 0 to 255 to each frame."""
    done = []
    for frame in frames:
        x = change(torch.tensor(frame).permute(2, 0, 1)[None].float())[0]
        done.append(x.round().clamp(0, 255).byte().permute(1, 2, 0).numpy())
    return np.stack(done)


def by_level(
    frames: Picture, curve: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> Picture:
    """Apply a curve of [0, 1] to every value."""
    table = curve(np.arange(256) / 255)
    picture: Picture = np.rint(255 * np.clip(table, 0, 1)).astype(np.uint8)[frames]
    return picture


def exposed(frames: Picture, stops: float) -> Picture:
    """Multiply the light by 2**stops, in linear light."""
    gain = 2**stops
    return by_level(frames, lambda value: (value**2.2 * gain) ** (1 / 2.2))


def resize(frames: Picture, height: int, width: int, mode: str = "bicubic") -> Picture:
    """Resize (T, H, W, 3), with an antialiasing filter where it gets smaller."""
    smaller = height < frames.shape[1]
    return by_frame(
        frames,
        lambda x: F.interpolate(
            x, (height, width), mode=mode, antialias=smaller, align_corners=False
        ),
    )


def even(side: float) -> int:
    """The nearest even number of pixels, at least 16."""
    return max(16, 2 * round(side / 2))


def convolve(x: Tensor, kernel: Kernel) -> Tensor:
    """Filter each channel of (N, C, H, W), edges reflected; the kernel is scaled to a sum of 1."""
    reach = kernel.shape[0] // 2
    weight = torch.from_numpy(kernel / kernel.sum()).float()
    padded = F.pad(x, (reach, reach, reach, reach), mode="reflect")
    if reach <= 3:
        return F.conv2d(padded, weight.repeat(x.shape[1], 1, 1, 1), groups=x.shape[1])
    size = [math.ceil(side / 32) * 32 for side in padded.shape[2:]]  # lengths that are fast
    spectrum = torch.fft.rfft2(padded, s=size) * torch.fft.rfft2(weight, s=size)
    full = torch.fft.irfft2(spectrum, s=size)
    inside: Tensor = full[
        ..., 2 * reach : 2 * reach + x.shape[2], 2 * reach : 2 * reach + x.shape[3]
    ]
    return inside


def smooth(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of (N, C, H, W), rows and columns one after the other."""
    reach = max(1, math.ceil(3 * sigma))
    weight = torch.exp(-(torch.arange(-reach, reach + 1).float() ** 2) / (2 * sigma**2))
    weight = (weight / weight.sum()).repeat(x.shape[1], 1, 1)
    x = F.pad(x, (reach, reach, reach, reach), mode="reflect")
    x = F.conv2d(x, weight[:, :, :, None], groups=x.shape[1])
    return F.conv2d(x, weight[:, :, None, :], groups=x.shape[1])


def add_noise(frames: Picture, sigma: float, rng: np.random.Generator) -> Picture:
    """Add noise to the luma alone, to each channel, or with coarse colour as of cameras."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    kind = str(rng.choice(["luma", "channels", "camera"], p=[0.25, 0.25, 0.5]))

    def sample(x: Tensor) -> Tensor:
        if kind == "channels":
            return torch.randn(x.shape, generator=generator)
        luma = torch.randn((1, 1, *x.shape[2:]), generator=generator)
        if kind == "luma":
            return luma
        half = [(side + 1) // 2 for side in x.shape[2:]]
        chroma = torch.randn((1, 3, *half), generator=generator)
        return 0.8 * luma + 0.6 * F.interpolate(chroma, x.shape[2:], mode="bilinear")

    return by_frame(frames, lambda x: x + sigma * (0.6 + 0.8 * (x / 255).sqrt()) * sample(x))
