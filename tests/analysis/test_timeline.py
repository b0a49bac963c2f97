"""Long videos, segment by segment."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from clips import scene, write_clip

from dover_plugin import ArraySource, Scorer, Segment
from dover_plugin.analysis.segments import between, by_length, cut, time_code
from dover_plugin.errors import SettingsError
from dover_plugin.io.source import Frame
from dover_plugin.preprocessing.sampling import draws
from dover_plugin.preprocessing.streaming import build_views, stream_views

SHOTS = ((1, 1), (2, 4), (3, 1))  # every so many rows, and how dark


@pytest.mark.parametrize(
    ("total", "length", "expected"),
    [
        (100, 40, [(0, 40), (40, 80), (80, 100)]),
        (99, 40, [(0, 40), (40, 99)]),  # a rest below half a segment joins the last
        (10, 40, [(0, 10)]),
        (80, 40, [(0, 40), (40, 80)]),
    ],
)
def test_by_length(total: int, length: int, expected: list[tuple[int, int]]) -> None:
    assert by_length(total, length) == expected


@pytest.mark.parametrize(
    ("total", "overlap", "expected"),
    [
        (100, 20, [(0, 40), (20, 60), (40, 80), (60, 100)]),
        (95, 10, [(0, 40), (30, 70), (60, 95)]),
        (105, 20, [(0, 40), (20, 60), (40, 80), (60, 105)]),  # a rest below half a step joins
    ],
)
def test_overlapping_lengths(total: int, overlap: int, expected: list[tuple[int, int]]) -> None:
    assert by_length(total, 40, overlap) == expected


def test_segments_as_users_name_them() -> None:
    source = ArraySource(np.zeros((100, 8, 8, 3), np.uint8), fps=10)
    assert cut(source, "4s") == cut(source, "40f") == by_length(100, 40)
    assert cut(source, "4s", "1s") == by_length(100, 40, 10)
    for how, overlap, says in (
        ("4", "0f", "not a length. Use seconds"),
        ("0.01s", "0f", "shorter than a frame"),
        ("4s", "4s", "cannot overlap"),
        ("scenes", "1s", "Scenes cannot overlap"),
    ):
        with pytest.raises(SettingsError, match=says):
            cut(source, how, overlap)
    assert cut(source, "4s", "10f") == cut(source, "40f", "1s") == by_length(100, 40, 10)
    timeless = ArraySource(np.zeros((100, 8, 8, 3), np.uint8))
    with pytest.raises(SettingsError, match="no frame rate"):
        cut(timeless, "4s")


def test_scenes_begin_where_the_picture_changes() -> None:
    shots = [np.stack(list(scene(40, 120, 160)))[:, ::step] // dark for step, dark in SHOTS]
    frames = np.concatenate([shot.repeat(120 // shot.shape[1], axis=1) for shot in shots])
    assert cut(ArraySource(frames, fps=25), "scenes") == [(0, 40), (40, 80), (80, 120)]


def test_time_codes() -> None:
    assert time_code(0) == "00:00:00.000"
    assert time_code(3723.4) == "01:02:03.400"
    assert time_code(59.9996) == "00:01:00.000"


def test_between_starts() -> None:
    assert between([0, 7, 30], 31) == [(0, 7), (7, 30), (30, 31)]


def test_each_segment_scores_as_a_video_of_its_own(mobile: Scorer) -> None:
    frames = np.stack(list(scene(70, 240, 320)))
    found = list(mobile.timeline(ArraySource(frames, fps=10), seconds=3))
    assert [part.segment for part in found] == [(0, 30), (30, 70)]
    assert [(part.start_seconds, part.end_seconds) for part in found] == [(0, 3), (3, 7)]
    for part in found:
        alone = mobile.score(frames[part.segment.start : part.segment.end])
        assert part.scores.raw == alone.raw
        assert part.scores.num_frames == part.segment.end - part.segment.start


def test_one_pass_over_the_frames(tmp_path: Path) -> None:
    asked: list[int] = []

    class Counting(ArraySource):
        def frames(self, indices: Sequence[int]) -> Iterator[tuple[int, Frame]]:
            asked.extend(indices)
            yield from super().frames(indices)

    frames = np.stack(list(scene(90, 240, 320)))
    source = Counting(frames)
    segments = [Segment(0, 40), Segment(30, 90), Segment(50, 60)]  # or lie inside another
    plans = [(s.start, draws(s.end - s.start, 240, 320)) for s in segments]
    streamed = list(stream_views(source, plans))
    assert asked == sorted(set(asked))
    for segment, [views] in zip(segments, streamed, strict=True):
        part = frames[segment.start : segment.end]
        [alone] = build_views(ArraySource(part), draws(len(part), 240, 320))
        assert (views.technical == alone.technical).all()
        assert (views.aesthetic == alone.aesthetic).all()


def test_what_cannot_be_cut(mobile: Scorer, clip: Path, tmp_path: Path) -> None:
    for seconds in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(SettingsError, match="longer than 0 seconds"):
            list(mobile.timeline(clip, seconds=seconds))
    frames = np.zeros((10, 240, 320, 3), np.uint8)
    with pytest.raises(SettingsError, match="no frame rate"):
        list(mobile.timeline(frames))
    short = write_clip(tmp_path / "short.mp4", 3)
    assert len(list(mobile.timeline(short, seconds=0.001))) == 3, "a frame at least"
