"""Diagnosis: each distortion is found where it was put, and nowhere else."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import write_clip
from numpy.typing import NDArray
from typer.testing import CliRunner

from dover_plugin import ArraySource, Scorer, Segment, SettingsError, VideoError, diagnose
from dover_plugin.analysis import banding
from dover_plugin.analysis.distortions import DISTORTIONS, NAMES, TAGS
from dover_plugin.analysis.frame_measures import blockiness, noise, plane_of, spatial_information
from dover_plugin.cli import app

HEIGHT, WIDTH, LENGTH = 240, 320, 60

type Pictures = NDArray[np.float32]  # (T, H, W) grey levels


def moving(length: int = LENGTH) -> Pictures:
    """A sharp scene that pans: discs and bars of many sizes over a slow ramp."""
    y, x = np.mgrid[:HEIGHT, : WIDTH + 4 * length].astype(np.float32)
    wide = 90 + 50 * y / HEIGHT
    rng = np.random.default_rng(3)
    for _ in range(length + 60):
        row, column, radius = rng.uniform((0, 0, 4), (HEIGHT, WIDTH + 4 * length, 26))
        wide[(y - row) ** 2 + (x - column) ** 2 < radius**2] = rng.uniform(30, 225)
    wide += rng.normal(0, 0.8, wide.shape)  # grain, without which the ramp has bands
    return np.stack([wide[:, 4 * t : 4 * t + WIDTH] for t in range(length)])


def stored(pictures: Pictures) -> NDArray[np.uint8]:
    grey = np.clip(pictures, 0, 255).round().astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


def blurred(pictures: Pictures, radius: int) -> Pictures:
    for axis in (1, 2):
        for _ in range(2):
            shifts = range(-radius, radius + 1)
            pictures = np.mean([np.roll(pictures, s, axis) for s in shifts], axis=0)
    return pictures


def banded(pictures: Pictures) -> Pictures:
    """A dark slow ramp in one step of luma per 40 pixels."""
    ramp = 60 + np.arange(WIDTH)[None, None] // 40 * 1.2 + np.arange(HEIGHT)[None, :, None] * 0
    return np.broadcast_to(ramp, pictures.shape).astype(np.float32)


def in_blocks(pictures: Pictures) -> Pictures:
    means = pictures.reshape(len(pictures), HEIGHT // 8, 8, WIDTH // 8, 8).mean((2, 4))
    return 0.5 * pictures + 0.5 * np.kron(means, np.ones((1, 8, 8), np.float32))


def woven(pictures: Pictures) -> Pictures:
    frames = pictures.copy()
    frames[:-1, 1::2] = pictures[1:, 1::2]
    return frames


def with_bars(pictures: Pictures) -> Pictures:
    frames = pictures.copy()
    frames[:, :30] = frames[:, -30:] = 0
    return frames


def black_end(pictures: Pictures) -> Pictures:
    frames = pictures.copy()
    frames[40:] = 4
    return frames


def flickering(pictures: Pictures) -> Pictures:
    return pictures + 3 * (-1.0) ** np.arange(len(pictures))[:, None, None]


def noisy(pictures: Pictures) -> Pictures:
    return pictures + np.random.default_rng(0).normal(0, 5, pictures.shape)


DEGRADATIONS: dict[str, Callable[[Pictures], Pictures]] = {
    "banding": banded,
    "blocky": in_blocks,
    "blurry": lambda pictures: blurred(pictures, 3),
    "noisy": noisy,
    "frozen": lambda pictures: pictures[[*range(5), *[5] * (LENGTH - 5)]],
    "duplicated_frames": lambda pictures: pictures[np.arange(LENGTH) // 2],
    "black": black_end,
    "letterboxed": with_bars,
    "interlaced": woven,
    "dark": lambda pictures: pictures / 5,
    "overexposed": lambda pictures: pictures * 2,
    "flickering": flickering,
}
BESIDES = {  # what a degradation brings with it
    "banding": {"frozen", "dark"},
    "blocky": {"banding"},
    "blurry": {"banding"},
    "dark": {"banding"},
}


def test_every_tag_has_a_test() -> None:
    assert tuple(DEGRADATIONS) == TAGS


def test_a_clean_video_has_no_tags() -> None:
    assert diagnose(ArraySource(stored(moving()), 25)).tags == ()


@pytest.mark.parametrize("tag", TAGS)
def test_each_distortion_gets_its_tag_and_no_other(tag: str) -> None:
    found = diagnose(ArraySource(stored(DEGRADATIONS[tag](moving())), 25))
    assert set(found.tags) - BESIDES.get(tag, set()) == {tag}


def test_stronger_degradation_gives_a_stronger_word() -> None:
    pictures = moving()
    words = [diagnose(stored(blurred(pictures, radius)))["blur"].severity for radius in (0, 3, 8)]
    assert words == ["none", "visible", "strong"]


def test_distortions_of_encoded_files(tmp_path: Path) -> None:
    pictures = moving()
    frames = stored(pictures)
    for quantiser, blocky in ((2, False), (31, True)):
        path = write_clip(
            tmp_path / f"q{quantiser}.mpg",
            codec="mpeg2video",
            options={"qmin": str(quantiser), "qmax": str(quantiser)},
            frames=iter(frames),
        )
        assert ("blocky" in diagnose(path).tags) is blocky
    still = write_clip(tmp_path / "still.mp4", frames=iter(frames[[0] * 60]))
    found = diagnose(still)
    assert set(found.tags) - {"banding"} == {"frozen"}  # the encoder removes the grain
    assert found["freeze"].value == pytest.approx(100, abs=4)


def test_segments_tell_where_a_distortion_is() -> None:
    pictures = moving(100)
    pictures[50:] = blurred(pictures[50:], 4)
    source = ArraySource(stored(pictures), 25)
    found = diagnose(source, segments=[Segment(0, 50), Segment(50, 100)])
    assert [part.tags for part in found.segments] == [(), ("blurry",)]
    assert [part.start_seconds for part in found.segments] == [0, 2]
    assert [part.segment for part in diagnose(source, 2).segments] == [(0, 50), (50, 100)]
    only = diagnose(source, segments=[Segment(50, 100)])
    assert only["blur"].value == only.segments[0]["blur"].value


def test_a_file_and_its_frames_are_diagnosed_alike(tmp_path: Path) -> None:
    frames = stored(noisy(moving()))
    path = write_clip(tmp_path / "a.mkv", codec="ffv1", frames=iter(frames), pix_fmt="yuv444p")
    of_file, of_frames = diagnose(path), diagnose(ArraySource(frames, 25))
    for name in NAMES:
        a, b = of_file[name].value, of_frames[name].value
        assert a == pytest.approx(b, rel=0.02, abs=0.02), name
    assert of_file.found.spatial_information == pytest.approx(
        of_frames.found.spatial_information, rel=0.01
    )


@pytest.mark.parametrize(
    ("pix_fmt", "codec", "full_range"),
    [
        ("yuv420p10le", "ffv1", False),
        ("yuv422p12le", "ffv1", False),
        ("yuv420p", "ffv1", True),
        ("gray", "ffv1", True),
        ("bgr0", "ffv1", True),
        ("gbrp10le", "ffv1", True),
    ],
)
def test_formats_agree_with_8_bit(
    tmp_path: Path, pix_fmt: str, codec: str, full_range: bool
) -> None:
    frames = stored(noisy(moving(20)))
    usual = diagnose(
        write_clip(tmp_path / "usual.mkv", codec="ffv1", frames=iter(frames), pix_fmt="yuv444p")
    )
    other = diagnose(
        write_clip(
            tmp_path / "other.mkv",
            codec=codec,
            pix_fmt=pix_fmt,
            full_range=full_range,
            frames=iter(frames),
        )
    )
    for name in ("noise", "blur", "blockiness", "underexposure", "overexposure"):
        assert other[name].value == pytest.approx(usual[name].value, rel=0.06, abs=0.6), name
    assert other.tags == usual.tags == ("noisy",)


def test_the_measure_of_noise_is_its_deviation() -> None:
    flat = np.full((256, 256), 120, np.float32)
    rng = np.random.default_rng(1)
    for sigma in (1, 3, 10):
        assert noise(flat + rng.normal(0, sigma, flat.shape)) == pytest.approx(sigma, rel=0.15)
    assert np.isnan(noise(np.zeros((256, 256), np.float32)))


def test_blocks_are_found_wherever_the_grid_begins() -> None:
    picture = in_blocks(moving(1))[0]
    values = [blockiness(picture[shift:, shift:]) for shift in range(8)]
    assert min(values) > 4
    assert blockiness(moving(1)[0]) < 1.3


def test_spatial_information_is_that_of_the_formula() -> None:
    """A vertical edge of height h has |Sobel| = 4 h on two columns."""
    step = np.zeros((50, 42), np.float32)
    step[:, 21:] = 10
    magnitudes = np.zeros(40)
    magnitudes[[19, 20]] = 40
    assert spatial_information(step) == pytest.approx(magnitudes.std())


def test_limited_range_is_stretched() -> None:
    grey = np.full((16, 16), 235, np.uint8)
    grey[0] = 16
    frame = av.VideoFrame.from_ndarray(
        np.vstack([grey, np.full((8, 16), 128, np.uint8)]), "yuv420p"
    )
    levels = plane_of(frame).levels()
    assert (levels[0, 0], levels[1, 0]) == (0, pytest.approx(255))


@pytest.mark.parametrize("size", [(2, 2), (9, 9), (16, 300), (215, 215), (216, 120)])
@pytest.mark.parametrize("length", [1, 2, 9])
def test_small_and_short_videos(size: tuple[int, int], length: int) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (length, *size, 3), dtype=np.uint8)
    found = diagnose(frames)
    row = json.loads(json.dumps(found.to_dict()))
    assert list(row["distortions"]) == list(NAMES)
    assert (found["banding"].value is None) == (max(size) < 216)
    assert (found["flicker"].value is None) == (length < 3)
    assert all((f.value is None) == (f.severity is None) for f in found.found.findings)


def test_frames_that_change_their_size(tmp_path: Path) -> None:
    first = write_clip(tmp_path / "a.h264", 10)
    second = write_clip(tmp_path / "b.h264", 10, (120, 160))
    joined = tmp_path / "c.h264"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    assert diagnose(joined).info.num_frames == 20


@pytest.mark.parametrize(
    ("segments", "says"),
    [
        ([], "list of segments is empty"),
        ([Segment(5, 5)], r"\(5, 5\) is not a part"),
        ([Segment(8, 2)], r"\(8, 2\) is not a part"),
        ([Segment(0, 61)], "with 60 frames"),
        ([Segment(-1, 5)], r"\(-1, 5\)"),
    ],
)
def test_segments_outside_of_the_video(segments: list[Segment], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        diagnose(stored(moving()), segments=segments)


def test_what_cannot_be_diagnosed(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no file"):
        diagnose(tmp_path / "none.mp4")
    with pytest.raises(SettingsError, match="longer than 0"):
        diagnose(ArraySource(stored(moving()), 25), -1)


def test_a_scorer_diagnoses_with_its_read_options(clip: Path) -> None:
    scorer = Scorer("dover-open", "cpu", stream=0, deinterlace=True)
    found = scorer.diagnose(clip, segments=[Segment(0, 30)])
    assert found.to_dict() == diagnose(clip, segments=[Segment(0, 30)]).to_dict()


def test_diagnosing_loads_no_network() -> None:
    program = (
        "import dover_plugin, numpy as np, sys\n"
        "dover_plugin.diagnose(np.zeros((9, 64, 64, 3), np.uint8))\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


def test_thresholds_are_ordered_and_have_a_source() -> None:
    assert len(set(NAMES)) == len(DISTORTIONS) == len(set(TAGS))
    for distortion in DISTORTIONS:
        assert distortion.severity(distortion.visible) == "visible"
        assert distortion.severity(distortion.strong) == "strong"
        assert len(distortion.source) > 20


# The command.


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["diagnose", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = iter(stored(moving(1)[[0] * 60]))
    return write_clip(tmp_path_factory.mktemp("still") / "still.mp4", frames=frames)


def test_the_table_names_distortions_and_limits(still: Path) -> None:
    code, out, _ = run(still)
    assert code == 0
    (freeze,) = (line for line in out.splitlines() if line.startswith("freeze"))
    assert freeze.split() == ["freeze", "100.0", "%", "strong", "2", "25"]
    (tags,) = (line for line in out.splitlines() if line.startswith("tags:"))
    assert "frozen" in tags


def test_json_and_csv_hold_all_videos(still: Path, clip: Path, tmp_path: Path) -> None:
    code, out, err = run(still, tmp_path / "none.mp4", clip, "-f", "json", "--segments", "1s")
    assert code == 1
    assert "no file" in err
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["path"] for row in rows] == [str(still), str(tmp_path / "none.mp4"), str(clip)]
    assert "frozen" in rows[0]["tags"]
    assert [part["start_frame"] for part in rows[0]["segments"]] == [0, 25]
    assert rows[0]["thresholds"]["banding"]["visible"] == 5
    code, out, _ = run(still, tmp_path / "none.mp4", "-f", "csv", "--segments", "1s")
    table = list(csv.DictReader(io.StringIO(out)))
    assert [row["part"] for row in table] == ["video", "segment", "segment", ""]
    assert "frozen" in table[0]["tags"].split()
    assert table[0]["freeze_severity"] == "strong"
    assert "no file" in table[-1]["error"]


def test_the_gate(still: Path, clip: Path) -> None:
    assert run(still, "--fail-on", "blurry")[0] == 0
    assert run(still, "--fail-on", "blurry", "--fail-on", "frozen")[0] == 3


def test_a_part(tmp_path: Path) -> None:
    pictures = moving(60)[[*range(30), *[30] * 30]]
    path = write_clip(tmp_path / "half.mp4", frames=iter(stored(pictures)))
    options: list[tuple[list[str], bool]] = [(["--end", "30"], False), (["--start", "1.2s"], True)]
    for chosen, frozen in options:
        code, out, _ = run(path, "-f", "json", *chosen)
        row = json.loads(out)
        assert (code, row["segments"][0]["end_frame"]) == (0, 30)
        assert ("duplicated_frames" in row["tags"]) is frozen
    assert "duplicated_frames" not in diagnose(path, end="1.2s").tags
    with pytest.raises(SettingsError, match="Use an earlier start"):
        diagnose(path, start=20, end=10)


def test_bad_options(still: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dover_plugin", "diagnose", still, "--fail-on", "ugly"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(
        "dover: No distortion has the tag 'ugly'. Choose from banding, blocky"
    )


def test_an_ffmpeg_without_libvmaf_measures_no_banding(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lacking:
        def __init__(self) -> None:
            self._graph = av.filter.Graph()

        def add(self, name: str, *args: Any, **options: Any) -> Any:
            if name == "libvmaf":
                raise ValueError("no filter libvmaf")
            return self._graph.add(name, *args, **options)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._graph, name)

    monkeypatch.setattr(banding, "Graph", Lacking)
    frames = np.random.default_rng(0).integers(0, 255, (30, 240, 320, 3), np.uint8)
    found = diagnose(ArraySource(frames, 25))
    assert found["banding"].value is None
    assert found["noise"].value is not None
