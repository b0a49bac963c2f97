"""Views in two qualities of which the order is known, whatever the content.

Labels of a few contents teach what a fault looks like on these. Pairs teach it on what footage
brings as well: pictures that are soft, noisy or coded before anything is done to them. The order of
the two needs no label (as in RankIQA, ICCV 2017).
"""

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dover_plugin.preprocessing.sampling import FRAGMENT
from dover_plugin.training.blur import bell, convolve, disc, line

type Fault = Callable[[Tensor, float], Tensor]  # of pictures (N, 3, S, S), 0..255, by strength
BLOCKS = (8, 16, 32)  # sides of what codecs transform
REACH = FRAGMENT // 2 - 1  # of a kernel, in pixels
# Brightness and two differences of colour (BT.601), as codecs see a picture.
TO_YCC = torch.tensor([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]])
TO_RGB = torch.linalg.inv(TO_YCC)
COARSER = torch.tensor([1, 1.6, 1.6])  # steps of each of these


def draw_pairs(views: Tensor, rng: np.random.Generator, branch: str = "technical") -> Tensor:
    """Each view less and more spoilt in sharpness, noise or coding.

    Args:
        views: (N, 1, T, H, W, 3) uint8.
        rng: draws what footage brings, faults and strengths.
        branch: whose views; blur does not reach over the edges of technical fragments.

    Returns:
        (2 * N, 1, T, H, W, 3) uint8: first all that are better, then, in the same order, all that
        are worse.
    """
    side = FRAGMENT if branch == "technical" else views.shape[3]
    both = [_pair(view, rng, side) for view in views]
    return torch.stack([view for half in zip(*both, strict=True) for view in half])


def _pair(view: Tensor, rng: np.random.Generator, fragment: int) -> tuple[Tensor, Tensor]:
    """One fault over what footage brings, in two strengths of which the lower may be none.

    Fragments, of which an aesthetic view is one, are shown a little larger first, so that what a
    fault does at their edges, where it lacks what lies beyond, can be cut off: it would give the
    worse one away.
    """
    low = 0.0 if rng.random() < 0.4 else rng.uniform(0, 3.5)
    high = min(5.0, low + rng.uniform(1.5, 3))
    fault, margin = _fault(high, rng)
    side = fragment + 2 * margin
    fragments = F.interpolate(
        _fragments(view, fragment), (side, side), mode="bicubic", align_corners=False
    )
    source = _source(fragments, rng).clamp(0, 255)
    inside = slice(margin, margin + fragment)
    better, worse = (
        _mosaic((fault(source, strength) if strength else source)[..., inside, inside], view.shape)
        for strength in (low, high)
    )
    return better, worse


def _source(x: Tensor, rng: np.random.Generator) -> Tensor:
    """What footage brings: in three of four cases soft, and then perhaps noisy, perhaps coded."""
    if rng.random() < 0.25:
        return x
    soften = (
        lambda: _soft(x, rng.uniform(0.4, 2.5)),
        lambda: _enlarged(x, rng.uniform(1.2, 4), str(rng.choice(["bilinear", "bicubic"]))),
        lambda: convolve(x, disc(rng.uniform(0.5, 3))),
    )
    x = soften[rng.integers(len(soften))]()
    if rng.random() < 0.35:
        x = x + rng.uniform(0.5, 5) * _grain(x, rng)
    if rng.random() < 0.6:
        block = int(rng.choice(BLOCKS))
        x = _coded(x, rng.uniform(3, 25), rng.integers(block, size=2), block)
    return x


def _fault(high: float, rng: np.random.Generator) -> tuple[Fault, int]:
    """One fault by its strength in (0, 5], and how far it reaches, in pixels, at strength high.

    Lengths and noise double with each 1.25 of strength.
    """
    angle, mode = rng.uniform(0, math.pi), str(rng.choice(["bilinear", "bicubic"]))
    block, seed = int(rng.choice(BLOCKS)), int(rng.integers(2**31))
    offset, smooth = rng.integers(block, size=2), rng.uniform(0.02, 0.25)

    def length(strength: float) -> float:
        return 2 ** (0.8 * strength)

    def noisy(x: Tensor, strength: float) -> Tensor:
        return x + 1.2 * length(strength) * _grain(x, np.random.default_rng(seed))  # one for both

    def coded(x: Tensor, strength: float) -> Tensor:
        return _soft(_coded(x, 9 * strength, offset, block), smooth * strength)

    faults: tuple[tuple[Fault, float], ...] = (
        (lambda x, s: _soft(x, 0.35 * length(s)), 1.05 * length(high)),
        (lambda x, s: convolve(x, disc(0.5 * length(s))), 0.5 * length(high) + 1),
        (lambda x, s: convolve(x, line(1.5 * length(s), angle)), 0.75 * length(high) + 1),
        (lambda x, s: _enlarged(x, 2 ** (0.5 * s), mode), 2 * 2 ** (0.5 * high)),
        (noisy, 0),
        (coded, block),
    )
    fault, reach = faults[rng.integers(len(faults))]
    return fault, min(REACH, math.ceil(reach))


def _fragments(view: Tensor, side: int) -> Tensor:
    """(1, T, H, W, 3) as its fragments (N, 3, side, side)."""
    _, frames, height, width, _ = view.shape
    shape = (frames, height // side, side, width // side, side, 3)
    return view.float().reshape(shape).permute(0, 1, 3, 5, 2, 4).flatten(0, 2)


def _mosaic(fragments: Tensor, shape: torch.Size) -> Tensor:
    """The reverse of _fragments, as uint8."""
    _, frames, height, width, _ = shape
    side = fragments.shape[-1]
    grid = (frames, height // side, width // side, 3, side, side)
    view = fragments.reshape(grid).permute(0, 1, 4, 2, 5, 3).reshape(shape)
    return view.round().clamp(0, 255).byte()


def _grain(x: Tensor, rng: np.random.Generator) -> Tensor:
    """Noise of deviation 1: without colour, with fine colour, or with a camera's coarse one.

    Some is coarse as a whole, as of a small film that is shown larger.
    """
    side = x.shape[-1]
    generator = torch.Generator(x.device).manual_seed(int(rng.integers(2**63)))

    def drawn(channels: int, factor: float = 1) -> Tensor:
        shape = (len(x), channels, *2 * (max(2, round(side / factor)),))
        grain = torch.randn(shape, generator=generator, device=x.device)
        if factor == 1:
            return grain
        grain = F.interpolate(grain, (side, side), mode="bilinear")
        return grain / grain.std()

    coarse = 1 if rng.random() < 0.65 else rng.uniform(1.2, 2.5)
    kind = rng.random()
    if kind < 0.35:
        return drawn(1, coarse).expand_as(x)
    if kind < 0.65:
        return drawn(3, coarse)
    return 0.8 * drawn(1, coarse) + 0.6 * drawn(3, 2 * coarse)


def _soft(x: Tensor, sigma: float) -> Tensor:
    return convolve(x, bell(sigma, min(REACH, math.ceil(3 * sigma))))


def _enlarged(x: Tensor, factor: float, mode: str) -> Tensor:
    """Recorded small, shown large."""
    side = x.shape[-1]
    small = F.interpolate(x, [round(side / factor)] * 2, mode="bicubic", antialias=True)
    return F.interpolate(small, (side, side), mode=mode, align_corners=False)


def _coded(x: Tensor, step: float, offset: np.ndarray, block: int) -> Tensor:
    """Blocks as a discrete cosine transform in steps, coarser for fine detail and for colour."""
    side, top, left = x.shape[-1], int(offset[0]), int(offset[1])
    rows = torch.arange(block, device=x.device)[:, None]
    to_ycc = TO_YCC.to(x.device, non_blocking=True)
    basis = torch.cos(math.pi * (2 * rows.T + 1) * rows / (2 * block)) * math.sqrt(2 / block)
    basis[0] /= math.sqrt(2)
    count = -(-(side + block) // block)  # so many hold a picture wherever their grid begins
    rest = count * block - side
    planes = torch.einsum("ab,nbhw->nahw", to_ycc, x)
    planes = F.pad(planes, (left, rest - left, top, rest - top), mode="replicate")
    blocks = planes.reshape(-1, 3, count, block, count, block).transpose(3, 4)
    steps = step * (1 + 2.8 * (rows + rows.T) / block)
    steps = steps * COARSER.to(x.device, non_blocking=True)[:, None, None, None, None]
    found = basis @ blocks @ basis.T
    found = found.sign() * (found.abs() / steps + 0.35).floor() * steps  # small ones become 0
    planes = (basis.T @ found @ basis).transpose(3, 4).flatten(4, 5).flatten(2, 3)
    planes = planes[..., top : top + side, left : left + side]
    return torch.einsum("ab,nbhw->nahw", TO_RGB.to(x.device, non_blocking=True), planes)
