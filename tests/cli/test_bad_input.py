"""Unusual and damaged inputs: each has a score with a warning, or an error of one line."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import write_clip

from dover_plugin import Failure, Scorer, Scores, VideoError
from dover_plugin.io.open import open_source


def sentence(scorer: Scorer, path: Path | str) -> str:
    """The error of a file without a score; ``score`` and ``score_many`` agree on it."""
    with pytest.raises(VideoError) as caught:
        scorer.score(path)
    (row,) = scorer.score_many([path])
    assert isinstance(row, Failure)
    assert row.error == str(caught.value)
    assert "\n" not in row.error
    assert os.fspath(path) in row.error or repr(os.fspath(path)) in row.error
    return row.error


def warned(scorer: Scorer, path: Path, *says: str) -> Scores:
    scores = scorer.score(path)
    assert 0 <= scores.overall <= 1
    for part in says:
        assert any(part in w for w in scores.warnings), scores.warnings
    return scores


@pytest.fixture(scope="module")
def damaged(seeded: dict[str, Path]) -> Scorer:
    """A scorer that scores damaged files, too."""
    weights = seeded["dover-mobile"]
    return Scorer("dover-mobile", "cpu", weights=weights, allow_damaged=True)


def test_a_missing_file(mobile: Scorer, tmp_path: Path) -> None:
    assert "There is no file" in sentence(mobile, tmp_path / "none.mp4")


def test_a_folder_in_place_of_a_file(mobile: Scorer, tmp_path: Path) -> None:
    assert "is a folder without videos" in sentence(mobile, tmp_path)
    (tmp_path / "a.mp4").touch()
    assert "Use a video file in it" in sentence(mobile, tmp_path)


def test_a_pipe_in_place_of_a_file(mobile: Scorer, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "not a regular file" in sentence(mobile, tmp_path / "pipe.mp4")


def test_an_empty_file(mobile: Scorer, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    assert "is empty (0 bytes)" in sentence(mobile, tmp_path / "empty.mp4")


def test_an_unreadable_file(mobile: Scorer, clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "secret.mp4"
    path.write_bytes(clip.read_bytes())
    path.chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # root may read everything
    try:
        error = sentence(mobile, path) if not root else _as_nobody(mobile, path)
    finally:
        if root:
            os.seteuid(0)
    assert "No permission" in error


def _as_nobody(scorer: Scorer, path: Path) -> str:
    for parent in path.parents:  # pytest keeps its folders to itself
        if not os.access(parent, os.X_OK, effective_ids=True):
            os.seteuid(0)
            parent.chmod(parent.stat().st_mode | 0o011)
            os.seteuid(65534)
    return sentence(scorer, path)


@pytest.mark.parametrize("name", ["text.mp4", "text.mkv", "text.avi", "noise.mp4", "noise.webm"])
def test_files_that_are_not_videos(name: str, mobile: Scorer, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).bytes(20_000)
    (tmp_path / name).write_bytes(b"hello, world\n" * 99 if "text" in name else noise)
    assert "cannot be read as a video" in sentence(mobile, tmp_path / name)


def test_audio_only(mobile: Scorer, tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert "holds no video (only audio)" in sentence(mobile, path)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "webm", "mov"])
def test_a_file_cut_off_at_30_percent(
    suffix: str, mobile: Scorer, damaged: Scorer, tmp_path: Path
) -> None:
    codec = "libvpx-vp9" if suffix == "webm" else "libx264"
    whole = write_clip(tmp_path / f"whole.{suffix}", 90, codec=codec)
    data = whole.read_bytes()
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(data[: len(data) * 3 // 10])
    if suffix in ("mp4", "mov"):  # the index at the end of the file is missing
        assert "cannot be read as a video" in sentence(mobile, path)
    else:
        assert "is cut off" in sentence(mobile, path)
        warned(damaged, path, "the file is cut off")


def test_a_streamable_mp4_cut_off(mobile: Scorer, tmp_path: Path) -> None:
    whole = write_clip(
        tmp_path / "whole.mp4", 90, container_options={"movflags": "+faststart"}
    ).read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: len(whole) * 3 // 10])
    error = sentence(mobile, path)
    assert "cut off" in error
    assert "90 frames" in error


def test_a_stream_with_holes(mobile: Scorer, clip: Path, tmp_path: Path) -> None:
    data = bytearray(clip.read_bytes())
    start = data.index(b"mdat") + 4
    length = len(data) - start
    data[start + length // 3 : start + length * 2 // 3] = bytes(length * 2 // 3 - length // 3)
    path = tmp_path / "holes.mp4"
    path.write_bytes(data)
    assert re.search(r"Cannot decode frame \d+ of 60", sentence(mobile, path))


def test_a_corrupt_clip(mobile: Scorer, shared_clips: Path) -> None:
    path = shared_clips / "decord_corrupted.mp4"
    assert re.search(r"Cannot decode frame \d+ of 50", sentence(mobile, path))
    with pytest.raises(VideoError, match="annot decode"):
        list(open_source(path, "decord").frames(range(50)))


def test_no_frames(mobile: Scorer, tmp_path: Path) -> None:
    path = tmp_path / "none.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        container.start_encoding()
    assert "a header but no frame" in sentence(mobile, path)


@pytest.mark.parametrize(
    ("decoder", "num_frames"),
    [("pyav", 1), ("pyav", 2), ("pyav", 31), ("pyav", 33), ("decord", 1), ("decord", 33)],
)
def test_few_frames(num_frames: int, decoder: str, seeded: dict[str, Path], tmp_path: Path) -> None:
    scorer = Scorer("dover-mobile", "cpu", weights=seeded["dover-mobile"], decoder=decoder)
    path = write_clip(tmp_path / "short.mp4", num_frames)
    shown = "1 frame" if num_frames == 1 else f"{num_frames} frames"
    says = [f"only {shown}, "] if num_frames < 32 else []
    assert warned(scorer, path, *says).num_frames == num_frames
    if num_frames == 33:
        assert not any("frames, which" in w for w in scorer.score(path).warnings)


@pytest.mark.parametrize("size", [(16, 16), (30, 30), (50, 50), (144, 192), (98, 402)])
def test_small_frames(size: tuple[int, int], mobile: Scorer, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "small.mp4", 8, size)
    scores = warned(mobile, path, "enlarged to a short side of 224")
    assert (scores.height, scores.width) == size


def test_less_than_one_fragment(mobile: Scorer) -> None:
    scores = mobile.score(np.full((4, 31, 31, 3), 99, np.uint8))
    assert any("enlarged" in w for w in scores.warnings)


def test_unordered_packets(mobile: Scorer, shared_clips: Path) -> None:
    scores = warned(mobile, shared_clips / "unordered.mov", "only 4 frames")
    assert (scores.width, scores.height) == (50, 50)


def test_8k(mobile: Scorer, tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "8k.mp4", 2, (4320, 8192), options={"preset": "ultrafast", "qp": "40"}
    )
    assert (warned(mobile, path).width, mobile.score(path).height) == (8192, 4320)


@pytest.mark.parametrize("name", ["with space.mp4", "new\nline.mp4", "視頻 ü.mp4", "%d-#?.mp4"])
@pytest.mark.parametrize("decoder", ["decord", "pyav"])
def test_names_of_all_kinds(
    name: str, decoder: str, seeded: dict[str, Path], clip: Path, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(clip.read_bytes())
    scorer = Scorer("dover-mobile", "cpu", weights=seeded["dover-mobile"], decoder=decoder)
    assert scorer.score(path).path == str(path)


def test_hdr(mobile: Scorer, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "hlg.mp4", 8, colour="hlg")
    warned(mobile, path, "HDR (HLG) is tone mapped to SDR")


MEASURE = """
import resource, sys
from dover_plugin import Scorer
Scorer("dover-mobile", "cpu", weights=sys.argv[1]).score(sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def test_memory_does_not_grow_with_resolution(seeded: dict[str, Path], tmp_path: Path) -> None:
    """Ten seconds of 3840x2160 need at most 1.2 GB more than of 640x360."""
    peaks = {}
    for height, width in ((360, 640), (2160, 3840)):
        picture = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3))
        picture = picture.repeat(8, 0).repeat(8, 1).astype(np.uint8)
        path = write_clip(
            tmp_path / f"{height}.mp4",
            size=(height, width),
            options={"preset": "ultrafast"},
            frames=(np.roll(picture, 8 * t, 1) for t in range(250)),
        )
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(seeded["dover-mobile"]), str(path)],
            capture_output=True,
            text=True,
            check=True,
        )
        peaks[height] = float(done.stdout)
    assert peaks[2160] - peaks[360] < 1200
