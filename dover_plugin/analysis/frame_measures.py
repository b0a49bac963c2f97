"""Measures of one luma plane that FFmpeg's filters lack: blockiness, noise, exposure, bars, SI."""

from typing import NamedTuple

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

type Luma = NDArray[np.float32]

STRETCH = 255 / 219  # limited to full range
BLOCK = 16  # side of the blocks in which noise is measured, in pixels
GRID = 8  # side of the transform blocks of MPEG, H.264 and JPEG, in pixels
NEIGHBOURS = 3  # differences on each side that a difference is compared with
FLAT_SHARE = 10  # percentile of the blocks that counts as the noise of a frame
FAINTEST = 0.02  # strength of differences beside the grid; in flat frames chance decides
DARK, BRIGHT = 5.0, 250.0  # levels beyond which luma is clipped
BAR = 24.0  # level up to which a line belongs to a black bar, codec noise included
BLACK = 0.1 * 255  # level up to which a pixel is black, as in FFmpeg's blackdetect
MEAN_BLOCK = 8  # side of the blocks whose means tell whether a frame repeats, in pixels


class Bars(NamedTuple):
    """Black at each edge, as a share of the height or the width."""

    top: float
    bottom: float
    left: float
    right: float


class Plane(NamedTuple):
    """Luma as it is stored, and how levels in [0, 255] of the full range follow from it.

    Attributes:
        stored: (H, W) uint8 or uint16.
        scale: levels per stored step.
        offset: added after scaling.
    """

    stored: NDArray[np.unsignedinteger]
    scale: float
    offset: float

    def levels(self) -> Luma:
        """Luma (H, W) float32 in [0, 255]."""
        luma = self.stored.astype(np.float32)
        luma *= self.scale
        luma += self.offset
        return np.clip(luma, 0, 255, out=luma)

    def block_means(self) -> Luma:
        """Means of blocks of MEAN_BLOCK pixels; a smaller frame is one block."""
        height, width = self.stored.shape
        if min(height, width) < MEAN_BLOCK:
            return self.stored.mean(dtype=np.float32, keepdims=True) * self.scale + self.offset
        rows, columns = height // MEAN_BLOCK, width // MEAN_BLOCK
        cut = self.stored[: rows * MEAN_BLOCK, : columns * MEAN_BLOCK]
        lines = cut.reshape(rows, MEAN_BLOCK, -1).sum(axis=1, dtype=np.uint32)
        sums = lines.reshape(rows, columns, MEAN_BLOCK).sum(axis=2)
        return sums.astype(np.float32) * (self.scale / MEAN_BLOCK**2) + self.offset


def plane_of(frame: VideoFrame) -> Plane:
    """The luma plane of a frame, valid as long as the frame; RGB and the like are converted."""
    if not _has_luma_plane(frame):
        deep = any(component.bits > 8 for component in frame.format.components)
        frame = frame.reformat(
            format="yuv420p10le" if deep else "yuv420p", dst_color_range=ColorRange.MPEG
        )
    bits, plane = frame.format.components[0].bits, frame.planes[0]
    kind: np.dtype[np.unsignedinteger] = np.dtype(np.uint8 if bits == 8 else "<u2")
    rows = np.frombuffer(plane, kind).reshape(plane.height, plane.line_size // kind.itemsize)
    scale = 2.0 ** (8 - bits)
    full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
    stored = rows[:, : frame.width]
    return Plane(stored, scale, 0.0) if full else Plane(stored, scale * STRETCH, -16 * STRETCH)


def _has_luma_plane(frame: VideoFrame) -> bool:
    """Whether the first plane is luma in the machine's byte order, its bits at the low end."""
    name, luma = frame.format.name, frame.format.components[0]
    if not name.startswith(("yuv4", "yuvj4", "yuva4", "gray", "nv12", "nv16", "nv24")):
        return False
    return luma.is_luma and (luma.bits == 8 or (luma.bits <= 16 and name.endswith("le")))


def blockiness(luma: Luma) -> float:
    """How much stronger edges are on a grid of 8 pixels than beside it; 1 without blocks.

    Each difference of neighbours is divided by the six around it (Muijs and Kirenko 2005, as in
    FFmpeg's blockdetect). The grid may start anywhere, so crops do not matter. The median over the
    lines of the grid keeps single edges, such as those of bars, out.
    """
    found = [_grid_strength(plane) for plane in (luma, luma.T)]
    return max(found)


def noise(luma: Luma) -> float:
    """Standard deviation of the noise in levels of 255.

    Immerkaer's operator (1996) in blocks; the calmest tenth of the blocks that are not clipped
    counts, so that texture is not taken for noise. NaN if the frame is too small or all clipped.
    """
    height, width = (side // BLOCK * BLOCK for side in luma.shape)
    if not (height and width):
        return float("nan")
    luma = luma[:height, :width]
    rows = luma[:-2] - 2 * luma[1:-1] + luma[2:]
    response = np.zeros_like(luma)
    response[1:-1, 1:-1] = np.abs(rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:])
    shape = height // BLOCK, BLOCK, width // BLOCK, BLOCK
    sigmas = response.reshape(shape).mean(axis=(1, 3)) * np.sqrt(np.pi / 2) / 6
    means = luma.reshape(shape).mean(axis=(1, 3))
    unclipped = (means > 2 * DARK) & (means < BRIGHT - DARK)
    if not unclipped.any():
        return float("nan")
    return float(np.percentile(sigmas[unclipped], FLAT_SHARE))


def spatial_information(luma: Luma) -> float:
    """SI of ITU-T P.910: standard deviation of the Sobel magnitude; NaN below 3 pixels."""
    if min(luma.shape) < 3:
        return float("nan")
    smooth = luma[:-2] + 2 * luma[1:-1] + luma[2:]
    across = smooth[:, 2:] - smooth[:, :-2]
    smooth = luma[:, :-2] + 2 * luma[:, 1:-1] + luma[:, 2:]
    down = smooth[2:] - smooth[:-2]
    return float(np.hypot(across, down).std())


def bars(luma: Luma) -> Bars | None:
    """Black bars at the edges; None for a frame that is black altogether."""
    rows = np.percentile(luma, 98, axis=1) > BAR
    columns = np.percentile(luma, 98, axis=0) > BAR
    if not rows.any() or not columns.any():
        return None
    sides = rows, rows[::-1], columns, columns[::-1]
    return Bars(*(float(side.argmax()) / len(side) for side in sides))


def _grid_strength(luma: Luma) -> float:
    """Blockiness across the columns of a plane."""
    steps = np.abs(np.diff(luma, axis=1))
    around = 2 * NEIGHBOURS + 1
    if steps.shape[1] < around + 2 * GRID:
        return float("nan")
    sums = np.cumsum(np.pad(steps, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
    centre = steps[:, NEIGHBOURS : steps.shape[1] - NEIGHBOURS]
    others = sums[:, around:] - sums[:, :-around] - centre
    profile = (centre / np.maximum(others, 1)).mean(axis=0)
    lines = profile[: len(profile) // GRID * GRID].reshape(-1, GRID)
    phases = np.sort(np.median(lines, axis=0))
    return float(phases[-1] / max(phases[:-1].mean(), FAINTEST))
