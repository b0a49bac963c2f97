"""Distortions of frames in five levels, and changes that leave the quality as it is.

A distortion maps frames (T, H, W, 3) uint8 to frames of the same number; level 1 is just visible,
level 5 is severe. Parameters other than the level (an angle, a tint) come from a generator: with a
generator of the same seed, all levels of one ladder share them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dover_plugin.preprocessing.pictures import Picture
from recipes.dover_open.encoding import round_trip_10_bits, transcode
from recipes.dover_open.filters import (
    add_noise,
    by_frame,
    by_level,
    convolve,
    even,
    exposed,
    grid,
    resize,
    smooth,
)

LEVELS = 5

type Change = Callable[[Picture, int, np.random.Generator], Picture]


@dataclass(frozen=True)
class Degradation:
    """One kind of distortion.

    Attributes:
        apply: (frames, level, generator) to frames.
        branch: the branch whose score it should move most.
        decoded: it happens to decoded frames; otherwise before the video is encoded.
    """

    apply: Change
    branch: Literal["technical", "aesthetic", "both"]
    decoded: bool = False


def codec(name: str, quantisers: tuple[int, ...]) -> Change:
    """A codec at five quantisers, each varied by one step at most for the whole ladder."""

    def apply(frames: Picture, level: int, rng: np.random.Generator) -> Picture:
        return transcode(frames, name, quantisers[level - 1] + int(rng.integers(-1, 2)))

    return apply


def defocus(frames: Picture, level: int, _: np.random.Generator) -> Picture:
    """A lens out of focus: the mean over a disc."""
    radius = max(0.7, (0.0025, 0.005, 0.009, 0.015, 0.025)[level - 1] * min(frames.shape[1:3]))
    rows, cols = grid(math.ceil(radius))
    kernel = np.clip(radius + 0.5 - np.hypot(rows, cols), 0, 1)
    return by_frame(frames, lambda x: convolve(x, kernel))


def motion_blur(frames: Picture, level: int, rng: np.random.Generator) -> Picture:
    """A camera that moves during the exposure: the mean over a line."""
    length = (0.006, 0.012, 0.022, 0.038, 0.06)[level - 1] * min(frames.shape[1:3])
    angle = rng.uniform(0, math.pi)
    rows, cols = grid(math.ceil(length / 2))
    along = cols * math.cos(angle) + rows * math.sin(angle)
    across = rows * math.cos(angle) - cols * math.sin(angle)
    kernel = np.clip(1 - np.abs(across), 0, 1) * np.clip(length / 2 + 0.5 - np.abs(along), 0, 1)
    return by_frame(frames, lambda x: convolve(x, kernel))


def gaussian_blur(frames: Picture, level: int, _: np.random.Generator) -> Picture:
    """A smooth blur."""
    sigma = (0.7, 1.2, 2.2, 4.0, 7.0)[level - 1] * math.sqrt(min(frames.shape[1:3]) / 540)
    return by_frame(frames, lambda x: smooth(x, sigma))


def noise(frames: Picture, level: int, rng: np.random.Generator) -> Picture:
    """Sensor noise, new in every frame and stronger in bright parts."""
    return add_noise(frames, (4.0, 7.5, 12.0, 18.0, 28.0)[level - 1], rng)


def banding(frames: Picture, level: int, _: np.random.Generator) -> Picture:
    """Too few levels of brightness."""
    step = (7, 12, 19, 29, 44)[level - 1]
    return by_level(frames, lambda value: (value * 255 / step).round() * step / 255)


def sharpened(frames: Picture, level: int, _: np.random.Generator) -> Picture:
    """Sharpened until edges ring."""
    amount = (1.0, 1.7, 2.6, 3.8, 5.5)[level - 1]
    return by_frame(frames, lambda x: x + amount * (x - smooth(x, 1.2)))


def block_loss(frames: Picture, level: int, rng: np.random.Generator) -> Picture:
    """Lost slices: rows of 16x16 blocks that show another part of the frame, or flat grey."""
    share = (0.02, 0.05, 0.12, 0.25, 0.45)[level - 1]
    height, width = frames.shape[1] // 16, frames.shape[2] // 16
    order = rng.permutation(height * 2)  # each row of blocks is two slices
    shifts = rng.integers(-3, 4, (height * 2, 2)) * 16
    grey = rng.random(height * 2) < 0.25
    out = frames.copy()
    for piece in order[: max(level, round(share * len(order)))]:
        top = int(piece) // 2 * 16
        half = width // 2 * 16
        columns = slice(0, half) if piece % 2 == 0 else slice(half, width * 16)
        if grey[piece]:
            out[:, top : top + 16, columns] = 128
        else:
            moved = np.roll(frames, tuple(shifts[piece] + 8), axis=(1, 2))
            out[:, top : top + 16, columns] = moved[:, top : top + 16, columns]
    return out


def exposure(stops: tuple[float, ...]) -> Change:
    """Light that is multiplied by 2**stops, in linear light."""

    def apply(frames: Picture, level: int, _: np.random.Generator) -> Picture:
        return exposed(frames, stops[level - 1])

    return apply


def contrast(factors: tuple[float, ...]) -> Change:
    """Distance from a medium brightness times a factor."""

    def apply(frames: Picture, level: int, rng: np.random.Generator) -> Picture:
        middle, factor = rng.uniform(0.35, 0.6), factors[level - 1]
        return by_level(frames, lambda value: middle + factor * (value - middle))

    return apply


def saturation(factors: tuple[float, ...]) -> Change:
    """Distance from grey times a factor."""

    def apply(frames: Picture, level: int, _: np.random.Generator) -> Picture:
        factor = factors[level - 1]

        def change(x: Tensor) -> Tensor:
            weights = torch.tensor([0.299, 0.587, 0.114])[None, :, None, None]
            grey = (x * weights).sum(1, keepdim=True)
            return grey + factor * (x - grey)

        return by_frame(frames, change)

    return apply


def cast(frames: Picture, level: int, rng: np.random.Generator) -> Picture:
    """A wrong white balance."""
    strength = (0.12, 0.24, 0.38, 0.54, 0.72)[level - 1]
    tint = rng.dirichlet([0.6, 0.6, 0.6])
    gains = 1 - strength * (1 - tint / tint.max())
    scale = torch.tensor(gains / gains.mean(), dtype=torch.float32)[None, :, None, None]
    return by_frame(frames, lambda x: x * scale)


def haze(frames: Picture, level: int, rng: np.random.Generator) -> Picture:
    """Air that is not clear, denser in the upper part of the frame."""
    clear = (0.82, 0.64, 0.48, 0.33, 0.2)[level - 1]
    air = 255 * rng.uniform(0.7, 0.95)

    def veil(x: Tensor) -> Tensor:
        rows = torch.linspace(-0.12, 0.12, x.shape[2])[None, None, :, None]
        through = (clear + rows).clamp(0.05, 1)
        return x * through + air * (1 - through)

    return by_frame(frames, veil)


CODECS = {
    "h264": Degradation(codec("h264", (22, 28, 34, 40, 47)), "technical"),
    "hevc": Degradation(codec("hevc", (24, 30, 36, 42, 48)), "technical"),
    "av1": Degradation(codec("av1", (32, 44, 53, 59, 62)), "technical"),
    "vp9": Degradation(codec("vp9", (32, 42, 51, 58, 62)), "technical"),
    "mpeg4": Degradation(codec("mpeg4", (4, 7, 12, 19, 29)), "technical"),
    "jpeg": Degradation(codec("jpeg", (80, 50, 28, 15, 6)), "technical"),
}
TECHNICAL = {
    "defocus": Degradation(defocus, "technical"),
    "motion": Degradation(motion_blur, "technical"),
    "gaussian": Degradation(gaussian_blur, "technical"),
    "noise": Degradation(noise, "technical"),
    "banding": Degradation(banding, "technical"),
    "sharpened": Degradation(sharpened, "technical"),
    "block_loss": Degradation(block_loss, "both", decoded=True),
}
AESTHETIC = {
    "exposure_dark": Degradation(exposure((-0.7, -1.3, -2.0, -2.9, -4.0)), "aesthetic"),
    "exposure_bright": Degradation(exposure((0.4, 0.75, 1.15, 1.6, 2.2)), "aesthetic"),
    "contrast": Degradation(contrast((0.75, 0.55, 0.4, 0.27, 0.16)), "aesthetic"),
    "clipping": Degradation(contrast((1.4, 1.9, 2.6, 3.6, 5.0)), "aesthetic"),
    "saturation": Degradation(saturation((1.5, 2.1, 3.0, 4.2, 6.0)), "aesthetic"),
    "desaturation": Degradation(saturation((0.6, 0.4, 0.25, 0.12, 0.0)), "aesthetic"),
    "cast": Degradation(cast, "aesthetic"),
    "haze": Degradation(haze, "aesthetic"),
}


def dither(frame: Picture, rng: np.random.Generator) -> Picture:
    """Change every value by -1, 0 or 1."""
    steps = rng.integers(-1, 2, frame.shape, dtype=np.int8)
    return np.clip(frame.astype(np.int16) + steps, 0, 255).astype(np.uint8)


def bits10(frame: Picture, _: np.random.Generator) -> Picture:
    """Convert to 10 bits and back."""
    return round_trip_10_bits(frame)


def flip(frame: Picture, _: np.random.Generator) -> Picture:
    """Mirror left and right."""
    return np.ascontiguousarray(frame[:, ::-1])


def aspect(frame: Picture, rng: np.random.Generator) -> Picture:
    """Crop the longer or the shorter side to 70 to 90 %, around the centre."""
    height, width = frame.shape[:2]
    share = rng.uniform(0.7, 0.9)
    if rng.random() < 0.5:
        side = even(height * share)
        top = (height - side) // 2
        return np.ascontiguousarray(frame[top : top + side])
    side = even(width * share)
    left = (width - side) // 2
    return np.ascontiguousarray(frame[:, left : left + side])


def grain(frame: Picture, rng: np.random.Generator) -> Picture:
    """Add fine film grain of low strength to the luma."""
    speckle = torch.from_numpy(rng.standard_normal((1, 1, *frame.shape[:2]), np.float32))
    speckle = smooth(speckle, 0.6)
    speckle = rng.uniform(1.0, 2.2) * speckle / speckle.std()
    grained: Picture = by_frame(frame[None], lambda x: x + speckle)[0]
    return grained


type Equal = Callable[[Picture, np.random.Generator], Picture]
SAME: dict[str, Equal] = {  # of one frame (H, W, 3)
    "dither": dither,
    "bits10": bits10,
    "flip": flip,
    "aspect": aspect,
    "grain": grain,
}


def pre_degrade(frames: Picture, rng: np.random.Generator) -> tuple[Picture, str]:
    """Give frames the light distortions that footage often has: soft, noisy, coded, or several.

    Returns:
        Frames of the same shape, and the kinds joined by "+".
    """
    kinds = []
    height, width = frames.shape[1:3]
    if rng.random() < 0.5:
        kinds.append("soft")
        if rng.random() < 0.5:
            sigma = rng.uniform(0.4, 1.1) * math.sqrt(min(height, width) / 540)
            frames = by_frame(frames, lambda x: smooth(x, sigma))
        else:
            factor = rng.uniform(1.2, 2.2)
            small = resize(frames, even(height / factor), even(width / factor))
            frames = resize(small, height, width)
    if rng.random() < 0.35:
        kinds.append("noisy")
        frames = add_noise(frames, rng.uniform(1.5, 5), rng)
    if rng.random() < 0.6 or not kinds:
        kinds.append("coded")
        name, low, high = (("h264", 22, 31), ("mpeg4", 3, 6), ("jpeg", 60, 90))[
            int(rng.choice(3, p=[0.7, 0.1, 0.2]))
        ]
        frames = transcode(frames, name, int(rng.integers(low, high)))
    return frames, "+".join(kinds)
