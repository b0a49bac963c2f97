import itertools
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import number_of, numbered, scene, write_clip
from rotation import rotated

from dover_plugin import ArraySource, SettingsError, VideoError, VideoInfo
from dover_plugin.io.cursor import Cursor
from dover_plugin.io.open import open_source
from dover_plugin.io.other_decoders import numbering_of
from dover_plugin.io.scan import scan_file

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
# decord 0.6 has no AV1, miscounts in AVI, transport streams, HEVC and open groups of pictures,
# and takes the padding of very narrow frames for pixels
DECORD_CANNOT = {
    "av1.mkv",
    "h264.ts",
    "h264.avi",
    "hevc.mp4",
    "hevc10.mp4",
    "mpeg4.avi",
    "opengop.mp4",
    "tiny.mp4",
}
CANNOT = {
    "decord": DECORD_CANNOT,
    "decord2": DECORD_CANNOT - {"av1.mkv"},
    "torchcodec": {"h264.ts", "h264.avi", "mpeg4.avi", "opengop.mp4"},
}
# Odd sizes of 4:2:0 and ten bits: another path of swscale, on average less than a level apart.
TORCHCODEC_DIFFERS = {"odd420.mkv", "hevc10.mp4"}


@pytest.fixture(scope="module", params=VARIETY)
def varied(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("variety") / request.param
    return write_clip(path, **VARIETY[request.param])


def read(source: Any, indices: list[int]) -> dict[int, Any]:
    return {index: frame.copy() for index, frame in source.frames(indices)}


def test_every_kind_of_file_is_read_in_its_true_colours(varied: Path) -> None:
    source = open_source(varied, hdr="as-is")
    info = source.info
    size = VARIETY[varied.name].get("size", (240, 320))
    assert (info.num_frames, info.height, info.width) == (60, *size)
    assert info.path == str(varied)
    assert info.decoder == "pyav"
    assert any("HDR (PQ)" in w for w in info.warnings) == (varied.name in HDR)
    frames = read(source, [0, 30, 59])
    original = list(scene(60, *size))
    for index, frame in frames.items():
        assert frame.shape == (*size, 3)
        assert frame.dtype == np.uint8
        # a wrong matrix or range moves the mean of a channel by 4 levels or more
        drift = frame.mean((0, 1)) - original[index].mean((0, 1))
        assert np.abs(drift).max() < 2.5


@pytest.mark.parametrize("decoder", ["decord", "torchcodec"])
def test_other_decoders_and_pyav_give_the_same_pixels(decoder: str, varied: Path) -> None:
    pytest.importorskip(decoder)
    if varied.name in CANNOT[numbering_of(decoder)]:
        with pytest.raises(VideoError, match="pyav"):
            open_source(varied, decoder)
        return
    indices = [0, 1, 17, 40, 41, 59]
    other, pyav = (read(open_source(varied, d, hdr="as-is"), indices) for d in (decoder, "pyav"))
    for index in indices:
        difference = np.abs(other[index].astype(int) - pyav[index])
        assert difference.mean() < 1
        if decoder == "torchcodec" and varied.name not in TORCHCODEC_DIFFERS:
            assert difference.max() == 0


X264 = {"g": "30", "bf": "2"}
NUMBERED: dict[str, dict[str, Any]] = {
    "h264.mp4": {"options": X264},
    "h264.mkv": {"options": X264},
    "h264.ts": {"options": X264},
    "h264.avi": {"options": X264},
    "h264.flv": {"options": X264},
    "raw.h264": {"options": X264},
    "opengop.mp4": {"options": X264 | {"x264-params": "open-gop=1"}},
    "refresh.mp4": {"options": X264 | {"x264-params": "intra-refresh=1"}},
    "hevc.mp4": {
        "codec": "libx265",
        "options": {"x265-params": "keyint=30:bframes=3:log-level=error"},
    },
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"g": "30", "deadline": "realtime"}},
    "av1.mp4": {"codec": "libsvtav1", "options": {"preset": "10", "g": "30", "crf": "5"}},
    "mpeg4.avi": {"codec": "mpeg4", "options": X264},
    "mpeg4.mp4": {"codec": "mpeg4", "options": X264},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": X264},
    "mpeg2.ts": {"codec": "mpeg2video", "options": X264},
    "mpeg2.mxf": {"codec": "mpeg2video", "options": X264},
    "wmv2.wmv": {"codec": "wmv2", "options": {"g": "30"}},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "late.mkv": {"options": X264, "timestamps": list(range(500, 650))},
    "variable.mp4": {
        "options": X264,
        "timestamps": list(itertools.accumulate([1, 4, 2] * 50)),
    },
}

DECORD_COUNTS = {"h264.mp4", "h264.mkv", "vp9.webm", "late.mkv", "variable.mp4"}
COUNTS = {
    "decord": DECORD_COUNTS,
    "decord2": DECORD_COUNTS | {"av1.mp4"},
    "torchcodec": DECORD_COUNTS | {"av1.mp4", "hevc.mp4"},
}
INSTALLED = [numbering_of(name) for name in ("decord", "torchcodec") if find_spec(name)]


@pytest.mark.parametrize("name", NUMBERED)
def test_frames_are_those_asked_for(name: str, tmp_path: Path) -> None:
    path = write_clip(tmp_path / name, size=(160, 320), frames=numbered(150), **NUMBERED[name])
    counted = scan_file(str(path)).numbered_by
    assert counted == {decoder for decoder, names in COUNTS.items() if name in names}
    for decoder in ("pyav", *counted.intersection(INSTALLED)):
        source = open_source(path, decoder.removesuffix("2"))
        assert source.info.num_frames == 150
        choices = [list(range(150)), [149], [75], [0, 30, 60, 90], [29, 31, 100], [13, 14, 140]]
        for indices in choices:
            found = [(index, number_of(frame)) for index, frame in source.frames(indices)]
            assert found == [(index, index) for index in indices]


@pytest.mark.parametrize(
    "options",
    [
        {"x264-params": "keyint=60:bframes=5:b-pyramid=normal:b-adapt=0"},
        {"x264-params": "keyint=60:bframes=3:b-pyramid=none:b-adapt=0:ref=6"},
        {"x264-params": "keyint=60:bframes=3:open-gop=1:b-adapt=0"},
        {"x264-params": "keyint=40:bframes=3:tff=1:b-adapt=0"},  # interlaced
    ],
)
def test_frames_passed_over_change_no_other(
    options: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / "a.mp4", 130, options=options)
    every = read(open_source(path), list(range(130)))
    decoded = 0
    index_of = Cursor._index_of

    def counting(self: Any, frame: Any) -> int:
        nonlocal decoded
        decoded += 1
        return index_of(self, frame)

    monkeypatch.setattr(Cursor, "_index_of", counting)
    rng = np.random.default_rng(0)
    for share in (2, 4, 20):
        decoded = 0
        indices = sorted(rng.choice(130, 130 // share, replace=False).tolist())
        for index, frame in read(open_source(path), indices).items():
            np.testing.assert_array_equal(frame, every[index])
        assert decoded < 125  # of 130


def test_where_decord_miscounts_it_is_refused(tmp_path: Path) -> None:
    for name in ("h264.ts", "mpeg4.avi", "refresh.mp4"):
        path = write_clip(tmp_path / name, size=(160, 320), frames=numbered(40), **NUMBERED[name])
        with pytest.raises(VideoError, match=r"decord miscounts.*'pyav'"):
            open_source(path, "decord")


def test_a_recording_that_starts_between_key_frames(tmp_path: Path) -> None:
    whole = write_clip(
        tmp_path / "a.ts",
        size=(160, 320),
        frames=numbered(150),
        options=X264 | {"sc_threshold": "0"},
    ).read_bytes()
    path = tmp_path / "b.ts"
    middle = len(whole) // 3 // 188 * 188
    path.write_bytes(whole[: 188 * 3] + whole[middle:])  # tables, then from the middle
    source = open_source(path)
    first = number_of(read(source, [0])[0])
    assert first in (30, 60, 90)
    assert source.info.num_frames == 150 - first
    assert any("cannot be decoded and are left out" in w for w in source.info.warnings)
    last = source.info.num_frames - 1
    assert number_of(read(source, [last])[last]) == 149


def test_the_trim_of_an_edit_list_is_kept(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", size=(160, 320), frames=numbered(90), options=X264)
    trimmed = tmp_path / "b.mp4"
    with av.open(str(path)) as given, av.open(str(trimmed), "w") as taken:
        stream = taken.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is None:
                continue
            shift = int(1 / packet.time_base)  # a second of frames before zero is not shown
            packet.pts -= shift
            packet.dts -= shift
            packet.stream = stream
            taken.mux(packet)
    source = open_source(trimmed)
    numbers = [number_of(frame) for _, frame in source.frames(range(source.info.num_frames))]
    assert numbers == list(range(90 - len(numbers), 90))
    assert 60 <= len(numbers) <= 90


def test_the_best_of_two_streams_is_read(tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        streams: list[Any] = [container.add_stream("libx264", rate=25) for _ in range(2)]
        for stream, (width, height) in zip(streams, [(160, 80), (320, 160)], strict=True):
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        streams[0].disposition, streams[1].disposition = 0, av.stream.Disposition.default
        for picture in numbered(40):
            for stream in streams:
                frame = av.VideoFrame.from_ndarray(picture).reformat(stream.width, stream.height)
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    source = open_source(path)
    assert (source.info.width, source.info.height) == (320, 160)
    assert [number_of(frame) for _, frame in source.frames([0, 39])] == [0, 39]


@pytest.mark.parametrize("name", ["a:b.mp4", "http:x.mp4", "pipe:0", "concat:a.mp4"])
@pytest.mark.parametrize("decoder", ["decord", "pyav", "torchcodec"])
def test_a_name_is_never_an_address(name: str, decoder: str, clip: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(clip.read_bytes())
    cwd = Path.cwd()
    try:
        os.chdir(tmp_path)
        assert list(read(open_source(name, decoder), [0, 59])) == [0, 59]
    finally:
        os.chdir(cwd)


def test_far_frames_are_reached_through_key_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / "a.mp4", 300, (64, 64), options={"g": "20"})
    source = open_source(path, "pyav")
    decoded = 0
    index_of = Cursor._index_of

    def counting(self: Any, frame: Any) -> int:
        nonlocal decoded
        decoded += 1
        return index_of(self, frame)

    monkeypatch.setattr(Cursor, "_index_of", counting)
    assert list(read(source, [5, 150, 295])) == [5, 150, 295]
    assert decoded < 60


@pytest.mark.parametrize("decoder", ["decord", "pyav", "torchcodec"])
def test_rotation_in_the_header_is_applied(decoder: str, clip: Path, tmp_path: Path) -> None:
    flat = read(open_source(clip, decoder), [3])[3]
    source = open_source(rotated(clip, tmp_path / "turned.mp4"), decoder)
    assert (source.info.height, source.info.width) == (320, 240)
    assert np.array_equal(read(source, [3])[3], np.rot90(flat, -1))


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
    with pytest.raises(SettingsError, match="auto, pyav, decord, torchcodec"):
        open_source(clip, "opencv")


@pytest.mark.parametrize("decoder", ["decord", "torchcodec"])
def test_without_another_decoder(decoder: str, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dover_plugin.io.other_decoders.find_spec", lambda name: None)
    assert open_source(clip).info.decoder == "pyav"
    with pytest.raises(SettingsError, match=r"not installed. Run pip install"):
        open_source(clip, decoder)


def test_torchcodec_without_its_libraries(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchcodec")
    monkeypatch.setitem(sys.modules, "torchcodec.decoders", None)  # an import then fails
    with pytest.raises(SettingsError, match="torchcodec cannot be loaded"):
        open_source(clip, "torchcodec")


def test_a_file_without_timestamps_is_counted(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "raw.h264", 40, (64, 64))
    scan = scan_file(str(path))
    assert scan.info.num_frames == 40
    frames = read(open_source(path, "pyav"), [0, 20, 39])
    original = list(scene(40, 64, 64))
    assert all(np.abs(f.astype(int) - original[i]).mean() < 12 for i, f in frames.items())


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    with av.open(str(path), "w", format="mp3") as container:
        sound: Any = container.add_stream("libmp3lame", rate=44100)
        cover: Any = container.add_stream("png", rate=25)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))
        container.mux(cover.encode(picture))
        container.mux(cover.encode(None))
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4608), np.float32), "fltp", "mono")
        frame.sample_rate = 44100
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    with pytest.raises(VideoError, match=r"no video \(only audio, cover art\)"):
        open_source(path)
