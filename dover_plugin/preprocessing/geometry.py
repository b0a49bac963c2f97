"""Positions of the fragments and of the pixels that a resize reads, for NumPy and for torch."""

import numpy as np
from numpy.typing import NDArray

from dover_plugin.errors import VideoError
from dover_plugin.preprocessing.sampling import FRAGMENT, VIEW, fragment_size

MAX_ENLARGED_PIXELS = 64 * VIEW * VIEW  # a strip narrower than 1:64 would fill the memory


def corners(height: int, width: int, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Row and column of the upper left corner of each fragment, (7, 7, 2).

    Args:
        height: height of the frame that fragments are cut from.
        width: its width.
        offsets: (7, 7, 2), see sampling.Draw.
    """
    grid = len(offsets)
    cells = np.arange(grid)
    tops = np.minimum(height // grid * cells, height - FRAGMENT)
    lefts = np.minimum(width // grid * cells, width - FRAGMENT)
    return np.stack(np.meshgrid(tops, lefts, indexing="ij"), axis=-1) + offsets


def enlarged_size(height: int, width: int) -> tuple[int, int]:
    """Size (height, width) of the frame that fragments are cut from; see sampling.fragment_size.

    Raises:
        VideoError: the frame is too narrow a strip to enlarge.
    """
    size = fragment_size(height, width)
    if size != (height, width) and size[0] * size[1] > MAX_ENLARGED_PIXELS:
        raise VideoError(
            f"Cannot score a frame of {width}x{height} pixels: enlarged to a short side of {VIEW} "
            f"it would be {size[1]}x{size[0]}. Crop or scale the video first."
        )
    return size


def taps(size: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """The two source positions of each of ``count`` samples, and the weight of the second."""
    scale = np.float32(size) / np.float32(count)
    centre = (np.arange(count, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    centre = np.maximum(centre, np.float32(0))
    near = np.minimum(centre.astype(np.int64), size - 1)
    far = np.minimum(near + 1, size - 1)
    return near, far, np.clip(centre - near.astype(np.float32), 0, 1).astype(np.float32)
