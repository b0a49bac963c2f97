import json
from pathlib import Path

import pandas as pd
import pytest
import vapoursynth as vs
from vs_helpers import Counting, moving

from vs_filter import PROPS, Range, collect, dover, dover_segments, write_ranges

RANGES = [Range(0, 240, 0.21), Range(480, 600, 0.34)]


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        ("x264", None, "0,239,b=1.5/480,599,b=1.5\n"),
        ("x265", "q=18", "0,239,q=18/480,599,q=18\n"),
        ("av1an", "svt-av1 --crf 22", "0 240 svt-av1 --crf 22\n480 600 svt-av1 --crf 22\n"),
    ],
)
def test_zones(kind: str, options: str | None, expected: str, tmp_path: Path) -> None:
    write_ranges(RANGES, tmp_path / "zones", kind, options)  # type: ignore[arg-type]
    assert (tmp_path / "zones").read_text() == expected


def test_json(tmp_path: Path) -> None:
    write_ranges(RANGES, tmp_path / "zones.json")
    assert json.loads((tmp_path / "zones.json").read_text()) == [
        {"start": 0, "end": 240, "score": 0.21},
        {"start": 480, "end": 600, "score": 0.34},
    ]


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(vs.Error, match="av1an zones need encoder options"):
        write_ranges(RANGES, tmp_path / "zones", "av1an")
    with pytest.raises(vs.Error, match="use json, x264, x265 or av1an"):
        write_ranges(RANGES, tmp_path / "zones", "vp9")  # type: ignore[arg-type]
    with pytest.raises(vs.Error, match="dover: Cannot write"):
        write_ranges(RANGES, tmp_path / "none" / "zones")
    with pytest.raises(vs.Error, match="no range"):
        write_ranges([], tmp_path / "zones", "x264")


def test_a_clip_gives_the_table_that_its_segments_give(
    scorer: Counting, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = moving(80, 120, 160)
    whole = collect(dover(clip, scorer=scorer, segment=40), progress=True)
    segments = collect(dover_segments(clip, scorer=scorer, segment=40))
    pd.testing.assert_frame_equal(whole, segments)
    assert list(segments.columns) == list(PROPS)
    assert capsys.readouterr().out == ""
