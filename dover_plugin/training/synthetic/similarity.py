"""How much of a reference's structure is left: SSIMULACRA 2, through VapourSynth."""

import math

import numpy as np

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
    return _squash(ssimulacra2(frames, reference)) / _squash(100)


def ssimulacra2(frames: Picture, reference: Picture) -> float:
    """Mean over every EVERY-th frame, at most 100, without lower bound."""
    import vapoursynth as vs

    pairs = [_node(each[EVERY // 2 :: EVERY]) for each in (reference, frames)]
    scored = vs.core.vszip.SSIMULACRA2(*pairs)
    values = [float(frame.props["SSIMULACRA2"]) for frame in scored.frames(close=True)]
    return float(np.mean(values))


def _node(frames: Picture):  # type: ignore[no-untyped-def]  # a VideoNode
    import vapoursynth as vs

    count, height, width = frames.shape[:3]
    blank = vs.core.std.BlankClip(
        format=vs.RGB24, width=width, height=height, length=count, keep=True
    )

    def fill(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        filled = f.copy()
        for plane in range(3):
            np.asarray(filled[plane])[:] = frames[n, :, :, plane]
        return filled

    return vs.core.std.ModifyFrame(blank, blank, fill)


def _squash(value: float) -> float:
    return 1 / (1 + math.exp(-(value - MIDDLE) / WIDTH))
