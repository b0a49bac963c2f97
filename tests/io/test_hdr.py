"""Tone mapping: the curves of BT.2100, the EETF of BT.2390, matrices, and files of known pixels."""

from dataclasses import dataclass, replace
from math import exp, log, sqrt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from clips import write_clip
from numpy.typing import NDArray

from dover_plugin import Scorer, SettingsError, VideoError, diagnose, open_source
from dover_plugin.batch.journal import Journal
from dover_plugin.io import hdr, streams
from dover_plugin.options import COMPARABLE, comparable_settings

KR, KB = 0.2627, 0.0593  # BT.2020
PATCH = 16  # pixels

# The formulas again, number by number, as the recommendations print them.


def pq(light: float) -> float:
    m1, m2 = 0.1593017578125, 78.84375
    c1, c2, c3 = 0.8359375, 18.8515625, 18.6875
    power = (light / 10_000) ** m1
    return float(((c1 + c2 * power) / (1 + c3 * power)) ** m2)


def pq_light(signal: float) -> float:
    m1, m2 = 0.1593017578125, 78.84375
    c1, c2, c3 = 0.8359375, 18.8515625, 18.6875
    root = signal ** (1 / m2)
    return float(10_000 * (max(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1))


def hlg_oetf(scene: float) -> float:
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return sqrt(3 * scene) if scene <= 1 / 12 else a * log(12 * scene - b) + c


def hlg_scene(signal: float) -> float:
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return signal**2 / 3 if signal <= 0.5 else (exp((signal - c) / a) + b) / 12


def eetf(signal: float) -> float:
    top, source = pq(203) / pq(1000), pq(1000)
    e1 = min(signal / source, 1)
    ks = 1.5 * top - 0.5
    if e1 < ks:
        return e1 * source
    t = (e1 - ks) / (1 - ks)
    p = (2 * t**3 - 3 * t**2 + 1) * ks
    p += (t**3 - 2 * t**2 + t) * (1 - ks)
    p += (-2 * t**3 + 3 * t**2) * top
    return p * source


def mapped(signal: NDArray[np.float64], transfer: str) -> NDArray[np.float64]:
    """SDR levels in [0, 255] of one colour (3,) of HDR signals in BT.2020."""
    if transfer == "PQ":
        light = [pq_light(s) for s in signal]
    else:
        scene = [hlg_scene(s) for s in signal]
        y = float(np.dot(scene, (0.2627, 0.6780, 0.0593)))
        light = [1000 * y**0.2 * s for s in scene]
    compressed = np.array([pq_light(eetf(pq(x))) / 203 for x in light])
    matrix = np.array(  # BT.2407, table 2
        [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
    )
    return 255 * np.clip(matrix @ compressed, 0, 1) ** (1 / 2.4)


def test_pq_has_the_published_values() -> None:
    """BT.2408: 203 cd/m2 is 58 %; BT.2100: 100 and 1000 cd/m2 are 0.508 and 0.752."""
    light = np.array([0, 26, 100, 203, 1000, 10_000.0])
    signal = hdr.light_to_pq(light)
    assert signal == pytest.approx([0, 0.38, 0.5081, 0.5807, 0.7518, 1], abs=0.005)
    assert signal.tolist() == pytest.approx([pq(x) for x in light])
    assert hdr.pq_to_light(signal).tolist() == pytest.approx(light.tolist(), abs=1e-6)


def test_hlg_has_the_published_values() -> None:
    scene = hdr.hlg_to_scene(np.array([0, 0.5, 0.75, 1]))
    assert scene.tolist() == pytest.approx([0, 1 / 12, 0.26496256, 1])
    assert [hlg_oetf(x) for x in scene] == pytest.approx([0, 0.5, 0.75, 1], abs=1e-6)
    assert 1000 * scene[2] ** 1.2 == pytest.approx(203, abs=0.5)  # reference white at 75 %


def test_the_eetf_is_that_of_bt_2390() -> None:
    signals = np.linspace(0, 1, 201)
    found = hdr.eetf(signals)
    assert found.tolist() == pytest.approx([eetf(s) for s in signals], abs=1e-9)
    assert found.max() == pytest.approx(pq(203))
    assert found[-1] == found.max()  # above the source peak
    assert (np.diff(found) >= -1e-12).all()
    assert found[:80] == pytest.approx(signals[:80])  # below the knee nothing changes


def test_matrices_are_those_of_the_recommendations() -> None:
    assert hdr.to_bt709(9) == pytest.approx(
        np.array(
            [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
        ),
        abs=1e-4,
    )
    assert hdr.to_bt709(1) == pytest.approx(np.eye(3), abs=1e-12)
    assert hdr.to_bt709(2) == pytest.approx(hdr.to_bt709(9))
    assert hdr.to_bt709(12).sum(axis=1) == pytest.approx([1, 1, 1])  # white stays white


@pytest.mark.parametrize("transfer", ["PQ", "HLG"])
def test_pixels_follow_the_formula(transfer: Any) -> None:
    signals = np.random.default_rng(0).random((300, 3))
    codes = np.rint(signals * 65535).astype(np.uint16)
    expected = np.array([mapped(code / 65535, transfer) for code in codes])
    found = hdr.ToneMapper(transfer, 9)(codes)
    assert np.abs(found - expected).max() < 0.6  # rounding, and tables over linear light
    greys = np.repeat(np.arange(0, 65536, 37, dtype=np.uint16)[:, None], 3, axis=1)
    levels = hdr.ToneMapper(transfer, 9)(greys).astype(int)
    assert (np.diff(levels, axis=0) >= 0).all()
    assert np.ptp(levels, axis=1).max() <= 1  # grey stays grey


@dataclass(frozen=True)
class Pattern:
    """A file of flat patches whose signals are known."""

    transfer: str
    bits: int
    full: bool
    sampling: str = "420"

    def signals(self) -> NDArray[np.float64]:
        """(6, 8, 3) signals, the first row grey."""
        colours = np.random.default_rng(1).random((6, 8, 3)) * 0.9
        colours[0] = np.linspace(0, 1, 8)[:, None]
        return colours

    def write(self, path: Path) -> Path:
        """Write six frames of lossless FFV1."""
        rgb = np.kron(self.signals(), np.ones((PATCH, PATCH, 1)))
        y = rgb @ np.array([KR, 1 - KR - KB, KB])
        planes = [y, (rgb[..., 2] - y) / (2 * (1 - KB)), (rgb[..., 0] - y) / (2 * (1 - KR))]
        step, top = 2 ** (self.bits - 8), 2**self.bits - 1
        for number, plane in enumerate(planes):
            if self.full:
                code = plane * top + (2 ** (self.bits - 1) if number else 0)
            else:
                code = step * (plane * (224 if number else 219) + (128 if number else 16))
            planes[number] = np.clip(np.rint(code), 0, top).astype("<u2")
        if self.sampling == "420":
            planes[1:] = [plane[::2, ::2] for plane in planes[1:]]
        height, width = y.shape
        with av.open(str(path), "w") as container:
            stream: Any = container.add_stream("ffv1", rate=25)
            stream.width, stream.height = width, height
            stream.pix_fmt = f"yuv{self.sampling}p{self.bits}le"
            context = stream.codec_context
            context.color_primaries, context.colorspace = 9, 9
            context.color_trc = {"PQ": 16, "HLG": 18}[self.transfer]
            context.color_range = 2 if self.full else 1
            for number in range(6):
                frame = av.VideoFrame(width, height, stream.pix_fmt)
                for target, plane in zip(frame.planes, planes, strict=True):
                    rows = np.zeros((target.height, target.line_size // 2), "<u2")
                    rows[:, : plane.shape[1]] = plane
                    target.update(rows)
                frame.pts = number
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path


@pytest.mark.parametrize("transfer", ["PQ", "HLG"])
@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("sampling", ["420", "444"])
def test_files_follow_the_formula(
    transfer: str, bits: int, full: bool, sampling: str, tmp_path: Path
) -> None:
    pattern = Pattern(transfer, bits, full, sampling)
    source = open_source(pattern.write(tmp_path / "pattern.mkv"))
    assert source.info.warnings == (
        f"HDR ({transfer}) is tone mapped to SDR (BT.2390, 1000 to 203 cd/m2, BT.709)",
    )
    ((_, frame),) = source.frames([3])
    middle = frame[PATCH // 2 :: PATCH, PATCH // 2 :: PATCH]
    expected = np.array([[mapped(s, transfer) for s in row] for row in pattern.signals()])
    error = np.abs(middle - expected)
    assert error[0].max() <= 1  # greys
    assert error.mean() < 0.7  # near a channel of 0 the gamma enlarges quantisation
    assert np.percentile(error, 95) < 3


def test_as_is_leaves_the_signal(tmp_path: Path) -> None:
    pattern = Pattern("PQ", 10, full=False)
    source = open_source(pattern.write(tmp_path / "pattern.mkv"), hdr="as-is")
    ((_, frame),) = source.frames([0])
    middle = frame[PATCH // 2 :: PATCH, PATCH // 2 :: PATCH]
    assert np.abs(middle - 255 * pattern.signals()).max() < 4
    assert source.info.warnings == (
        "HDR (PQ) is scored as it is stored; the models were trained on SDR",
    )


def test_sdr_does_not_change(clip: Path) -> None:
    for index, frame in open_source(clip, hdr="tonemap").frames([0, 30]):
        ((_, other),) = open_source(clip, hdr="as-is").frames([index])
        assert (frame == other).all()


def test_the_mode_is_recorded_and_compared(tmp_path: Path) -> None:
    path = Pattern("HLG", 10, full=False).write(tmp_path / "pattern.mkv")
    scores = {mode: Scorer("dover-open", "cpu", hdr=mode).score(path) for mode in hdr_modes()}
    assert {mode: each.to_dict()["reading"] for mode, each in scores.items()} == {
        "tonemap": None,
        "as-is": "hdr=as-is",
    }
    assert scores["tonemap"].raw != scores["as-is"].raw
    assert "reading" in COMPARABLE
    assert comparable_settings()["reading"] is None
    assert comparable_settings(hdr="as-is")["reading"] == "hdr=as-is"
    file = tmp_path / "scores.jsonl"
    with Journal(file, Scorer("dover-open", "cpu")) as journal:
        journal.add(str(path), scores["tonemap"], (1, 1))
    with pytest.raises(SettingsError, match="reading None, not 'hdr=as-is'"):
        Journal(file, Scorer("dover-open", "cpu", hdr="as-is"))


def hdr_modes() -> tuple[str, ...]:
    from dover_plugin.io.options import HDR_MODES

    return HDR_MODES


def test_exposure_is_diagnosed_after_tone_mapping(tmp_path: Path) -> None:
    """A PQ signal of 58 % is reference white, though it is mid-grey as it is stored."""
    frames = np.full((9, 64, 64, 3), round(0.58 * 255), np.uint8)
    path = write_clip(
        tmp_path / "white.mkv",
        codec="ffv1",
        pix_fmt="yuv420p10le",
        colour="pq",
        size=(64, 64),
        frames=iter(frames),
    )
    value = diagnose(path)["underexposure"].value
    assert value == pytest.approx(100 * 230 / 255, abs=1.5)


@pytest.mark.parametrize("mode", ["hable", "", None, "TONEMAP"])
def test_unknown_modes(mode: Any, clip: Path) -> None:
    with pytest.raises(SettingsError, match="hdr must be tonemap or as-is"):
        open_source(clip, hdr=mode)
    with pytest.raises(SettingsError, match="hdr must be tonemap or as-is"):
        Scorer("dover-open", "cpu", hdr=mode)


def test_decord_cannot_map_tones(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "pq.mp4", 8, colour="pq")
    with pytest.raises(VideoError, match="--hdr as-is"):
        open_source(path, "decord")
    assert open_source(path, "decord", hdr="as-is").info.decoder == "decord"


@pytest.mark.parametrize(("matrix", "name"), [(14, "ICtCp"), (10, "constant luminance")])
def test_matrices_that_are_not_supported(matrix: int, name: str) -> None:
    frame = av.VideoFrame(32, 32, "yuv420p10le")
    frame.colorspace = matrix
    with pytest.raises(VideoError, match=name):
        hdr.deep_rgb(frame)


def test_dolby_vision_without_a_base_layer_is_refused(
    clip: Path,
) -> None:
    """The record of profile 5, as FFmpeg gives it; no encoder here writes one."""
    container = streams.open_container(str(clip))
    found = streams.video_streams(container, str(clip))

    codec = SimpleNamespace(width=320, height=240)
    fake: Any = replace(found, videos={0: SimpleNamespace(codec_context=codec)})
    codec.coded_side_data = {streams.DOLBY_VISION: bytes([1, 0, 5, 6, 1, 0, 1, 0, 0])}
    with pytest.raises(VideoError, match="Dolby Vision profile 5 has no base layer"):
        streams.stream_warnings(fake, 0)
    codec.coded_side_data = {streams.DOLBY_VISION: bytes([1, 0, 8, 6, 1, 0, 1, 1, 0])}
    assert streams.stream_warnings(fake, 0) == []
    container.close()
