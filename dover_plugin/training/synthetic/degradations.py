"""What goes wrong with a video, in five steps each.

Steps are even in what they cost: on the median of contents, 0.9, 0.7, 0.5, 0.3 and 0.1 of the label
are left, as far as a fault goes that far.

A degradation takes frames and spoils them. What it does to structure (blur, noise, compression) is
later measured by a full-reference metric; what it does to light, colour or time would be measured
wrongly by one, so it is done to the reference too and costs a stated penalty instead.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dover_plugin.training.blur import bell, convolve, disc, line
from dover_plugin.training.synthetic.encoding import decode, encode
from dover_plugin.views import Picture

LEVELS = 5
# Share of the label that a photometric fault takes away, by level.
PENALTIES = (0.1, 0.3, 0.5, 0.7, 0.9)
# What lost frames take away where things move: a choice, less than the worst faults of light.
LOST = (0.04, 0.1, 0.2, 0.35, 0.5)
VISIBLE_MOTION = 4.0  # mean difference of successive frames (0..255) at which lost frames show


@dataclass(frozen=True)
class Shot:
    """Frames on their way through a chain of degradations.

    Attributes:
        frames: (T, H, W, 3) uint8.
        reference: likewise, what the metric compares them with.
        kept: share of the label left by penalties, in [0, 1].
        fps: frames per second.
        packets: the encoded file, if the last degradation was an encoder.
        height: of the picture that the frames are cut out of, in pixels: blur goes by it.
            0 if they are whole.
    """

    frames: Picture
    reference: Picture
    fps: int
    kept: float = 1.0
    packets: bytes | None = None
    height: int = 0

    def spoilt(self, frames: Picture) -> "Shot":
        """With other frames, the same reference."""
        return replace(self, frames=frames, packets=None)

    def penalised(self, change: Callable[[Picture], Picture], level: int) -> "Shot":
        """With frames and reference changed alike, at a penalty."""
        return replace(
            self,
            frames=change(self.frames),
            reference=change(self.reference),
            kept=self.kept * (1 - PENALTIES[level - 1]),
            packets=None,
        )


type Degradation = Callable[[Shot, int, np.random.Generator], Shot]


def _codec(codec: str, quantisers: tuple[int, ...]) -> Degradation:
    def apply(shot: Shot, level: int, rng: np.random.Generator) -> Shot:
        quantiser = min(63, quantisers[level - 1] + int(rng.integers(-1, 2)))
        packets = encode(shot.frames, shot.fps, codec, quantiser)
        return replace(shot, frames=decode(packets), packets=packets)

    return apply


def _upscaled(shot: Shot, level: int, rng: np.random.Generator) -> Shot:
    """Recorded small, shown large."""
    factor = (1.25, 1.65, 2.05, 2.5, 3.2)[level - 1] * rng.uniform(0.93, 1.07)
    mode = str(rng.choice(["bilinear", "bicubic"]))

    def rescale(x: Tensor) -> Tensor:
        size = x.shape[-2:]
        small = [max(8, round(side / factor)) for side in size]
        x = F.interpolate(x, small, mode="bilinear", antialias=True)
        return F.interpolate(x, size, mode=mode, align_corners=False)

    return shot.spoilt(_by_frame(shot.frames, rescale))


def _defocus(shot: Shot, level: int, rng: np.random.Generator) -> Shot:
    """Out of focus: a disc."""
    height = shot.height or shot.frames.shape[1]
    radius = (0.003, 0.0048, 0.0063, 0.0083, 0.011)[level - 1] * height * rng.uniform(0.92, 1.08)
    return shot.spoilt(_by_frame(shot.frames, lambda x: convolve(x, disc(radius))))


def _motion_blur(shot: Shot, level: int, rng: np.random.Generator) -> Shot:
    """A long exposure by a moving hand: a line."""
    height = shot.height or shot.frames.shape[1]
    length = (0.0065, 0.0105, 0.0145, 0.019, 0.025)[level - 1] * height * rng.uniform(0.92, 1.08)
    kernel = line(length, rng.uniform(0, math.pi))
    return shot.spoilt(_by_frame(shot.frames, lambda x: convolve(x, kernel)))


def _noise(shot: Shot, level: int, rng: np.random.Generator) -> Shot:
    """A sensor in the dark: more in bright parts, coarse in colour."""
    sigma = (3.2, 5.2, 7.6, 10.5, 15.0)[level - 1] * rng.uniform(0.92, 1.08)
    draw = torch.Generator().manual_seed(int(rng.integers(2**31)))

    def grain(x: Tensor) -> Tensor:
        luma = torch.randn((x.shape[0], 1, *x.shape[2:]), generator=draw)
        half = [math.ceil(side / 2) for side in x.shape[2:]]
        chroma = torch.randn((x.shape[0], 3, *half), generator=draw)
        chroma = F.interpolate(chroma, x.shape[2:], mode="bilinear")
        return x + sigma * (0.6 + 0.8 * (x / 255).sqrt()) * (0.8 * luma + 0.6 * chroma)

    return shot.spoilt(_by_frame(shot.frames, grain))


def _noise_compressed(shot: Shot, level: int, rng: np.random.Generator) -> Shot:
    """Sensor noise that an encoder then had to spend its bits on."""
    return DEGRADATIONS["h264"](_noise(shot, level, rng), max(1, level - 1), rng)


def _banding(shot: Shot, level: int, rng: np.random.Generator) -> Shot:
    """Too few levels."""
    step = (9.0, 14.0, 19.0, 27.0, 36.0)[level - 1] * rng.uniform(0.95, 1.05)
    return shot.spoilt(_by_frame(shot.frames, lambda x: (x / step).round() * step))


def _sharpened(shot: Shot, level: int, rng: np.random.Generator) -> Shot:
    """Sharpened until edges ring."""
    amount = (0.45, 0.75, 1.05, 1.4, 2.0)[level - 1] * rng.uniform(0.92, 1.08)
    soft = bell(1.3, 3)
    return shot.spoilt(_by_frame(shot.frames, lambda x: x + amount * (x - convolve(x, soft))))


def _interlaced(shot: Shot, level: int, _: np.random.Generator) -> Shot:
    """Every other line from another time, or half mended by a mean with it."""
    lag, share = ((1, 0.3), (1, 0.5), (1, 0.75), (1, 1.0), (2, 1.0))[level - 1]
    frames = shot.frames.copy()
    later = np.minimum(np.arange(len(frames)) + lag, len(frames) - 1)
    lines, others = shot.frames[:, 1::2], shot.frames[later, 1::2]
    frames[:, 1::2] = np.rint(lines + share * (others.astype(np.float32) - lines))
    return shot.spoilt(frames)


def _dropped(shot: Shot, level: int, rng: np.random.Generator) -> Shot:
    """Frames that the one before stands in for, evenly or in gaps."""
    share = (0.15, 0.3, 0.5, 0.67, 0.8)[level - 1]
    count = len(shot.frames)
    shown = np.arange(count)
    if rng.random() < 0.5:  # judder
        times = (shown * (1 - share)).round() / (1 - share)
        shown = np.minimum(times.round().astype(int), shown)
    else:
        lost = rng.random(count) < share
        lost[0] = False
        shown = np.maximum.accumulate(np.where(lost, 0, shown))
    steps = shot.reference[1:].astype(np.int16) - shot.reference[:-1]
    motion = min(1.0, float(np.abs(steps[::4]).mean()) / VISIBLE_MOTION)
    kept = shot.kept * (1 - motion * LOST[level - 1])
    return replace(
        shot, frames=shot.frames[shown], reference=shot.reference[shown], kept=kept, packets=None
    )


def _exposure(shot: Shot, level: int, rng: np.random.Generator) -> Shot:
    """Too dark or too bright, in stops of light."""
    stops = (0.5, 1.0, 1.6, 2.3, 3.1)[level - 1] * float(rng.choice([-1, 0.6]))
    return shot.penalised(
        lambda frames: _by_level(frames, lambda v: ((v**2.2) * 2**stops) ** (1 / 2.2)), level
    )


def _contrast(shot: Shot, level: int, rng: np.random.Generator) -> Shot:
    """Too little of it."""
    factor = (0.8, 0.63, 0.48, 0.35, 0.24)[level - 1]
    middle = rng.uniform(0.35, 0.6)
    return shot.penalised(
        lambda frames: _by_level(frames, lambda v: middle + factor * (v - middle)), level
    )


def _clipped(shot: Shot, level: int, rng: np.random.Generator) -> Shot:
    """Too much contrast: lights and shadows gone."""
    factor = (1.3, 1.7, 2.3, 3.2, 4.5)[level - 1]
    middle = rng.uniform(0.35, 0.6)
    return shot.penalised(
        lambda frames: _by_level(frames, lambda v: middle + factor * (v - middle)), level
    )


def _cast(shot: Shot, level: int, rng: np.random.Generator) -> Shot:
    """The wrong white balance."""
    strength = (0.1, 0.2, 0.32, 0.46, 0.62)[level - 1]
    towards = rng.dirichlet([0.6, 0.6, 0.6])
    gains = 1 - strength * (1 - towards / towards.max())

    def tint(x: Tensor) -> Tensor:
        return x * torch.tensor(gains / gains.mean(), dtype=x.dtype)[None, :, None, None]

    return shot.penalised(lambda frames: _by_frame(frames, tint), level)


def _haze(shot: Shot, level: int, rng: np.random.Generator) -> Shot:
    """Air that is not clear, more so in the distance, which is above."""
    clear = (0.85, 0.7, 0.55, 0.4, 0.27)[level - 1]
    air = 255 * rng.uniform(0.7, 0.95)

    def veil(x: Tensor) -> Tensor:
        rows = torch.linspace(-0.12, 0.12, x.shape[2])[None, None, :, None]
        through = (clear + rows).clamp(0.05, 1)
        return x * through + air * (1 - through)

    return shot.penalised(lambda frames: _by_frame(frames, veil), level)


DEGRADATIONS: dict[str, Degradation] = {
    "h264": _codec("libx264", (22, 27, 30, 33, 37)),
    "hevc": _codec("libx265", (24, 28, 31, 34, 38)),
    "av1": _codec("libsvtav1", (36, 50, 57, 60, 62)),
    "blocking": _codec("mpeg4", (4, 7, 10, 14, 20)),
    "upscaled": _upscaled,
    "defocus": _defocus,
    "motion_blur": _motion_blur,
    "noise": _noise,
    "noise_compressed": _noise_compressed,
    "banding": _banding,
    "sharpened": _sharpened,
    "interlaced": _interlaced,
    "dropped": _dropped,
    "exposure": _exposure,
    "contrast": _contrast,
    "clipped": _clipped,
    "cast": _cast,
    "haze": _haze,
}
LIGHT = ("exposure", "contrast", "clipped", "cast", "haze")
# In the order in which a video meets them, so that combinations make sense.
CAPTURE = ("exposure", "contrast", "clipped", "cast", "haze", "defocus", "motion_blur", "noise")
DELIVERY = ("sharpened", "upscaled", "dropped", "banding", "h264", "hevc", "av1", "blocking")
# What was compressed once, and then filtered or compressed again, as films that are at hand are.
CODECS = ("h264", "hevc", "av1", "blocking")
AGAIN = ("defocus", "motion_blur", "noise", "sharpened", "upscaled", *CODECS)


def spoil_light(
    views: dict[str, Picture], rng: np.random.Generator
) -> tuple[dict[str, Picture], str, int, float]:
    """One fault of light or colour in all views alike.

    Args:
        views: each (..., H, W, 3) uint8, of one size.
        rng: draws the fault and its step.

    Returns:
        The spoilt views, the fault, its step, and the share of an opinion that the penalty leaves.
    """
    frames = [view.reshape(-1, *view.shape[-3:]) for view in views.values()]
    together = np.concatenate(frames)
    fault, level = str(rng.choice(LIGHT)), int(rng.integers(1, LEVELS + 1))
    shot = DEGRADATIONS[fault](Shot(together, together[:1], 25), level, rng)
    parts = np.split(shot.frames, np.cumsum([len(part) for part in frames])[:-1])
    spoilt = {
        name: part.reshape(view.shape)
        for (name, view), part in zip(views.items(), parts, strict=True)
    }
    return spoilt, fault, level, shot.kept


def _by_frame(frames: Picture, change: Callable[[Tensor], Tensor], batch: int = 8) -> Picture:
    """Apply a change of (N, 3, H, W) floats of 0..255 to all frames."""
    out = np.empty_like(frames)
    for start in range(0, len(frames), batch):
        part = torch.from_numpy(frames[start : start + batch]).permute(0, 3, 1, 2).float()
        changed = change(part).round().clamp(0, 255).byte()
        out[start : start + batch] = changed.permute(0, 2, 3, 1).numpy()
    return out


def _by_level(frames: Picture, curve: Callable[[np.ndarray], np.ndarray]) -> Picture:
    """Apply a curve of [0, 1] to every value."""
    table = curve(np.arange(256) / 255)
    picture: Picture = np.rint(255 * np.clip(table, 0, 1)).astype(np.uint8)[frames]
    return picture
