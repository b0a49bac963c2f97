import itertools
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import scene, write_clip

from dover_plugin import ArraySource, SettingsError, VideoError, VideoInfo
from dover_plugin.decoders import scan_file
from dover_plugin.video import open_source

VARIETY: dict[str, dict[str, Any]] = {
    "h264.mp4": {},
    "h264.mov": {},
    "h264.mkv": {"pix_fmt": "yuv422p"},
    "h264.avi": {},
    "h264.ts": {},
    "444.mkv": {"pix_fmt": "yuv444p"},
    "odd.mkv": {"pix_fmt": "yuv444p", "size": (241, 321)},
    "odd420.mkv": {"codec": "ffv1", "size": (241, 321)},
    "tiny.mp4": {"size": (16, 16), "options": {"crf": "2"}},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=error"}},
    "hevc10.mp4": {
        "codec": "libx265",
        "pix_fmt": "yuv420p10le",
        "colour": "bt2020",
        "options": {"x265-params": "log-level=error"},
    },
    "vp9.webm": {"codec": "libvpx-vp9"},
    "av1.mkv": {"codec": "libsvtav1", "options": {"preset": "12"}},
    "mpeg4.avi": {"codec": "mpeg4"},
    "prores.mov": {"codec": "prores_ks", "pix_fmt": "yuv422p10le"},
    "bt601.mp4": {"colour": "bt601"},
    "bt709.mp4": {"colour": "bt709"},
    "bt2020.mp4": {"colour": "bt2020"},
    "full.mp4": {"colour": "bt709", "full_range": True},
    "vfr.mp4": {"timestamps": list(itertools.accumulate([1, 3, 2] * 20))},
    "opengop.mp4": {"options": {"x264-params": "open-gop=1:keyint=10:bframes=3"}},
    "pq.mp4": {"colour": "pq"},
}
HDR = {"pq.mp4"}
# decord 0.6 carries an FFmpeg without AV1 decoders and cannot seek in transport streams
# and takes the padding of very narrow frames for pixels
DECORD_CANNOT = {"av1.mkv", "h264.ts", "tiny.mp4"}


@pytest.fixture(scope="module", params=VARIETY)
def varied(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("variety") / request.param
    return write_clip(path, **VARIETY[request.param])


def read(source: Any, indices: list[int]) -> dict[int, Any]:
    return {index: frame.copy() for index, frame in source.frames(indices)}


def test_every_kind_of_file_is_read_in_its_true_colours(varied: Path) -> None:
    source = open_source(varied)
    info = source.info
    size = VARIETY[varied.name].get("size", (240, 320))
    assert (info.num_frames, info.height, info.width) == (60, *size)
    assert info.path == str(varied)
    assert info.decoder == ("pyav" if varied.name in DECORD_CANNOT else "decord")
    assert any("decord cannot" in w for w in info.warnings) == (varied.name in DECORD_CANNOT)
    assert any("HDR (PQ)" in w for w in info.warnings) == (varied.name in HDR)
    frames = read(source, [0, 30, 59])
    original = list(scene(60, *size))
    for index, frame in frames.items():
        assert frame.shape == (*size, 3)
        assert frame.dtype == np.uint8
        # a wrong matrix or range moves the mean of a channel by 4 levels or more
        drift = frame.mean((0, 1)) - original[index].mean((0, 1))
        assert np.abs(drift).max() < 2.5


def test_decord_and_pyav_give_the_same_pixels(varied: Path) -> None:
    if varied.name in DECORD_CANNOT:
        with pytest.raises(VideoError):
            open_source(varied, "decord")
        return
    indices = [0, 1, 17, 40, 41, 59]
    decord, pyav = (read(open_source(varied, d), indices) for d in ("decord", "pyav"))
    for index in indices:
        assert np.abs(decord[index].astype(int) - pyav[index]).mean() < 1


def test_jumping_gives_the_frames_that_sequential_reading_gives(varied: Path) -> None:
    source = open_source(varied, "pyav")
    every = read(source, list(range(60)))
    for indices in ([59], [13, 14, 47], [0, 30, 58], list(range(1, 60, 7))):
        some = read(source, indices)
        assert list(some) == indices
        assert all(np.array_equal(some[i], every[i]) for i in indices)


def test_far_frames_are_reached_through_key_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / "a.mp4", 300, (64, 64), options={"g": "20"})
    source = open_source(path, "pyav")
    decoded = 0
    index_of = type(source)._index_of

    def counting(self: Any, frame: Any, position: int) -> int:
        nonlocal decoded
        decoded += 1
        return index_of(self, frame, position)

    monkeypatch.setattr(type(source), "_index_of", counting)
    assert list(read(source, [5, 150, 295])) == [5, 150, 295]
    assert decoded < 60


@pytest.mark.parametrize("degrees", [90, 270])
def test_rotation_is_applied(degrees: int, shared_clips: Path) -> None:
    path = shared_clips / f"rot_{degrees}.mov"
    sources = [open_source(path, decoder) for decoder in ("decord", "pyav")]
    upright = [read(source, [0])[0] for source in sources]
    assert upright[0].shape == (568, 320, 3)
    assert np.array_equal(*upright)
    assert (sources[0].info.height, sources[0].info.width) == (568, 320)


def test_arrays_are_sources() -> None:
    frames = np.zeros((5, 30, 40, 3), np.uint8)
    source = open_source(frames)
    assert source.info == VideoInfo(None, 5, 30, 40, None, "array")
    assert list(read(source, [1, 4])) == [1, 4]
    assert open_source(source) is source


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        (np.zeros((5, 30, 40), np.uint8), "must be (T, H, W, 3) uint8 RGB, got (5, 30, 40)"),
        (np.zeros((5, 30, 40, 3), np.float32), "float32"),
        (np.zeros((5, 30, 40, 4), np.uint8), "(5, 30, 40, 4)"),
        (np.zeros((0, 30, 40, 3), np.uint8), "must hold pixels"),
    ],
)
def test_other_arrays_are_refused(frames: Any, says: str) -> None:
    with pytest.raises(VideoError) as caught:
        ArraySource(frames)
    assert says in str(caught.value)


def test_other_things_are_refused() -> None:
    with pytest.raises(VideoError, match="got int"):
        open_source(3)  # type: ignore[arg-type]


def test_unknown_decoder(clip: Path) -> None:
    with pytest.raises(SettingsError, match="auto, decord, pyav"):
        open_source(clip, "opencv")


def test_without_decord(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dover_plugin.decoders.find_spec", lambda name: None)
    assert open_source(clip).info.decoder == "pyav"
    with pytest.raises(SettingsError, match="not installed"):
        open_source(clip, "decord")


def test_a_file_without_timestamps_is_counted(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "raw.h264", 40, (64, 64))
    scan = scan_file(str(path))
    assert scan.info.num_frames == 40
    frames = read(open_source(path, "pyav"), [0, 20, 39])
    original = list(scene(40, 64, 64))
    assert all(np.abs(f.astype(int) - original[i]).mean() < 12 for i, f in frames.items())


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mka"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2048), np.float32), "fltp", "mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(VideoError, match=r"no video \(only audio\)"):
        open_source(path)
