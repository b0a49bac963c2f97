"""Black bars around the picture: letterbox, pillarbox, or both.

A view shows the part inside the bars that all of its frames have in common. A dark area of single
frames therefore does not move the cut.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BLACK = 20  # the brightest level of a bar: 16 in files of mistaken range, and coding noise
NARROWEST = 16  # a picture narrower than this part of the frame's longer side is not cut out

type Part = tuple[slice, slice]  # rows and columns of a frame


class Bars(NamedTuple):
    """Black bars of a frame. Opposite bars count as equally deep: as deep as the thinner one.

    A dark area at one side of the picture is therefore not a bar.

    Attributes:
        rows: black rows at the top and at the bottom.
        columns: black columns at the left and at the right.
    """

    rows: int
    columns: int


NO_BARS = Bars(0, 0)


def bars_of(frame: NDArray[np.uint8]) -> Bars | None:
    """Black bars of a frame (H, W, C) RGB; None if the whole frame is black."""
    ends = (frame[[0, -1]], frame[:, [0, -1]])
    if all(end.max() > BLACK for end in ends):
        return NO_BARS
    return bars_of_levels(frame.reshape(len(frame), -1).max(axis=1), frame.max(axis=0).max(axis=1))


def bars_of_levels(rows: NDArray[np.uint8], columns: NDArray[np.uint8]) -> Bars | None:
    """The same, from the brightest level of each row (H,) and of each column (W,)."""
    bright = np.flatnonzero(rows > BLACK), np.flatnonzero(columns > BLACK)
    if not len(bright[0]):
        return None
    return Bars(
        *(
            int(min(lines[0], len(levels) - 1 - lines[-1]))
            for lines, levels in zip(bright, (rows, columns), strict=True)
        )
    )


def common(one: Bars | None, other: Bars | None) -> Bars | None:
    """Bars that two frames have in common. A black frame, None, goes with any bars."""
    if one is None or other is None:
        return one or other
    return Bars(min(one.rows, other.rows), min(one.columns, other.columns))


def inside(bars: Bars | None, height: int, width: int) -> Part:
    """The part of a frame of this size inside the bars; all of it if little would be left."""
    rows, columns = bars or NO_BARS
    if min(height - 2 * rows, width - 2 * columns) * NARROWEST < max(height, width):
        rows, columns = NO_BARS
    return slice(rows, height - rows), slice(columns, width - columns)


def without_bars(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What a view of one frame (H, W, C) shows."""
    return frame[inside(bars_of(frame), *frame.shape[:2])]
