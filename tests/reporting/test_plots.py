"""Pictures over time, and maps over a video."""

import json
from pathlib import Path
from typing import Any

import av
import matplotlib.image
import numpy as np
import pytest
from clips import write_clip
from typer.testing import CliRunner

from dover_plugin import Maps, Scorer, Segment, Timeline
from dover_plugin.analysis.quality_map_video import write_map_video
from dover_plugin.cli import app
from dover_plugin.errors import SettingsError
from dover_plugin.io.open import open_source
from dover_plugin.preprocessing.sampling import draw
from dover_plugin.reporting.plots import draw_timeline
from dover_plugin.reporting.style import save_figure


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [*map(str, arguments), "--device", "cpu"])


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("pictured") / "clip.mp4", 75)


def test_the_command_timeline(clip: Path, tmp_path: Path) -> None:
    plot, file = tmp_path / "plot.png", tmp_path / "timeline.json"
    done = run("timeline", clip, "--segments", "1s", "-f", "json", "-o", file, "--plot", plot)
    assert done.exit_code == 0, done.output
    found = json.loads(file.read_text())
    scores = [row["overall"] for row in found["segments"]]
    assert [row["time_code"] for row in found["segments"]] == [
        "00:00:00.000",
        "00:00:01.000",
        "00:00:02.000",
    ]
    assert found["summary"]["overall"]["minimum"] == min(scores)
    assert found["summary"]["overall"]["mean"] == pytest.approx(np.mean(scores))
    assert found["summary"]["overall"]["p5"] == pytest.approx(np.percentile(scores, 5))
    assert found["worst"][0]["overall"] == min(scores)
    assert np.asarray(matplotlib.image.imread(plot)).std() > 0.05
    done = run("timeline", clip, "--segments", "40f", "--overlap", "10f", "-f", "csv")
    header, *rows = done.stdout.splitlines()
    assert header.startswith("path,start_frame,end_frame,start_seconds")
    assert [row.split(",")[1:3] for row in rows] == [["0", "40"], ["30", "75"]]
    done = run("timeline", clip, "--segments", "scenes")
    assert done.exit_code == 0, done.output
    assert "worst: 00:00:00.000" in done.stdout


def test_steps_are_as_wide_as_their_segments(clip: Path, mobile: Scorer) -> None:
    source = open_source(clip)
    cuts = [Segment(0, 50), Segment(50, 75)]
    found = Timeline(source.info, mobile.settings, list(mobile.timeline(source, segments=cuts)))
    axes = draw_timeline(found).axes[0]
    steps = {patch.get_label(): patch.get_data() for patch in axes.patches}
    assert steps.keys() == {"overall", "technical", "aesthetic"}
    assert steps["overall"].edges.tolist() == [0, 2, 3]
    assert steps["technical"].values.tolist() == [p.scores.technical for p in found.segments]


def test_a_figure_of_another_kind(clip: Path, tmp_path: Path) -> None:
    done = run("timeline", clip, "--plot", tmp_path / "plot.mp3")
    assert "use .png, .svg or .pdf." in str(done.exception)
    with pytest.raises(SettingsError, match="Cannot write"):
        from dover_plugin.reporting.style import new_figure

        save_figure(new_figure((2, 2)), tmp_path / "none/plot.png")


def test_a_map_follows_the_video(clip: Path, tmp_path: Path) -> None:
    """The left half is bad at first, the right half at last."""
    info = open_source(clip).info
    cells = np.ones((3, 16, 7, 7), np.float32)
    cells[0, ..., :3] = -1
    cells[2, ..., 4:] = -1
    whole = np.ones((1, 16, 7, 7), np.float32)
    whole[..., 0, 0] = -1
    told: list[int] = []
    write_map_video(
        Maps(cells, whole),
        draw(info.num_frames, info.height, info.width),
        open_source(clip),
        tmp_path / "map.mp4",
        lambda done, _: told.append(done),
    )
    with av.open(tmp_path / "map.mp4") as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == info.num_frames == told[-1]
    height, width, _ = frames[0].shape
    yellow = [f[..., 0].astype(float) - f[..., 2] for f in (frames[0], frames[-1])]
    middle = slice(height // 3, 2 * height // 3)
    left, right = (slice(x * width // 8, (x + 1) * width // 8) for x in (0, 3))
    assert yellow[0][middle, left].mean() < yellow[0][middle, right].mean() - 40
    assert yellow[1][middle, left].mean() > yellow[1][middle, right].mean() + 40
    assert not list(tmp_path.glob("*.part"))


def test_the_command_map(clip: Path, tmp_path: Path) -> None:
    done = run("map", clip, "-o", tmp_path / "map.mp4")
    assert done.exit_code == 0, done.output
    with av.open(tmp_path / "map.mp4") as container:
        assert container.streams.video[0].frames == 75
    assert run("map", clip, "-o", tmp_path / "map.png").exit_code == 0
    assert np.asarray(matplotlib.image.imread(tmp_path / "map.png")).std() > 0.05
    before = clip.read_bytes()
    assert "exists" in str(run("map", clip, "-o", clip).exception)
    assert clip.read_bytes() == before
