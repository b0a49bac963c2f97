"""Damaged and cut-off files: what is reported, refused, or scored with a warning."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import write_clip

from dover_plugin import VideoError
from dover_plugin.io.damage import Damage, Dependencies, PacketInfo
from dover_plugin.io.open import open_source
from dover_plugin.readers.reading import ReadOptions, read

FRAMES = 36
ROTTEN: dict[str, dict[str, Any]] = {
    "h264.mp4": {"options": {"g": "12"}, "container_options": {"movflags": "+faststart"}},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"g": "12"}},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "keyint=12:log-level=none"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"g": "12", "deadline": "realtime"}},
    "av1.mkv": {"codec": "libsvtav1", "options": {"preset": "12", "g": "12"}},
}
REPORTING = {"h264.mp4", "mpeg4.avi"}  # decoders that notice nearly every wrong byte


def read_all(source: Any) -> list[Any]:
    return [frame.copy() for _, frame in source.frames(range(source.info.num_frames))]


@pytest.fixture(scope="module", params=ROTTEN)
def healthy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rot") / request.param
    return write_clip(path, FRAMES, (96, 128), **ROTTEN[request.param])


def rotten(path: Path, target: Path, count: int) -> Path:
    """Change ``count`` bytes of coded frames, never those of the container's tables."""
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    start, end = len(data) // 4, len(data) * 3 // 4
    places = np.random.default_rng(count).integers(start, end, count)
    data[places] ^= np.random.default_rng(count + 1).integers(1, 256, count).astype(np.uint8)
    target.write_bytes(data.tobytes())
    return target


@pytest.mark.parametrize("count", [1, 6, 40])
def test_bit_rot(count: int, healthy: Path, tmp_path: Path) -> None:
    clean = read_all(open_source(healthy))
    path = rotten(healthy, tmp_path / healthy.name, count)
    try:
        source = open_source(path, allow_damaged=True)
        shown = read_all(source)
    except VideoError as error:  # nothing of it can be decoded
        assert healthy.name in str(error)
        with pytest.raises(VideoError):
            read_all(open_source(path))
        return
    damaged = source._damaged  # type: ignore[attr-defined]
    wrong = {
        i
        for i, (a, b) in enumerate(zip(clean, shown, strict=False))
        if a.shape != b.shape or (a != b).any()
    }
    if healthy.name in REPORTING:
        assert wrong <= damaged
    if damaged:
        assert any(f"{len(damaged)} frames are damaged" in w for w in source.info.warnings)
        with pytest.raises(VideoError, match=r"Cannot decode frame \d+ of .*--allow-damaged"):
            read_all(open_source(path))
    # a damaged frame is concealed alike, whichever other frames are requested
    few = sorted(np.random.default_rng(0).choice(len(shown), 9, replace=False).tolist())
    for index, frame in open_source(path, allow_damaged=True).frames(few):
        assert index in wrong - damaged or (frame == shown[index]).all()
    # without damage in reach, a frame is that of the healthy file
    if healthy.name in REPORTING:
        for index in few:
            if index not in damaged:
                [(_, frame)] = open_source(path).frames([index])
                assert (frame == clean[index]).all()


def packets(text: str) -> list[PacketInfo]:
    """Packets in decode order; "5K" is a key frame that is shown at 5."""
    return [
        PacketInfo(int(each.rstrip("K")), None, each.endswith("K"), False, False, True)
        for each in text.split()
    ]


def test_frames_that_damage_reaches() -> None:
    stream = packets("0K 3 1 2 8K 6 7 9 4K")  # 6 and 7 lead the key frame at 8
    stream[-1] = stream[-1]._replace(pts=10)
    times = [each.pts or 0 for each in stream]
    shown = sorted(range(len(stream)), key=times.__getitem__)
    frames = Dependencies.of(stream, shown)
    assert frames.until.tolist() == [0, 3, 3, 3, 6, 6, 6, 7, 8]
    for damaged, spoilt in ((1, [1, 2, 3, 4, 5]), (4, [4, 5, 6, 7]), (8, [8]), (2, [1, 2, 4, 5])):
        damage = Damage(frames)
        damage.add(damaged, damaged)
        assert [i for i in range(9) if damage.reaches(i)] == spoilt


CUT: dict[str, dict[str, Any]] = {
    "a.mp4": {"container_options": {"movflags": "+faststart"}},
    "a.mkv": {},
    "a.webm": {"codec": "libvpx-vp9"},
    "a.avi": {"codec": "mpeg4"},
    "a.flv": {},
    "a.wmv": {"codec": "wmv2"},
    "a.mxf": {"codec": "jpeg2000"},
    "a.ts": {},
    "a.mpg": {"codec": "mpeg2video"},
}


@pytest.mark.parametrize("name", CUT)
def test_a_file_that_is_cut_off(name: str, tmp_path: Path) -> None:
    data = write_clip(tmp_path / name, 50, (96, 128), **CUT[name]).read_bytes()
    path = tmp_path / f"cut{name[1:]}"
    path.write_bytes(data[: len(data) * 3 // 5 + 7])
    with pytest.raises(VideoError, match=r"is cut off: .*--allow-damaged"):
        open_source(path)
    options = ReadOptions(decoder="pyav", allow_damaged=True)
    info, _ = read(path, options)
    assert any("is cut off" in warning for warning in info.warnings)
    assert 0 < info.num_frames <= 50


def test_healthy_files_are_whole(tmp_path: Path) -> None:
    for name, made in CUT.items():
        path = write_clip(tmp_path / name, 12, (64, 96), **made)
        source = open_source(path)
        assert len(read_all(source)) == 12
        assert not any("cut off" in warning for warning in source.info.warnings)


def test_decord_reports_damage_too(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", FRAMES, (96, 128), **ROTTEN["h264.mp4"])
    bad = rotten(path, tmp_path / "bad.mp4", 40)
    for decoder in ("pyav", "decord"):
        with pytest.raises(VideoError, match=r"bad\.mp4"):
            read_all(open_source(bad, decoder))


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
@pytest.mark.parametrize("suffix", ["ts", "mpg"])
def test_concatenated_recordings(codec: str, suffix: str, tmp_path: Path) -> None:
    path = write_clip(tmp_path / f"a.{suffix}", 48, (64, 96), codec=codec, options={"g": "12"})
    both = tmp_path / f"both.{suffix}"
    both.write_bytes(path.read_bytes() * 2)
    once, twice = open_source(path), open_source(both)
    frames = read_all(once)
    assert twice.info.num_frames == 2 * len(frames)
    assert twice.info.duration == pytest.approx(2 * once.info.duration, abs=0.05)
    for one, other in zip(frames * 2, read_all(twice), strict=True):
        assert (one == other).all()
