"""Videos and their segments in one pass."""

from pathlib import Path

import pytest

from dover_plugin import Scorer, Segment
from dover_plugin.analysis.segmented import score_segmented
from dover_plugin.analysis.segments import by_length, by_seconds
from dover_plugin.io.source import VideoInfo
from dover_plugin.scores import Failure, Scores


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer("dover-open", "cpu")


def halves(info: VideoInfo) -> list[Segment]:
    return by_length(info.num_frames, info.num_frames // 2)


def test_scores_are_those_of_score_and_timeline(scorer: Scorer, clip: Path) -> None:
    [found] = score_segmented(scorer, [(str(clip), lambda info: by_seconds(info, 1))])
    assert found.result == scorer.score(clip)
    assert list(found.segments) == list(scorer.timeline(clip, 1))


def test_a_segment_that_is_the_video_is_scored_once(scorer: Scorer, clip: Path) -> None:
    [found] = score_segmented(scorer, [(str(clip), lambda info: by_seconds(info, 10))])
    assert isinstance(found.result, Scores)
    [part] = found.segments
    assert part.segment == Segment(0, found.result.num_frames)
    assert part.scores == found.result


def test_a_bad_video_does_not_stop_the_others(scorer: Scorer, clip: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    found = list(score_segmented(scorer, [(str(bad), halves), (str(clip), halves)]))
    assert isinstance(found[0].result, Failure)
    assert "cannot be read as a video" in found[0].result.error
    assert (len(found[0].segments), len(found[1].segments)) == (0, 2)


def test_it_stops_between_segments(scorer: Scorer, clip: Path) -> None:
    answers = iter([False, True])
    videos = [(str(clip), halves)]
    assert list(score_segmented(scorer, videos, stop=lambda: next(answers))) == []
