import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dover_plugin.analysis.recorded import read_properties
from dover_plugin.cli import app
from dover_plugin.errors import VideoError


def frame(segment: int, **more: Any) -> dict[str, Any]:
    """Properties as vspipe writes them."""
    return {
        "DoverOverall": 0.5 - segment / 10,
        "DoverTechnical": 0.4,
        "DoverAesthetic": 0.6,
        "DoverTechnicalRaw": 3.1,
        "DoverAestheticRaw": 2.9,
        "DoverSegment": segment,
        "DoverSegmentStart": 50 * segment,
        "DoverSegmentEnd": 50 * segment + 50,
        "DoverModel": "dover-open",
        "DoverFusion": "matched",
        "DoverWeights": "0123456789ab",
        "_DurationNum": 1,
        "_DurationDen": 25,
    } | more


FRAMES = [frame(n // 50) for n in range(100)]
SEGMENTS = [frame(n, _DurationNum=2, _DurationDen=1) for n in range(2)]


@pytest.mark.parametrize("frames", [FRAMES, SEGMENTS], ids=["frames", "segments"])
def test_both_outputs_give_one_timeline(frames: list[Any], tmp_path: Path) -> None:
    file = tmp_path / "scores.json"
    file.write_text(json.dumps(frames))
    found = read_properties(file)
    assert found.info.fps == 25
    assert found.settings.weights_sha256 == "0123456789ab"
    rows = found.rows()
    assert [row["overall"] for row in rows] == [0.5, 0.4]
    assert [(row["start_frame"], row["end_frame"]) for row in rows] == [(0, 50), (50, 100)]
    assert [row["time_code"] for row in rows] == ["00:00:00.000", "00:00:02.000"]


def test_curves_of_overlapping_segments_are_no_timeline(tmp_path: Path) -> None:
    file = tmp_path / "scores.json"
    windows = [frame(n, DoverSegmentStart=25 * n, DoverSegmentEnd=25 * n + 50) for n in range(3)]
    file.write_text(json.dumps([windows[n // 30] for n in range(90)]))
    with pytest.raises(VideoError, match="Record a clip of dover_segments"):
        read_properties(file)
    file.write_text(json.dumps(windows))
    assert [row["start_frame"] for row in read_properties(file).rows()] == [0, 25, 50]


def test_a_part_of_a_clip_keeps_its_segments(tmp_path: Path) -> None:
    file = tmp_path / "scores.json"
    file.write_text(json.dumps(FRAMES[60:]))
    (row,) = read_properties(file).rows()
    assert (row["start_frame"], row["start_seconds"]) == (50, 2)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a file of frame properties"),
        ("{", "not a file of frame properties"),
        ("[1]", "not a file of frame properties"),
        ("[]", "carries no DoverSegment"),
        ('[{"_Matrix": 1}]', "carries no DoverSegment"),
        ('[{"DoverSegment": 0}]', "carries no DoverTechnicalRaw"),
        (json.dumps([frame(0, DoverOverall="x")]), "a property that is invalid"),
        (json.dumps([frame(0, _DurationNum=0)]), "a property that is invalid"),
    ],
)
def test_files_without_scores(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "scores.json"
    file.write_text(text)
    with pytest.raises(VideoError, match=says):
        read_properties(file)


def test_the_command_shows_recorded_scores(tmp_path: Path) -> None:
    file = tmp_path / "scores.json"
    file.write_text(json.dumps(FRAMES))
    done = CliRunner().invoke(app, ["timeline", str(file), "--plot", str(tmp_path / "a.svg")])
    assert done.exit_code == 0, done.output
    assert "00:00:02.000" in done.output
    assert "dover-open (01234567), matched fusion, recorded by VapourSynth" in done.output
    assert (tmp_path / "a.svg").stat().st_size > 1000
    refused = CliRunner().invoke(app, ["timeline", str(file), "--html", str(tmp_path / "a.html")])
    assert "An HTML report needs the video" in str(refused.exception)
