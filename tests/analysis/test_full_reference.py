"""Full-reference metrics against their formulas, on files of known pixels."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import scene, write_clip
from numpy.typing import NDArray
from rotation import rotated

from dover_plugin import Scorer, compare
from dover_plugin.analysis.full_reference import METRICS, measured

LENGTH = 20


def write_grey(path: Path, luma: NDArray[np.generic], bits: int = 8, encoder: str = "ffv1") -> Path:
    """Lossless YUV 4:2:0, limited range, with neutral chroma."""
    length, height, width = luma.shape
    kind = np.uint8 if bits == 8 else np.dtype("<u2")
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(encoder, rate=10, options={"qp": "0"})
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuv420p" if bits == 8 else f"yuv420p{bits}le"
        for number in range(length):
            frame = av.VideoFrame(width, height, stream.pix_fmt)
            for plane, target in enumerate(frame.planes):
                item = np.dtype(kind).itemsize
                rows = np.full((target.height, target.line_size // item), 2 ** (bits - 1), kind)
                if not plane:
                    rows[:, :width] = luma[number]
                target.update(rows)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer("dover-open", "cpu")


@pytest.fixture(scope="module")
def luma() -> NDArray[np.int64]:
    """(T, H, W) levels from 60 to 180."""
    frames = np.stack([frame[..., 1] for frame in scene(LENGTH, 128, 160)]).astype(int)
    return 60 + frames * 120 // 255


@pytest.fixture(scope="module")
def source(luma: NDArray[np.int64], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_grey(tmp_path_factory.mktemp("grey") / "source.mkv", luma)


def ssim(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """SSIM as in FFmpeg: windows of 8x8 at every fourth pixel, without weights."""
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for row in range(0, a.shape[0] - 7, 4):
        for column in range(0, a.shape[1] - 7, 4):
            x, y = (p[row : row + 8, column : column + 8].ravel() for p in (a, b))
            covariance = np.cov(x, y)
            means = 2 * x.mean() * y.mean() + c1, x.mean() ** 2 + y.mean() ** 2 + c1
            spreads = 2 * covariance[0, 1] + c2, covariance[0, 0] + covariance[1, 1] + c2
            values.append(means[0] * spreads[0] / means[1] / spreads[1])
    return float(np.mean(values))


def metrics_of(scorer: Scorer, before: Path, after: Path, *names: str) -> Any:
    found = measured(compare(before, after, scorer, seconds=1), names)
    assert list(found.metrics) == list(names), found.warnings
    return found.metrics


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotated_files_are_compared_upright(
    degrees: int, scorer: Scorer, luma: NDArray[np.int64], tmp_path: Path
) -> None:
    flat = write_grey(tmp_path / "flat.mp4", luma, encoder="libx264")
    turned = rotated(flat, tmp_path / "turned.mp4", degrees)
    upright = write_grey(tmp_path / "up.mkv", np.rot90(luma, -degrees // 90, axes=(1, 2)))
    for before, after in ((upright, turned), (turned, upright)):
        assert metrics_of(scorer, before, after, "psnr")["psnr"] == [100.0, 100.0]


def test_psnr_and_ssim_are_those_of_the_formulas(
    scorer: Scorer, source: Path, luma: NDArray[np.int64], tmp_path: Path
) -> None:
    worse = luma.copy()
    worse[:10] += np.random.default_rng(0).integers(-5, 6, worse[:10].shape)
    worse[10:] += 6
    after = write_grey(tmp_path / "worse.mkv", worse)
    found = metrics_of(scorer, source, after, "psnr", "ssim")
    errors = ((worse - luma).astype(float) ** 2).reshape(2, -1).mean(axis=1)
    assert found["psnr"] == pytest.approx(10 * np.log10(255**2 / errors), abs=1e-4)
    frames = [ssim(a.astype(float), b.astype(float)) for a, b in zip(luma, worse, strict=True)]
    assert found["ssim"] == pytest.approx(np.reshape(frames, (2, -1)).mean(axis=1), abs=2e-3)


def test_psnr_of_10_bits(scorer: Scorer, luma: NDArray[np.int64], tmp_path: Path) -> None:
    before = write_grey(tmp_path / "before.mkv", 4 * luma, 10)
    after = write_grey(tmp_path / "after.mkv", 4 * luma + 3, 10)
    found = metrics_of(scorer, before, after, "psnr")
    assert found["psnr"] == pytest.approx(2 * [20 * np.log10(1023 / 3)], abs=1e-4)


def test_an_encode_of_8_bits_is_compared_in_the_depth_of_its_source(
    scorer: Scorer, source: Path, luma: NDArray[np.int64], tmp_path: Path
) -> None:
    before = write_grey(tmp_path / "before.mkv", 4 * luma, 10)
    assert metrics_of(scorer, before, source, "psnr")["psnr"] == [100, 100]


def test_identical_files_have_the_highest_values(scorer: Scorer, source: Path) -> None:
    found = metrics_of(scorer, source, source, *METRICS)
    for name, values in found.items():
        expected = 1 if name == "ssim" else 100
        # VMAF of a frame that equals its source depends on motion; SSIMULACRA 2 rounds colours
        tolerance = {"vmaf": 3, "vmaf_neg": 3, "ssimulacra2": 0.1}.get(name, 1e-4)
        assert values == pytest.approx(2 * [expected], abs=tolerance), name


def test_values_fall_with_the_quality(scorer: Scorer, tmp_path: Path) -> None:
    before = write_clip(tmp_path / "before.mp4", 25, options={"crf": "4"})
    after = [
        write_clip(tmp_path / f"{crf}.mp4", 25, options={"crf": str(crf)}) for crf in (20, 35, 50)
    ]
    found = [metrics_of(scorer, before, each, *METRICS) for each in after]
    for name in METRICS:
        (best,), (middle,), (worst,) = (each[name] for each in found)
        assert best > middle > worst, name


def test_neg_does_not_reward_sharpening(
    scorer: Scorer, source: Path, luma: NDArray[np.int64], tmp_path: Path
) -> None:
    shifted = [np.roll(luma, step, axis) for axis in (1, 2) for step in (-1, 0, 1)]
    smooth = np.mean(shifted, axis=0)
    sharper = write_grey(tmp_path / "sharp.mkv", np.clip(luma + 0.5 * (luma - smooth), 16, 235))
    found = metrics_of(scorer, source, sharper, "vmaf", "vmaf_neg")
    assert max(found["vmaf_neg"]) <= min(found["vmaf"])


def test_a_transcode_of_another_size_is_scaled(
    scorer: Scorer, source: Path, luma: NDArray[np.int64], tmp_path: Path
) -> None:
    half = luma.reshape(LENGTH, 64, 2, 80, 2).mean((2, 4))
    after = write_grey(tmp_path / "half.mkv", half)
    found = measured(compare(source, after, scorer, seconds=1), ["psnr", "ssim", "ssimulacra2"])
    assert "half.mkv: scaled to the source's 160x128 (bicubic) for psnr, ssim and ssimulacra2" in (
        found.warnings
    )
    assert 15 < found.metrics["psnr"][0] < 40


def test_small_frames_have_no_vmaf(scorer: Scorer, tmp_path: Path) -> None:
    path = write_grey(tmp_path / "small.mkv", np.full((20, 32, 96), 90))
    found = measured(compare(path, path, scorer, seconds=1), ["vmaf", "psnr"])
    assert found.metrics == {"psnr": [100, 100]}
    assert "small.mkv: vmaf needs a source of at least 64 pixels on its shorter side, got 32" in (
        found.warnings
    )
    smaller = write_grey(tmp_path / "smaller.mkv", np.full((20, 16, 48), 90))
    nothing = measured(compare(path, smaller, scorer, seconds=1), ["vmaf"])
    assert nothing.metrics == {}
    assert not any("scaled" in warning for warning in nothing.warnings)


def test_a_file_that_disappears_loses_only_its_metrics(
    scorer: Scorer, source: Path, tmp_path: Path
) -> None:
    after = tmp_path / "after.mkv"
    after.write_bytes(source.read_bytes())
    found = compare(source, after, scorer, seconds=1)
    after.unlink()
    left = measured(found, ["psnr", "ssimulacra2"])
    assert left.metrics == {}
    assert left.overall == found.overall
    assert any("after.mkv: no psnr or ssimulacra2: There is no file" in w for w in left.warnings)
