"""A counting scorer and test clips."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs
from clips import scene
from numpy.typing import NDArray

from dover_plugin import Scores, VideoInfo
from dover_plugin.preprocessing.views import Views
from dover_plugin.scorer import Scorer
from vs_filter import collect, dover_segments


class Counting(Scorer):
    """A real scorer that remembers what it was given."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seen: list[tuple[VideoInfo, Sequence[Views]]] = []

    def score_views(self, info: VideoInfo, views: Sequence[Views]) -> Scores:
        self.seen.append((info, views))
        return super().score_views(info, views)


class Viewer:
    """What the networks would see of a clip; they themselves know no formats, and do not run."""

    def __init__(self, scorer: Counting, result: Scores, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scorer, self._result, self._monkeypatch = scorer, result, monkeypatch

    def __call__(self, clip: vs.VideoNode, **options: Any) -> Views:
        def remember(info: VideoInfo, views: Sequence[Views]) -> Scores:
            self.scorer.seen.append((info, views))
            return self._result

        self.scorer.seen.clear()
        with self._monkeypatch.context() as patch:
            patch.setattr(self.scorer, "score_views", remember)
            collect(dover_segments(clip, scorer=self.scorer, segment=1000, **options))
        return self.scorer.seen[0][1][0]


def moving(num_frames: int, height: int = 240, width: int = 320) -> vs.VideoNode:
    """The test scene as an RGB24 clip."""
    return clip_of(np.stack(list(scene(num_frames, height, width))))


def clip_of(frames: NDArray[np.uint8]) -> vs.VideoNode:
    """Frames (T, H, W, 3) as an RGB24 clip."""
    num_frames, height, width, _ = frames.shape
    blank = vs.core.std.BlankClip(
        width=width, height=height, format=vs.RGB24, length=num_frames, fpsnum=25, keep=True
    )

    def fill(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        out = f.copy()
        for plane in range(3):
            np.asarray(out[plane])[:] = frames[n][..., plane]
        return out

    return vs.core.std.ModifyFrame(blank, blank, fill)
