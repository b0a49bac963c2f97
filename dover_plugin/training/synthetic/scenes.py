"""Scenes made by code: textured layers that occlude each other, under a moving camera.

Sizes of the shapes follow a power law and textures have spectra that fall with frequency, as in
photographs of the world (the dead leaves model: Lee, Mumford and Huang, 2001). Such pictures teach
a network what blur, noise and compression do to edges and textures; they teach it nothing of taste.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from dover_plugin.views import Picture

MARGIN = 1.5  # a layer is larger than the picture by this, so that the camera can move
OVERSAMPLING = 2  # layers are drawn finer than the picture, whose pixels average them
SIZES_FALL = 2.3  # p(radius) ~ radius**-2.3
TILE = 512  # of a texture, which repeats
KINDS = ("leaves", "blocks", "landscape", "cells", "signs")


@dataclass(frozen=True)
class Motion:
    """A camera's path over a picture, from the first frame to the last.

    Attributes:
        shift: (2, 2) start and end of the centre, in (x, y) of [-1, 1].
        zoom: (2,) start and end; 1 shows the picture less its margin.
        angle: (2,) in radians.
        shake: of the hand, in the unit of ``shift``.
    """

    shift: NDArray[np.float64]
    zoom: NDArray[np.float64]
    angle: NDArray[np.float64]
    shake: float = 0.0

    @classmethod
    def draw(cls, rng: np.random.Generator, strength: float = 1.0) -> "Motion":
        """A pan, zoom and turn, slow or quick, steady or by hand."""
        reach = 0.22 * strength
        start = rng.uniform(-reach, reach, 2)
        speed = rng.choice([0.0, 0.15, 0.5, 1.0])
        return cls(
            np.stack([start, np.clip(start + speed * rng.uniform(-reach, reach, 2), -0.3, 0.3)]),
            1 + np.array([0, speed * rng.uniform(-0.12, 0.12) * strength]),
            np.array([0, speed * rng.uniform(-0.05, 0.05) * strength]),
            float(rng.choice([0.0, 0.0, 0.0015, 0.004])),
        )

    def grids(self, num_frames: int, size: tuple[int, int], seed: int) -> Tensor:
        """(num_frames, H, W, 2) sampling positions of [-1, 1] for pictures of ``size``."""
        height, width = size
        rng = np.random.default_rng(seed)
        along = np.linspace(0, 1, num_frames)
        along = along * along * (3 - 2 * along) if rng.random() < 0.5 else along
        drift = np.cumsum(rng.standard_normal((num_frames, 2)), axis=0)
        drift -= drift.mean(axis=0)
        centre = self.shift[0] + along[:, None] * (self.shift[1] - self.shift[0])
        centre += self.shake * drift
        zoom = self.zoom[0] + along * (self.zoom[1] - self.zoom[0])
        angle = self.angle[0] + along * (self.angle[1] - self.angle[0])
        scale = 1 / (MARGIN * zoom)
        aspect = width / height
        turn = np.stack(
            [
                np.stack([np.cos(angle), -np.sin(angle) / aspect], -1),
                np.stack([np.sin(angle) * aspect, np.cos(angle)], -1),
            ],
            -2,
        )  # (num_frames, 2, 2)
        theta = np.concatenate([turn * scale[:, None, None], centre[:, :, None]], -1)
        return F.affine_grid(
            torch.from_numpy(theta).float(), [num_frames, 1, height, width], align_corners=False
        )


def film(
    layers: list[tuple[Tensor, Motion]], num_frames: int, size: tuple[int, int], seed: int
) -> Picture:
    """Film layers, the farthest first, each moving by itself.

    Args:
        layers: (4, h, w) RGB and opacity in [0, 1], and how the camera moves over each.
        num_frames: how many pictures.
        size: (H, W) of them, even.
        seed: of the hand's shake.

    Returns:
        (num_frames, H, W, 3) uint8.
    """
    height, width = size
    fine = (height * OVERSAMPLING, width * OVERSAMPLING)
    grids = [motion.grids(num_frames, fine, seed) for _, motion in layers]
    frames = np.empty((num_frames, height, width, 3), np.uint8)
    for i in range(num_frames):
        picture = torch.zeros(3, *fine)
        for (layer, _), grid in zip(layers, grids, strict=True):
            seen = F.grid_sample(
                layer[None], grid[i : i + 1], padding_mode="reflection", align_corners=False
            )[0]
            picture += seen[3:] * (seen[:3] - picture)
        mean = F.avg_pool2d(picture[None], OVERSAMPLING)[0]
        frames[i] = (mean * 255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    return frames


def photograph(
    picture: Picture,
    num_frames: int,
    size: tuple[int, int],
    seed: int,
    finest: float = OVERSAMPLING * MARGIN,
) -> Picture:
    """Film a still picture (h, w, 3) with a moving camera; see film.

    Args:
        picture: the still.
        num_frames: how many pictures.
        size: (H, W) of them, even.
        seed: of what is seen, and of the camera.
        finest: pixels of the still per pixel of the film, if it has so many.
    """
    rng = np.random.default_rng(seed)
    height, width = size
    scale = min(picture.shape[0] / (height * MARGIN), picture.shape[1] / (width * MARGIN), finest)
    crop = int(height * MARGIN * scale), int(width * MARGIN * scale)
    top = int(rng.integers(0, picture.shape[0] - crop[0] + 1))
    left = int(rng.integers(0, picture.shape[1] - crop[1] + 1))
    part = picture[top : top + crop[0], left : left + crop[1]]
    x = torch.tensor(part).permute(2, 0, 1)[None].float() / 255
    fine = (int(height * OVERSAMPLING * MARGIN), int(width * OVERSAMPLING * MARGIN))
    if crop[0] > fine[0]:
        x = F.interpolate(x, fine, mode="area")
    layer = torch.cat([x[0], torch.ones(1, *x.shape[2:])])
    return film([(layer, Motion.draw(rng))], num_frames, size, seed)


def generate(kind: str, num_frames: int, size: tuple[int, int], seed: int) -> Picture:
    """Film a scene of one of KINDS; see film."""
    rng = np.random.default_rng(seed)
    height, width = (int(side * OVERSAMPLING * MARGIN) for side in size)
    fine = (height, width)
    palette = _palette(rng)
    makers = {
        "leaves": _leaves,
        "blocks": _blocks,
        "landscape": _landscape,
        "cells": _cells,
        "signs": _signs,
    }
    camera = Motion.draw(rng)
    layers = [(makers[kind](fine, palette, rng), camera)]
    for depth in range(int(rng.integers(0, 3))):  # things that pass in front
        front = _passing(fine, palette, rng)
        own = Motion.draw(rng, strength=1.5 + depth)
        layers.append((front, own))
    return film(layers, num_frames, size, seed)


def noise(shape: tuple[int, int], exponent: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """(h, w) of zero mean and unit deviation, whose amplitudes fall as 1 / frequency**exponent."""
    rows, cols = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    frequency = np.hypot(rows, cols)
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(rng.standard_normal(shape)) / frequency**exponent
    spectrum[0, 0] = 0
    field = np.fft.irfft2(spectrum, shape)
    return (field / field.std()).astype(np.float32)


def _palette(rng: np.random.Generator, colours: int = 9) -> NDArray[np.float32]:
    """(colours, 3) around one or two hues, dark to light."""
    hue = (rng.random() + rng.choice([0.0, 0.5], colours) + rng.normal(0, 0.07, colours)) % 1
    saturation = np.clip(rng.beta(1.6, 3, colours), 0, 0.85)
    saturation[rng.random(colours) < 0.35] *= 0.15  # greys, by which a cast is seen
    value = np.linspace(0.12, 0.95, colours)
    wheel = np.abs((hue[:, None] * 6 + np.array([0, 4, 2])) % 6 - 3) - 1
    colour = value[:, None] * (1 - saturation[:, None] * (1 - np.clip(wheel, 0, 1)))
    return np.asarray(rng.permutation(colour), np.float32)


def _textured(
    mask: NDArray[np.bool_], colour: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """(n, 3): the masked pixels of a surface of one colour, with light and texture."""
    rows, cols = np.nonzero(mask)
    height, width = mask.shape
    slope = rng.normal(0, 0.35, 2)
    light = 1 + slope[0] * (rows / height - 0.5) + slope[1] * (cols / width - 0.5)
    style = rng.choice(["plain", "rough", "stripes", "weave"], p=[0.25, 0.45, 0.15, 0.15])
    if style == "rough":
        tile = _tiles()[int(rng.integers(5))]
        at = rng.integers(0, TILE, 2)
        light = light + rng.uniform(0.04, 0.3) * tile[(rows + at[0]) % TILE, (cols + at[1]) % TILE]
    elif style != "plain":
        angle, period = rng.uniform(0, math.pi), np.exp(rng.uniform(np.log(4), np.log(40)))
        wave = np.sin(2 * math.pi / period * (rows * math.cos(angle) + cols * math.sin(angle)))
        if style == "weave":
            wave = wave * np.sin(
                2 * math.pi / period * (cols * math.cos(angle) - rows * math.sin(angle))
            )
        light = light + rng.uniform(0.05, 0.3) * np.tanh(wave * rng.uniform(0.7, 4))
    return np.asarray(colour * light[:, None], np.float32)


def _leaves(
    size: tuple[int, int], palette: NDArray[np.float32], rng: np.random.Generator
) -> Tensor:
    """Discs and ellipses of all sizes, one upon the other."""
    return _pile(size, palette, rng, corners=None)


def _blocks(
    size: tuple[int, int], palette: NDArray[np.float32], rng: np.random.Generator
) -> Tensor:
    """Polygons of all sizes, as of houses and things."""
    return _pile(size, palette, rng, corners=int(rng.integers(3, 6)))


def _pile(
    size: tuple[int, int],
    palette: NDArray[np.float32],
    rng: np.random.Generator,
    corners: int | None,
    count: int = 700,
) -> Tensor:
    height, width = size
    picture = np.ones((height, width, 3), np.float32) * palette[0]
    whole = np.ones((height, width), np.bool_)
    picture[whole] = _textured(whole, palette[1], rng)
    smallest, largest = 0.008 * height, 0.4 * height
    share = np.sort(rng.random(count))[::-1]
    power = 1 - SIZES_FALL
    radii = (smallest**power + share * (largest**power - smallest**power)) ** (1 / power)
    for radius in radii:
        y, x = rng.uniform(0, height), rng.uniform(0, width)
        top, bottom = int(max(y - radius, 0)), int(min(y + radius + 1, height))
        left, right = int(max(x - radius, 0)), int(min(x + radius + 1, width))
        rows, cols = np.mgrid[top:bottom, left:right]
        angle, squeeze = rng.uniform(0, 2 * math.pi), rng.uniform(0.35, 1)
        u = ((cols - x) * math.cos(angle) + (rows - y) * math.sin(angle)) / radius
        v = ((rows - y) * math.cos(angle) - (cols - x) * math.sin(angle)) / radius / squeeze
        if corners is None:
            mask = u * u + v * v < 1
        else:
            turns = np.arange(corners) * 2 * math.pi / corners
            sides = [u * math.cos(turn) + v * math.sin(turn) for turn in turns]
            mask = np.max(sides, axis=0) < math.cos(math.pi / corners)
        colour = palette[int(rng.integers(len(palette)))] * rng.uniform(0.7, 1.2)
        picture[top:bottom, left:right][mask] = _textured(mask, colour, rng)
    return _opaque(picture)


def _landscape(
    size: tuple[int, int], palette: NDArray[np.float32], rng: np.random.Generator
) -> Tensor:
    """A sky, and ridges that grow darker and rougher towards the viewer."""
    height, width = size
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    light, dark = palette[palette.sum(1).argmax()], palette[palette.sum(1).argmin()]
    picture = light * (1 - 0.5 * rows) + 0.25 * palette[2] * rows
    picture = picture + 0.1 * np.clip(noise(size, 1.8, rng), 0, None)[..., None]
    for ridge in range(5):
        near = (ridge + 1) / 5
        line = 0.25 + 0.6 * near * 0.9 + 0.06 * noise((4, width), 1.3, rng)[0]
        mask = rows[..., 0] > line[None]
        ground = light * (1 - near) + (dark + palette[ridge + 1]) / 2 * near
        rough = 1 + 0.3 * near * noise(size, rng.uniform(0.8, 1.4), rng)[..., None]
        picture = np.where(mask[..., None], ground * rough, picture)
    return _opaque(picture)


def _cells(size: tuple[int, int], palette: NDArray[np.float32], rng: np.random.Generator) -> Tensor:
    """Stones or scales: the nearest of many points, with rims."""
    from scipy.spatial import cKDTree

    height, width = size
    points = rng.uniform(0, 1, (int(rng.integers(60, 900)), 2)) * (height, width)
    rows, cols = np.mgrid[0:height, 0:width]
    distance, nearest = cKDTree(points).query(np.stack([rows, cols], -1).reshape(-1, 2), k=2)
    rim = np.clip((distance[:, 1] - distance[:, 0]) / (0.012 * height), 0, 1).reshape(size)
    index = nearest[:, 0].reshape(size)
    colours = palette[rng.integers(0, len(palette), len(points))]
    colours = colours * rng.uniform(0.7, 1.2, (len(points), 1))
    rough = 1 + rng.uniform(0.05, 0.25) * noise(size, rng.uniform(0.6, 1.4), rng)
    return _opaque(colours[index] * (rough * (0.25 + 0.75 * rim))[..., None])


def _signs(size: tuple[int, int], palette: NDArray[np.float32], rng: np.random.Generator) -> Tensor:
    """Walls with rows of letter-like strokes, as of signs, screens and print."""
    picture = _pile(size, palette, rng, corners=4, count=60)[:3].permute(1, 2, 0).numpy().copy()
    height, width = size
    for _ in range(int(rng.integers(3, 8))):
        stroke = max(2, int(height * rng.uniform(0.003, 0.012)))
        top, left = int(rng.uniform(0, height * 0.8)), int(rng.uniform(0, width * 0.7))
        colour = palette[int(rng.integers(len(palette)))]
        board = rng.random((int(rng.integers(1, 6)) * 7, int(rng.integers(6, 30)) * 6)) < 0.5
        board[6::7] = False
        board[:, 5::6] = False
        ink = np.kron(board, np.ones((stroke, stroke), np.bool_))[: height - top, : width - left]
        area = picture[top : top + ink.shape[0], left : left + ink.shape[1]]
        if rng.random() < 0.6:
            area[:] = 1 - colour
        area[ink] = colour
    return _opaque(picture)


def _passing(
    size: tuple[int, int], palette: NDArray[np.float32], rng: np.random.Generator
) -> Tensor:
    """A few things on nothing."""
    pile = _pile(size, palette, rng, corners=None if rng.random() < 0.5 else 4, count=80)
    height, width = size
    rows, cols = np.mgrid[0:height, 0:width]
    alpha = np.zeros(size, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        y, x = rng.uniform(0.1, 0.9, 2) * (height, width)
        radius = height * rng.uniform(0.05, 0.18)
        wobble = 1 + 0.25 * np.sin(np.arctan2(rows - y, cols - x) * rng.integers(2, 6))
        alpha[np.hypot(rows - y, cols - x) < radius * wobble] = 1
    pile[3] = torch.from_numpy(alpha)
    return pile


def _opaque(picture: NDArray[np.float32]) -> Tensor:
    layer = torch.ones(4, *picture.shape[:2])
    layer[:3] = torch.from_numpy(np.clip(picture, 0.02, 0.98)).permute(2, 0, 1)
    return layer


@cache
def _tiles() -> tuple[NDArray[np.float32], ...]:
    """Textures from rough to smooth."""
    return tuple(
        noise((TILE, TILE), exponent, np.random.default_rng(index))
        for index, exponent in enumerate((0.3, 0.6, 0.9, 1.2, 1.6))
    )
