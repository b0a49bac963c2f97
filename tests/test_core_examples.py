"""The examples run, and leave what they say."""

import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, EXAMPLES / name],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_score_a_folder(tmp_path: Path) -> None:
    printed = run("score_a_folder.py", tmp_path)
    assert "broken.mp4" in printed
    assert printed.count("failed") == 3
    out = tmp_path / "build/examples"
    assert len((out / "folder.csv").read_text().splitlines()) == 6
    assert "crf48.mp4" in (out / "folder.html").read_text()


@pytest.mark.program("ffmpeg")
def test_compare_transcodes(tmp_path: Path) -> None:
    printed = run("compare_transcodes.py", tmp_path)
    first, *_ = printed.splitlines()
    assert first.startswith(("crf18.mp4", "crf28.mp4"))
    assert "crf48.mp4 loses" in printed
    out = tmp_path / "build/examples"
    assert np.asarray(matplotlib.image.imread(out / "ladder.png")).std() > 0.05
    assert "before" in (out / "ladder.html").read_text()


@pytest.mark.program("ffmpeg")
def test_find_worst_moments(tmp_path: Path) -> None:
    printed = run("find_worst_moments.py", tmp_path)
    assert printed.startswith("00:00:02"), "the middle is what is bad"
    picture = tmp_path / "build/examples/timeline.png"
    assert np.asarray(matplotlib.image.imread(picture)).std() > 0.05
