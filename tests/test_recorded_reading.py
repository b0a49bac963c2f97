"""Scores state how their video was read, also for videos that are not files."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import scene

from dover_plugin import Scorer, SettingsError, VideoError, open_source, read, score_many
from dover_plugin.analysis.segments import Segment
from dover_plugin.io.options import parse_position

FRAMES = np.stack(list(scene(40, 64, 96)))


def recorded(scorer: Scorer, video: Any) -> str | None:
    return scorer.score(video).settings.reading


def test_options_of_the_source_count(clip: Path, bundled: Scorer) -> None:
    data = clip.read_bytes()
    mapped, as_stored = (Scorer(device="cpu", hdr=mode) for mode in ("tonemap", "as-is"))
    assert recorded(mapped, open_source(data, hdr="as-is")) == "hdr=as-is"
    assert recorded(as_stored, open_source(data)) is None
    assert recorded(as_stored, data) == "hdr=as-is"
    assert recorded(bundled, open_source(FRAMES, start=5)) == "start=5"
    assert recorded(Scorer(device="cpu", start=5), FRAMES) == "start=5"
    assert recorded(bundled, FRAMES) is None


def test_files_ignore_a_frame_rate_and_do_not_record_it(clip: Path) -> None:
    scorer = Scorer(device="cpu", fps=12)
    for video in (clip, clip.read_bytes()):
        found = scorer.score(video)
        assert found.fps != 12
        assert found.settings.reading is None
    found = scorer.score(FRAMES)
    assert (found.fps, found.settings.reading) == (12, "fps=12")


def test_views_of_frames_with_another_seed_are_refused(bundled: Scorer) -> None:
    other = Scorer(device="cpu", seed=1)
    with pytest.raises(SettingsError, match="was read with seed 1"):
        bundled.score_views(*read(FRAMES, other.read_options))
    assert bundled.score_views(*read(FRAMES, bundled.read_options)).raw == bundled.score(FRAMES).raw


@pytest.mark.parametrize("segments", [[(10, 5)], [(5, 5)], [(30, 90)], [(-5, 20)], []])
def test_segments_outside_of_the_video_are_refused(
    segments: list[tuple[int, int]], bundled: Scorer
) -> None:
    with pytest.raises(SettingsError, match=r"is not a part of|list of segments is empty"):
        list(bundled.timeline(FRAMES, segments=[Segment(*each) for each in segments]))


@pytest.mark.parametrize("videos", ["a.mp4", Path("a.mp4"), b"a.mp4"])
def test_one_path_is_no_list_of_videos(videos: Iterable[Any], bundled: Scorer) -> None:
    for results in (
        bundled.score_many(videos),
        bundled.score_as_read(videos),
        score_many(videos, device="cpu"),
    ):
        with pytest.raises(SettingsError, match="A list of videos is needed"):
            next(results)


def test_score_many_takes_every_kind_of_video(clip: Path, bundled: Scorer) -> None:
    found = list(score_many([str(clip), FRAMES, clip.read_bytes()], device="cpu"))
    assert [each.path for each in found] == [str(clip), None, None]
    assert found[0].raw == found[2].raw == bundled.score(clip).raw  # type: ignore[union-attr]


@pytest.mark.parametrize("given", ["9" * 5000, "9" * 5000 + "s", "9" * 5000 + ":00", "x", "1e3s"])
def test_positions_that_are_none(given: str) -> None:
    with pytest.raises(SettingsError, match="is not a position"):
        parse_position(given, "start")


@pytest.mark.parametrize("fps", ["24", 0, -1, float("nan"), float("inf")])
def test_rates_that_are_none(fps: Any) -> None:
    with pytest.raises(SettingsError, match="fps must be above 0"):
        open_source(FRAMES, fps=fps)


@pytest.mark.parametrize("branches", [3, 1.5, object()])
def test_branches_that_are_none(branches: Any) -> None:
    with pytest.raises(SettingsError, match="has no branch"):
        Scorer(device="cpu", branches=branches)


def test_a_stream_that_fails_is_one_error() -> None:
    class Broken:
        def read(self, _: int) -> bytes:
            raise RuntimeError("the line is dead")

    with pytest.raises(VideoError, match="Cannot read the binary stream"):
        open_source(Broken())  # type: ignore[arg-type]
