import json
import re
import subprocess
from pathlib import Path
from typing import Any

import av
import pandas as pd
import pytest
import vapoursynth as vs
from clips import write_clip
from vs_helpers import Counting, moving

from vs_filter import (
    PROPS,
    Range,
    SceneCrf,
    collect,
    dover,
    dover_segments,
    write_crfs,
    write_ranges,
    write_scenes,
)

RANGES = [Range(0, 240, 0.21), Range(480, 600, 0.34)]
SCENES = [Range(0, 240, 0.21), Range(240, 600, 0.34)]


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
    with pytest.raises(vs.Error, match="av1an zones need an encoder"):
        write_ranges(RANGES, tmp_path / "zones", "av1an")
    with pytest.raises(vs.Error, match="use json, x264, x265 or av1an"):
        write_ranges(RANGES, tmp_path / "zones", "vp9")  # type: ignore[arg-type]
    with pytest.raises(vs.Error, match="dover: Cannot write"):
        write_ranges(RANGES, tmp_path / "none" / "zones")


CRFS = [SceneCrf(0, 20, 18, -0.01), SceneCrf(20, 40, 30, -0.02)]


def test_crfs_as_zones(tmp_path: Path) -> None:
    write_crfs(CRFS, tmp_path / "x264", "x264", crf=24)
    assert (tmp_path / "x264").read_text() == "0,19,b=2.0000/20,39,b=0.5000\n"
    write_crfs(CRFS, tmp_path / "av1an", "av1an")
    assert (tmp_path / "av1an").read_text() == "0 20 svt-av1 --crf 18\n20 40 svt-av1 --crf 30\n"
    with pytest.raises(vs.Error, match="Pass crf="):
        write_crfs(CRFS, tmp_path / "x264", "x264")
    with pytest.raises(vs.Error, match="use x264, x265 or av1an"):
        write_crfs(CRFS, tmp_path / "x264", "vp9")  # type: ignore[arg-type]


@pytest.mark.parametrize("ranges", [[], RANGES], ids=["none", "some"])
@pytest.mark.parametrize(
    "encoder", [pytest.param(e, marks=pytest.mark.program(e)) for e in ("x264", "x265")]
)
def test_encoders_accept_zones(ranges: list[Range], encoder: str, tmp_path: Path) -> None:
    """Without ranges, the encode is as one without zones."""
    clip = moving(30, 120, 160).resize.Bicubic(format=vs.YUV420P8, matrix_s="709")
    write_ranges(
        [r._replace(start=r.start // 24, end=r.end // 24) for r in ranges],
        tmp_path / "zones",
        encoder,
    )  # type: ignore[arg-type]
    sizes = []
    for zones in ([], ["--zones", (tmp_path / "zones").read_text().strip()]):
        out = tmp_path / f"{len(zones)}.bin"
        form = ["--demuxer", "y4m"] if encoder == "x264" else ["--y4m"]
        command = [encoder, *form, "--preset", "ultrafast", *zones, "-o", str(out), "-"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            clip.output(process.stdin, y4m=True)
        assert process.returncode == 0
        with av.open(str(out)) as container:
            sizes.append([frame.size for frame in container.demux(video=0) if frame.size])
            assert len(sizes[-1]) == 30
    assert (sizes[0][1:] == sizes[1][1:]) == (not ranges)


# The grammar of a line in av1an's zones file: start, exclusive end or -1, encoder, options.
AV1AN_ZONE = r"\d+ +(-1|\d+) +(aom|rav1e|x264|x265|vpx|svt-av1)( +reset)?( +--?[a-z-]+[ =]\S+)*"


@pytest.mark.parametrize("ranges", [[], RANGES], ids=["none", "some"])
def test_av1an_accepts_zones(ranges: list[Range], tmp_path: Path) -> None:
    """It fails on a file without zones, and wants zones in order that do not overlap."""
    write_ranges(ranges, tmp_path / "zones", "av1an", "svt-av1 --crf 22")
    lines = (tmp_path / "zones").read_text().splitlines()
    assert len(lines) == max(1, len(ranges))
    assert all(re.fullmatch(AV1AN_ZONE, line) for line in lines)
    if not ranges:
        assert lines == ["0 -1 svt-av1"]


def test_scenes(tmp_path: Path) -> None:
    kinds = ("keyframes", "qpfile", "chapters", "av1an")
    for kind in kinds:
        scenes = SCENES if kind == "av1an" else RANGES
        write_scenes(scenes, tmp_path / kind, kind, fps=24)  # type: ignore[arg-type]
    keyframes, qpfile, chapters, av1an = ((tmp_path / kind).read_text() for kind in kinds)
    assert keyframes == "# keyframe format v1\nfps 0\n\n0\n480\n"
    assert qpfile == "0 I -1\n480 I -1\n"
    assert chapters.splitlines()[2:] == [
        "CHAPTER02=00:00:20.000",
        "CHAPTER02NAME=Scene 2, score 0.340",
    ]
    assert json.loads(av1an)["split_scenes"][1] == {
        "start_frame": 240,
        "end_frame": 600,
        "zone_overrides": None,
    }
    with pytest.raises(vs.Error, match="Pass fps="):
        write_scenes(RANGES, tmp_path / "c", "chapters")
    with pytest.raises(vs.Error, match="use keyframes, qpfile, chapters or av1an"):
        write_scenes(RANGES, tmp_path / "c", "edl")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "scenes",
    [RANGES, [Range(1, 5, 0.5)], [Range(0, 5, 0.5), Range(4, 9, 0.5)]],
    ids=["gap", "no beginning", "overlap"],
)
def test_scenes_of_av1an_cover_the_clip(scenes: list[Range], tmp_path: Path) -> None:
    with pytest.raises(vs.Error, match="must follow each other from frame 0"):
        write_scenes(scenes, tmp_path / "scenes.json", "av1an")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["keyframes", "qpfile", "chapters", "av1an"])
def test_no_scenes_are_an_error(kind: Any, tmp_path: Path) -> None:
    with pytest.raises(vs.Error, match="There are no scenes to write"):
        write_scenes([], tmp_path / "scenes", kind, fps=24)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("av1an", "--crf 22"), ("av1an", None), ("av1an", "nvenc --cq 20"), ("x264", "--crf 22")],
)
def test_options_that_encoders_refuse(kind: Any, options: str | None, tmp_path: Path) -> None:
    with pytest.raises(vs.Error, match=r"zones need an encoder|use 'b=1\.5' or 'q=18'"):
        write_ranges(RANGES, tmp_path / "zones", kind, options)


@pytest.mark.program("mkvmerge", "x264")
def test_programs_accept_scenes(tmp_path: Path) -> None:
    scenes = [Range(0, 12, 0.5), Range(12, 40, 0.25)]
    write_scenes(scenes, tmp_path / "chapters.txt", "chapters", fps=25)
    write_scenes(scenes, tmp_path / "qpfile", "qpfile")
    clip = write_clip(tmp_path / "clip.mp4", 40, (120, 160))
    merge = ["mkvmerge", "-q", "-o", "out.mkv", "--chapters", "chapters.txt", clip]
    encode = ["x264", "--quiet", "--qpfile", "qpfile", "-o", "out.264", "out.mkv"]
    for command in (merge, encode):
        subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    with av.open(str(tmp_path / "out.mkv")) as container:
        starts = [c["start"] / 1e9 for c in container.chapters()]  # nanoseconds
    assert starts == [0, 0.48]
    with av.open(str(tmp_path / "out.264")) as container:
        packets = [p for p in container.demux(video=0) if p.size]
    assert [n for n, packet in enumerate(packets) if packet.is_keyframe] == [0, 12]


def test_a_clip_gives_the_table_that_its_segments_give(
    scorer: Counting, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = moving(80, 120, 160)
    whole = collect(dover(clip, scorer=scorer, segment=40), progress=True)
    segments = collect(dover_segments(clip, scorer=scorer, segment=40))
    pd.testing.assert_frame_equal(whole, segments)
    assert list(segments.columns) == [*PROPS, "start_seconds", "end_seconds", "time_code"]
    assert capsys.readouterr().out == ""
