"""One frame to one frame of a view: the mosaic of fragments, or the resized frame.

This is the seam for every surface: one frame in, one 224x224 picture out, uint8 RGB both. NumPy
alone does it, so that processes which read videos start at once.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dover_plugin.errors import VideoError
from dover_plugin.preprocessing.bars import Part
from dover_plugin.preprocessing.sampling import (
    FRAGMENT,
    VIEW,
    Branch,
    Draw,
    fragment_size,
)

MAX_ENLARGED_PIXELS = 64 * VIEW * VIEW  # a strip narrower than 1:64 would fill the memory

type Picture = NDArray[np.uint8]


class Sample(NamedTuple):
    """One frame of a view.

    Attributes:
        frame: index of the source frame.
        branch: branch that the view belongs to.
        clip: index of the clip in the view.
        position: index of the frame in the clip.
    """

    frame: int
    branch: Branch
    clip: int
    position: int


def picture(frame: Picture, sample: Sample, draw: Draw, part: Part) -> Picture:
    """Reduce a part of a frame (H, W, C) to the frame of the view, such as (224, 224, C)."""
    height, width, _ = frame.shape
    frame = frame[part]
    if sample.branch == "technical":
        offsets = draw.offsets[sample.clip]
        return technical_mosaic(frame, fitted_offsets(offsets, (height, width), frame.shape[:2]))
    return aesthetic_picture(frame, draw.rule.view, draw.rule.view)


def technical_mosaic(frame: Picture, offsets: NDArray[np.int64]) -> Picture:
    """Splice fragments of 32x32 pixels at native resolution into one mosaic.

    Args:
        frame: (H, W, C); enlarged first if its short side is below that of the mosaic.
        offsets: (grid, grid, 2), such as (7, 7, 2); see sampling.Draw.

    Returns:
        (32 * grid, 32 * grid, C), such as (224, 224, C).

    Raises:
        VideoError: the frame is too narrow a strip to enlarge.
    """
    grid = len(offsets)
    side = grid * FRAGMENT
    height, width = enlarged_size(frame.shape[0], frame.shape[1], side)
    if (height, width) != frame.shape[:2]:
        frame = _bilinear(frame, height, width).astype(np.uint8)  # truncated, as in the reference
    mosaic = np.empty((side, side, frame.shape[2]), np.uint8)
    fragments = corners(height, width, offsets)
    for i in range(grid):
        for j in range(grid):
            top, left = fragments[i, j]
            mosaic[i * FRAGMENT : (i + 1) * FRAGMENT, j * FRAGMENT : (j + 1) * FRAGMENT] = frame[
                top : top + FRAGMENT, left : left + FRAGMENT
            ]
    return mosaic


def corners(height: int, width: int, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Row and column of the upper left corner of each fragment, (grid, grid, 2).

    Args:
        height: height of the frame that fragments are cut from.
        width: its width.
        offsets: (grid, grid, 2), see sampling.Draw.
    """
    grid = len(offsets)
    cells = np.arange(grid)
    tops = np.minimum(height // grid * cells, height - FRAGMENT)
    lefts = np.minimum(width // grid * cells, width - FRAGMENT)
    return np.stack(np.meshgrid(tops, lefts, indexing="ij"), axis=-1) + offsets


def fitted_offsets(
    offsets: NDArray[np.int64], whole: tuple[int, int], part: tuple[int, int]
) -> NDArray[np.int64]:
    """Offsets for a part of the frame, at the same place inside smaller grid cells.

    Args:
        offsets: (grid, grid, 2), drawn for the whole frame.
        whole: (H, W) of the frame.
        part: (H, W) of the part. Centred offsets stay those that the part alone would get.
    """
    if whole == part:
        return offsets
    grid = len(offsets)
    before, after = (
        np.maximum(1, np.array(fragment_size(*size, grid * FRAGMENT)) // grid - FRAGMENT)
        for size in (whole, part)
    )
    fitted: NDArray[np.int64] = (2 * offsets + 1) * after // (2 * before)
    return fitted


def enlarged_size(height: int, width: int, view: int = VIEW) -> tuple[int, int]:
    """Size (height, width) of the frame that fragments are cut from; see sampling.fragment_size.

    Raises:
        VideoError: the frame is too narrow a strip to enlarge.
    """
    size = fragment_size(height, width, view)
    if size != (height, width) and size[0] * size[1] > MAX_ENLARGED_PIXELS:
        raise VideoError(
            f"Cannot score a frame of {width}x{height} pixels: enlarged to a short side of {view} "
            f"it would be {size[1]}x{size[0]}. Crop or scale the video first."
        )
    return size


def aesthetic_picture(frame: Picture, height: int = VIEW, width: int = VIEW) -> Picture:
    """Resize the whole frame: bilinear, **not** antialiased, as in training.

    Only the pixels that the 224x224 samples touch are read, so a 4K frame costs no more than a
    small one. Equal to ``torch.nn.functional.interpolate`` in float32, rounded to uint8.

    Args:
        frame: (H, W, C).
        height: height of the result in pixels.
        width: width of the result in pixels.

    Returns:
        (height, width, C).
    """
    return np.rint(_bilinear(frame, height, width)).astype(np.uint8)


def _bilinear(frame: Picture, height: int, width: int) -> NDArray[np.float32]:
    """Equal to torch's interpolate on several threads, whatever the number of threads.

    On one thread torch takes another way, and a pixel in some thousands then differs by one.

    Returns:
        (height, width, C).
    """
    top, bottom, down = taps(frame.shape[0], height)
    left, right, across = taps(frame.shape[1], width)

    def row(index: NDArray[np.int64]) -> NDArray[np.float32]:
        line = frame[index]
        near, far = line[:, left].astype(np.float32), line[:, right].astype(np.float32)
        return _blend(near, far, across[None, :, None])

    return _blend(row(top), row(bottom), down[:, None, None])


def taps(size: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """The two source positions of each of ``count`` samples, and the weight of the second."""
    scale = np.float32(size) / np.float32(count)
    centre = (np.arange(count, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    centre = np.maximum(centre, np.float32(0))
    near = np.minimum(centre.astype(np.int64), size - 1)
    far = np.minimum(near + 1, size - 1)
    return near, far, np.clip(centre - near.astype(np.float32), 0, 1).astype(np.float32)


def _blend(
    near: NDArray[np.float32], far: NDArray[np.float32], weight: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Linear interpolation, rounded as torch's kernels do: one product to float32, one fused."""
    product = near.astype(np.float64) * (np.float32(1) - weight)
    blended: NDArray[np.float32] = (product + far * weight).astype(np.float32)
    return blended
