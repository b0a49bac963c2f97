"""The scripts in examples/ run as their first lines say."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import av
import pytest
from clips import write_clip

EXAMPLES = Path(__file__).parents[2] / "examples"
BIN = Path(sys.executable).parent
ENV = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


def vspipe(folder: Path, script: str, *args: object) -> None:
    command = [BIN / "vspipe", *map(str, args), EXAMPLES / script]
    target = ["--"] if "--json" in args else ["-c", "y4m", "out.y4m"]
    command += target
    done = subprocess.run(command, cwd=folder, env=ENV, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()


@pytest.fixture
def arguments(tmp_path: Path, seeded: dict[str, Path]) -> list[str]:
    source = write_clip(tmp_path / "clip.mp4", 80, (120, 160))
    return ["-a", f"source={source}", "-a", f"weights={seeded['dover-open']}"]


def test_score_clip(tmp_path: Path, arguments: list[str]) -> None:
    vspipe(tmp_path, "score_clip.vpy", *arguments, "-o", 1, "--json", "scores.json")
    assert "DoverOverall" in (tmp_path / "scores.json").read_text()
    json.loads((tmp_path / "scores.json").read_text())


def test_compare_encode(tmp_path: Path, arguments: list[str]) -> None:
    encode = write_clip(tmp_path / "encode.mp4", 80, (90, 120), options={"crf": "45"})
    vspipe(tmp_path, "compare_encode.vpy", *arguments, "-a", f"encode={encode}")
    with av.open(str(tmp_path / "out.y4m")) as container:
        frames = list(container.decode(video=0))
    assert (len(frames), frames[0].width, frames[0].height) == (80, 240, 90)


def python(folder: Path, script: str, *args: object) -> str:
    """Run an example without the privilege by which SVT-AV1 takes real-time priority."""
    drop = ["setpriv", "--bounding-set=-sys_nice"] if shutil.which("setpriv") else []
    command = [*drop, sys.executable, EXAMPLES / script, *map(str, args)]
    done = subprocess.run(command, cwd=folder, env=ENV, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("below", "zones"), [(0.9, "0,79,b=1.5\n"), (-0.9, "0,0,b=1\n")])
def test_zones_from_losses(below: float, zones: str, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mp4", 80, (120, 160))
    encode = write_clip(tmp_path / "encode.mp4", 80, (120, 160), options={"crf": "45"})
    said = python(tmp_path, "zones_from_losses.py", source, encode, "zones.txt", below)
    assert (tmp_path / "zones.txt").read_text() == zones
    assert said.startswith("1 ranges" if below > 0 else "0 ranges")


@pytest.mark.parametrize(
    ("encoder", "expected"),
    [
        pytest.param("x264", r"0,79,b=\d\.\d+", marks=pytest.mark.program("x264")),
        pytest.param(
            "svt-av1", r"0 80 svt-av1 --crf \d+", marks=pytest.mark.program("SvtAv1EncApp")
        ),
    ],
)
def test_crf_per_scene(encoder: str, expected: str, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mp4", 80, (120, 160))
    python(tmp_path, "crf_per_scene.py", source, encoder, "zones.txt")
    assert re.fullmatch(expected, (tmp_path / "zones.txt").read_text().strip())
