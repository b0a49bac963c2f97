"""The diagnosis of a clip is that of its frames."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs
from clips import write_clip
from vs_helpers import moving

import dover_plugin
from dover_plugin.analysis.segments import Segment
from vs_filter import diagnose
from vs_filter.diagnosis import ClipSource

core = vs.core


def frames_of(clip: vs.VideoNode) -> Any:
    return np.stack(
        [np.stack([np.asarray(f[p]) for p in range(3)], -1) for f in clip.frames(close=True)]
    )


def test_findings_are_those_of_the_frames() -> None:
    clip = moving(50, 144, 192).std.BoxBlur(hradius=6, vradius=6)
    found = diagnose(clip, segment=25)
    expected = dover_plugin.diagnose(
        dover_plugin.ArraySource(frames_of(clip), fps=float(clip.fps)),
        segments=[Segment(0, 25), Segment(25, 50)],
    )
    assert found.found == expected.found
    assert found.segments == expected.segments
    assert "blurry" in found.tags


def test_a_file_has_the_tags_of_the_command(tmp_path: Path) -> None:
    for crf, tags in ((16, False), (50, True)):
        path = write_clip(tmp_path / f"{crf}.mp4", 48, (360, 640), options={"crf": str(crf)})
        found = diagnose(core.bs.VideoSource(str(path), cachemode=0), segment="1s")
        expected = dover_plugin.diagnose(path, seconds=1)
        assert found.found == expected.found
        assert [part.tags for part in found.segments] == [part.tags for part in expected.segments]
        assert ("blocky" in found.tags) == tags


def test_any_frames_in_any_format() -> None:
    clip = moving(20, 96, 128)
    for form, matrix in ((vs.YUV420P10, "709"), (vs.GRAY8, "709"), (vs.RGB24, None)):
        other = clip.resize.Bicubic(format=form, matrix_s=matrix) if matrix else clip
        source = ClipSource(other, "decord")
        assert [index for index, _ in source.frames([3, 4, 17])] == [3, 4, 17]
        assert list(source.frames([])) == []
        assert diagnose(other).info.num_frames == 20


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"segment": "five"}, "neither a file nor a length"), ({"matrix": "x"}, "use 'decord'")],
)
def test_wrong_settings(settings: Any, says: str) -> None:
    with pytest.raises(vs.Error, match=says):
        diagnose(moving(5), **settings)


def test_a_broken_frame_is_an_error() -> None:
    def fail(n: int) -> vs.VideoNode:
        raise RuntimeError(f"no frame {n}")

    with pytest.raises(vs.Error, match="no frame"):
        diagnose(core.std.FrameEval(moving(5), fail))
