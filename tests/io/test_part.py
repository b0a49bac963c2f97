"""Parts of videos, and the record of how a video was read."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import number_of, numbered, write_clip

from dover_plugin import ArraySource, Journal, Scorer, SettingsError, VideoError, score_batch
from dover_plugin.io.open import open_source, reopen
from dover_plugin.io.options import OpenOptions
from dover_plugin.options import FileOptions, comparable_settings


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds, 25 frames per second, each frame shows its number."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return write_clip(path, size=(160, 320), frames=numbered(100))


@pytest.mark.parametrize(
    ("start", "end", "frames"),
    [
        ("1s", "2s", (25, 50)),
        ("0:01", "0:02.00", (25, 50)),
        ("00:00:01", "50", (25, 50)),
        (25, 50, (25, 50)),
        ("25f", None, (25, 100)),
        (None, "1.01s", (0, 25)),
        ("3.5s", "60s", (88, 100)),
        (99, None, (99, 100)),
    ],
)
def test_a_part_holds_its_frames(start: Any, end: Any, frames: tuple[int, int], film: Path) -> None:
    source = open_source(film, start=start, end=end)
    first, last = frames
    info = source.info
    assert info.num_frames == last - first
    assert info.times is not None
    assert info.times[0] == 0
    assert info.duration == pytest.approx((last - first) / 25)
    shown = [(i, number_of(f)) for i, f in source.frames([0, info.num_frames - 1])]
    assert dict(shown) == {0: first, last - first - 1: last - 1}
    assert f"frames {first} to {last - 1} of 100 are scored" in info.warnings[0]
    again = reopen(info)
    assert again is not None
    assert again.info.num_frames == info.num_frames


def test_a_part_is_scored_as_a_video_of_its_own(bundled: Scorer, film: Path) -> None:
    frames = np.stack([frame.copy() for _, frame in open_source(film).frames(range(30, 80))])
    part = bundled.score(open_source(film, start=30, end=80))
    assert part.raw == bundled.score(frames).raw
    assert part.settings.reading == "start=30, end=80"
    cuts = [each.start_seconds for each in bundled.timeline(open_source(film, start="3s"), 0.5)]
    assert cuts == [0.0, pytest.approx(0.52)]


def test_frames_in_memory_have_parts(film: Path) -> None:
    frames = np.zeros((100, 8, 8, 3), np.uint8)
    assert open_source(frames, start="1s", end="2s", fps=25).info.num_frames == 25
    assert open_source(frames, start=10).info.num_frames == 90
    with pytest.raises(VideoError, match="has no frame rate, so the position 1s is unknown"):
        open_source(frames, start="1s")
    assert open_source(ArraySource(frames), start=10).info.num_frames == 90


def test_options_of_a_scorer_reach_frames_in_memory_but_not_opened_files(film: Path) -> None:
    frames = np.stack([frame.copy() for _, frame in open_source(film).frames(range(60))])
    scorer = Scorer("dover-open", "cpu", start=20)
    found = scorer.score(ArraySource(frames))
    assert (found.num_frames, found.settings.reading) == (40, "start=20")
    assert found.raw == scorer.score(frames).raw
    assert [part.scores.num_frames for part in scorer.timeline(ArraySource(frames, 25), 1)] == [
        25,
        15,
    ]
    opened = scorer.score(open_source(film, start=90))
    assert (opened.num_frames, opened.settings.reading) == (10, "start=90")


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        ("2s", "1s", "The start 2s is not before the end 1s"),
        (5, 5, "The start 5 is not before the end 5"),
        ("soon", None, "The start 'soon' is not a position"),
        (None, "-1s", "The end '-1s' is not a position"),
        (None, -1, "The end -1 is not a position"),
        (None, 1.5, "The end 1.5 is not a position"),
    ],
)
def test_parts_that_cannot_be_are_refused(start: Any, end: Any, says: str, film: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        open_source(film, start=start, end=end)
    assert says in str(caught.value)


@pytest.mark.parametrize(("start", "end"), [("9s", None), (100, None), ("3s", 50), (None, "0s")])
def test_parts_that_a_video_does_not_have(start: Any, end: Any, film: Path) -> None:
    with pytest.raises(VideoError, match=r"100 frames \(4.00 s\), and none of them from"):
        open_source(film, start=start, end=end)


def test_fps_out_of_range() -> None:
    for fps in (0, -1, 2000, float("nan")):
        with pytest.raises(SettingsError, match="fps must be above 0"):
            OpenOptions(fps=fps)


def test_the_record_names_what_is_not_the_default() -> None:
    assert OpenOptions(decoder="decord").record() is None
    assert OpenOptions(start="0:10", end="1:30.5").record() == "start=10s, end=90.5s"
    assert OpenOptions(stream=0, deinterlace=True).record() == "stream=0, deinterlace"
    assert OpenOptions(allow_damaged=True).record() == "allow_damaged"
    assert set(FileOptions.__annotations__) == set(OpenOptions.__dataclass_fields__)
    assert comparable_settings(start="10s", repeats=2)["reading"] == "start=10s"


@pytest.mark.parametrize(
    "options", [{"start": "1s"}, {"stream": 0}, {"deinterlace": True}, {"allow_damaged": True}]
)
def test_a_journal_does_not_mix_ways_of_reading(
    options: dict[str, Any], film: Path, tmp_path: Path, bundled: Scorer
) -> None:
    file = tmp_path / "scores.jsonl"
    whole, part = bundled, Scorer(device="cpu", **options)
    with Journal(file, whole) as journal:
        score_batch(whole, ["none.mp4"], journal)
    assert json.loads(file.read_text())["reading"] is None
    with pytest.raises(SettingsError, match="holds scores with reading None, not"):
        Journal(file, part)
    with Journal(tmp_path / "part.jsonl", part) as journal:
        score_batch(part, [str(film)], journal)
        (row,) = journal.rows()
        assert row["reading"] == part.settings.reading
        assert row["reading"]
    with Journal(tmp_path / "part.jsonl", part) as journal:
        assert journal.has(str(film))
