"""Times and frame rates: the same content in every container gives the same segments."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import write_clip

from dover_plugin.analysis.segments import by_seconds, common_segments
from dover_plugin.io.open import open_source
from dover_plugin.io.source import VideoInfo
from dover_plugin.io.timing import frame_rate, frame_times, joined

CONTAINERS: dict[str, dict[str, Any]] = {
    "a.mp4": {},
    "a.mov": {},
    "a.mkv": {},
    "a.ts": {},
    "a.flv": {},
    "a.avi": {"codec": "mpeg4"},
    "a.webm": {"codec": "libvpx-vp9"},
    "a.ogv": {"codec": "libvpx"},  # Theora is decoded only
    "a.wmv": {"codec": "wmv2"},
    "a.nut": {"codec": "ffv1"},
    "a.mxf": {"codec": "jpeg2000"},
    "a.mpg": {"codec": "mpeg2video"},
    "a.dv": {"codec": "dvvideo", "size": (576, 720)},
}
CONSTANT_ONLY = {"a.mxf", "a.mpg", "a.dv", "a.ogv"}
RATE = 25
STEADY = list(range(40))
VARIABLE = [*range(10), *range(30, 40), *range(75, 85), 90, 100, 110]


def info(num_frames: int, fps: float | None, times: Any = None) -> VideoInfo:
    return VideoInfo("a.mp4", num_frames, 8, 8, fps, "pyav", (), times)


@pytest.mark.parametrize("stamps", [STEADY, VARIABLE], ids=["constant", "variable"])
@pytest.mark.parametrize("name", CONTAINERS)
def test_times_and_segments(name: str, stamps: list[int], tmp_path: Path) -> None:
    if stamps is VARIABLE and name in CONSTANT_ONLY:
        pytest.skip("the container has one frame rate")
    made = {"size": (64, 96), **CONTAINERS[name]}
    path = write_clip(tmp_path / name, len(stamps), fps=RATE, timestamps=stamps, **made)
    found = open_source(path).info
    frame = 1 / RATE
    expected = np.array([*stamps, stamps[-1] + 1]) * frame
    assert found.num_frames == len(stamps)
    assert found.times is not None
    assert np.abs(found.times[:-1] - expected[:-1]).max() < frame
    assert found.fps == pytest.approx(len(stamps) / found.duration, rel=0.02)
    for overlap in (0.0, 0.2):
        starts = [start for start, _ in by_seconds(found, 0.8, overlap)]
        true = [start for start, _ in by_seconds(info(len(stamps), 25, expected), 0.8, overlap)]
        assert np.abs(found.times[starts] - expected[true]).max() <= frame + 1e-6


def test_a_rate_that_contradicts_the_times_is_not_used() -> None:
    times = frame_times([0, 100, 300, 400], Fraction(1, 1000), None)
    assert times.tolist() == [0, 0.1, 0.3, 0.4, 0.5]
    assert frame_rate([Fraction(60000), Fraction(24000, 1001), Fraction(8)], times) == 8
    assert frame_rate([Fraction(60000), Fraction(24000, 1001)], times) == 8
    assert frame_rate([None, Fraction(25)], None) == 25
    assert frame_rate([Fraction(60000)], None) is None
    ntsc = frame_times(range(0, 3003, 1001), Fraction(1, 30000), None)
    assert frame_rate([Fraction(30000, 1001)], ntsc) == pytest.approx(29.97003)


def test_recordings_in_one_file_are_joined() -> None:
    unit = Fraction(1, 1000)
    assert joined([0, 40, 80, 120], unit) is None
    assert joined([0, 80, 40, 120], unit) is None  # a small step back is no new recording
    assert joined([5000, 5040, 5080, 0, 40], unit) == [0, 0, 0, 5120, 5120]
    assert joined([0, 40, 900_000, 900_040], unit) == [0, 0, -899_920, -899_920]
    assert joined([None, None], unit) is None


def test_segments_follow_the_times() -> None:
    times = np.array([0, 0.04, 0.08, 5, 5.04, 12, 12.04])
    variable = info(6, 0.5, times)
    assert by_seconds(variable, 2) == [(0, 3), (3, 5), (5, 6)]  # none without a frame
    before, after = common_segments(info(301, 25), variable, 2.5)
    assert after == [(0, 3), (3, 5), (5, 6)]
    assert [(start + 12) // 25 for start, _ in before] == [0, 5, 10]  # the same seconds
