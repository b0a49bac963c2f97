"""Black bars around the picture: letterbox, pillarbox, or both.

Each frame is judged alone, so that its part of a view depends on nothing but its pixels.
"""

import numpy as np
from numpy.typing import NDArray

BLACK = 20  # the brightest level of a bar: 16 in files of mistaken range, and coding noise
NARROWEST = 16  # a picture narrower than this part of the frame's longer side is not cut out


def inside_bars(frame: NDArray[np.uint8]) -> tuple[slice, slice]:
    """Rows and columns of the picture inside black bars.

    Opposite bars are cut to the same depth, that of the thinner one. A dark area at one side of
    the picture is therefore not a bar.

    Args:
        frame: (H, W, C) RGB.
    """
    ends = (frame[[0, -1]], frame[:, [0, -1]])
    if all(end.max() > BLACK for end in ends):
        return slice(0, frame.shape[0]), slice(0, frame.shape[1])
    return inside_levels(frame.reshape(len(frame), -1).max(axis=1), frame.max(axis=0).max(axis=1))


def inside_levels(rows: NDArray[np.uint8], columns: NDArray[np.uint8]) -> tuple[slice, slice]:
    """The same, from the brightest level of each row (H,) and of each column (W,)."""
    kept = [slice(_bar(levels), len(levels) - _bar(levels)) for levels in (rows, columns)]
    shortest = min(part.stop - part.start for part in kept)
    if shortest * NARROWEST < max(len(rows), len(columns)):
        return slice(0, len(rows)), slice(0, len(columns))
    return kept[0], kept[1]


def _bar(levels: NDArray[np.uint8]) -> int:
    """Depth of the thinner of two opposite bars; 0 in a black frame."""
    bright = np.flatnonzero(levels > BLACK)
    return int(min(bright[0], len(levels) - 1 - bright[-1])) if len(bright) else 0
