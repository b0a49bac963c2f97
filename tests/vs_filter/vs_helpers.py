"""A counting scorer and test clips."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import vapoursynth as vs
from clips import scene

from dover_plugin import Scores, VideoInfo
from dover_plugin.preprocessing.views import Views
from dover_plugin.scorer import Scorer


class Counting(Scorer):
    """A real scorer that remembers what it was given."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seen: list[tuple[VideoInfo, Sequence[Views]]] = []

    def score_views(self, info: VideoInfo, views: Sequence[Views]) -> Scores:
        self.seen.append((info, views))
        return super().score_views(info, views)


def moving(num_frames: int, height: int = 240, width: int = 320) -> vs.VideoNode:
    """The test scene as an RGB24 clip."""
    frames = list(scene(num_frames, height, width))
    blank = vs.core.std.BlankClip(
        width=width, height=height, format=vs.RGB24, length=num_frames, fpsnum=25, keep=True
    )

    def fill(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        out = f.copy()
        for plane in range(3):
            np.asarray(out[plane])[:] = frames[n][..., plane]
        return out

    return vs.core.std.ModifyFrame(blank, blank, fill)
