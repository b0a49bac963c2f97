"""How much of a reference's structure is left: SSIMULACRA 2, as a share."""

import math

import numpy as np

from dover_plugin.full_reference import ssimulacra2
from dover_plugin.views import Picture

EVERY = 8  # frames; neighbours are spoilt alike
# Where on SSIMULACRA 2's scale (100 identical, 90 not told apart, 50 medium, below 10 very low) the
# label is one half, and how fast it falls.
MIDDLE, WIDTH = 45.0, 17.0


def quality(frames: Picture, reference: Picture) -> float:
    """The label before penalties, in [0, 1], 1 for equal frames.

    Args:
        frames: (T, H, W, 3) uint8.
        reference: likewise.
    """
    seen = slice(EVERY // 2, None, EVERY)
    return _squash(float(np.mean(ssimulacra2(frames[seen], reference[seen])))) / _squash(100)


def _squash(value: float) -> float:
    return 1 / (1 + math.exp(-(value - MIDDLE) / WIDTH))
