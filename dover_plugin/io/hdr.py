"""Tone mapping of HDR video (PQ and HLG) to SDR (BT.709).

Display light up to 1000 cd/m2 is compressed to the reference white of 203 cd/m2 (ITU-R BT.2408) by
the EETF of ITU-R BT.2390-8, section 5.4.1, on each component in BT.2020. The result is converted to
the primaries of BT.709, clipped, and encoded for a display of gamma 2.4 (BT.1886). PQ, HLG and the
OOTF of HLG are those of ITU-R BT.2100. Peaks are fixed, so that equal pixels give equal results.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from dover_plugin.errors import VideoError
from dover_plugin.io.source import Transfer

type Float = NDArray[np.float64]
type Primaries = tuple[tuple[float, float], ...]

OPERATOR = "BT.2390, 1000 to 203 cd/m2, BT.709"
SOURCE_PEAK, TARGET_PEAK = 1000.0, 203.0  # cd/m2
PQ_PEAK = 10_000.0  # cd/m2
GAMMA = 2.4  # BT.1886 with black at 0
HLG_GAMMA = 1.2  # of the OOTF for a display of 1000 cd/m2
HLG_A = 0.17883277
HLG_B = 1 - 4 * HLG_A
HLG_C = 0.5 - HLG_A * np.log(4 * HLG_A)
PQ_M1, PQ_M2 = 2610 / 16384, 2523 / 4096 * 128
PQ_C1, PQ_C2, PQ_C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
WHITE = (0.3127, 0.3290)  # D65
BT2020: Primaries = ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))
GAMUTS: dict[int, Primaries] = {  # colour primaries of ITU-T H.273
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    9: BT2020,
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
BT2020_LUMA = np.array([0.2627, 0.6780, 0.0593])
UNSPECIFIED, BT2020_MATRIX = 2, 9  # matrix coefficients of ITU-T H.273
UNSUPPORTED_MATRICES = {10: "BT.2020 constant luminance", 14: "ICtCp", 15: "IPT-C2"}
STEPS = 2**20  # of tables over linear light; one step is below the first level of 8 bits
CHUNK = 2**15  # pixels that are mapped at once, so that they stay in the cache


def pq_to_light(signal: Float) -> Float:
    """EOTF of PQ: display light in cd/m2 of signals in [0, 1]."""
    root = np.power(signal, 1 / PQ_M2)
    light = np.maximum(root - PQ_C1, 0) / (PQ_C2 - PQ_C3 * root)
    return PQ_PEAK * np.power(light, 1 / PQ_M1)


def light_to_pq(light: Float) -> Float:
    """Inverse EOTF of PQ: signals in [0, 1] of display light in cd/m2."""
    power = np.power(np.maximum(light, 0) / PQ_PEAK, PQ_M1)
    return np.power((PQ_C1 + PQ_C2 * power) / (1 + PQ_C3 * power), PQ_M2)


def hlg_to_scene(signal: Float) -> Float:
    """Inverse OETF of HLG: scene light in [0, 1] of signals in [0, 1]."""
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - HLG_C) / HLG_A) + HLG_B) / 12)


def eetf(signal: Float, source_peak: float = SOURCE_PEAK, target: float = TARGET_PEAK) -> Float:
    """EETF of BT.2390 on PQ signals, for black at 0 on both displays.

    Args:
        signal: PQ signals in [0, 1]; those above the source peak are clipped.
        source_peak: peak of the mastering display in cd/m2.
        target: peak of the target display in cd/m2.
    """
    whole, peak = (float(light_to_pq(np.array(each))) for each in (source_peak, target))
    e1 = np.clip(signal / whole, 0, 1)
    top = peak / whole
    knee = 1.5 * top - 0.5
    t = np.maximum(e1 - knee, 0) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (-2 * t**3 + 3 * t**2) * top
    )
    return np.where(e1 < knee, e1, spline) * whole


def to_bt709(primaries: int) -> Float:
    """Matrix (3, 3) from linear RGB of these primaries (ITU-T H.273) to those of BT.709.

    Primaries that are not in GAMUTS, such as unspecified ones, count as BT.2020.
    """
    source = _rgb_to_xyz(GAMUTS.get(primaries, BT2020))
    return np.linalg.inv(_rgb_to_xyz(GAMUTS[1])) @ source


def deep_rgb(frame: VideoFrame) -> tuple[NDArray[np.uint16], int]:
    """RGB (H, W, 3) uint16 of an HDR frame, before its transfer function, and the value of white.

    swscale scales by powers of two, so that white is less than 65535 where the frame holds YUV.

    Raises:
        VideoError: the matrix is that of ICtCp or of constant luminance.
    """
    matrix, luma = int(frame.colorspace), frame.format.components[0]
    if matrix in UNSUPPORTED_MATRICES:
        raise VideoError(
            f"HDR with the colour matrix {UNSUPPORTED_MATRICES[matrix]} cannot be tone mapped. "
            "Convert the video to BT.2020 non-constant luminance."
        )
    assumed: dict[str, Any] = {"src_colorspace": BT2020_MATRIX} if matrix == UNSPECIFIED else {}
    rgb = frame.to_ndarray(format="rgb48le", **assumed).astype(np.uint16, copy=False)
    if not luma.is_luma:
        return rgb, 2**16 - 1
    bits = luma.bits if frame.color_range == ColorRange.JPEG else 8
    return rgb, 2**16 - 2 ** (16 - bits)


class ToneMapper:
    """Maps HDR pixels to SDR.

    Args:
        transfer: "PQ" or "HLG".
        primaries: colour primaries of ITU-T H.273.
        white: 16-bit value of the signal 1; higher ones are clipped.
    """

    def __init__(self, transfer: Transfer, primaries: int, white: int = 2**16 - 1) -> None:
        signal = np.minimum(np.arange(2**16) / white, 1)
        light = np.arange(STEPS) / (STEPS - 1)
        self._matrix = to_bt709(primaries).astype(np.float32)
        self._encoded = np.rint(255 * light ** (1 / GAMMA)).astype(np.uint8)
        self._luma = None if transfer == "PQ" else BT2020_LUMA.astype(np.float32)
        if transfer == "PQ":
            self._decoded = _compressed(pq_to_light(signal))
        else:
            self._decoded = hlg_to_scene(signal).astype(np.float32)
            self._curve = _compressed(SOURCE_PEAK * light)

    def __call__(self, rgb: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """Map pixels (..., 3) of 16 bits to (..., 3) uint8, gamma-encoded BT.709."""
        flat = rgb.reshape(-1, 3)
        mapped = np.empty(flat.shape, np.uint8)
        for start in range(0, len(flat), CHUNK):
            part = flat[start : start + CHUNK]
            light = [np.take(self._decoded, part[:, channel]) for channel in range(3)]
            if self._luma is not None:
                gain = np.power(_weighted(light, self._luma), HLG_GAMMA - 1)
                light = [np.take(self._curve, _steps(gain * channel)) for channel in light]
            for channel, weights in enumerate(self._matrix):
                steps = _steps(_weighted(light, weights))
                mapped[start : start + CHUNK, channel] = np.take(self._encoded, steps)
        return mapped.reshape(rgb.shape)


@lru_cache(maxsize=4)
def tone_mapper(transfer: Transfer, primaries: int, white: int) -> ToneMapper:
    """A ToneMapper, whose tables are kept; it may be shared between threads."""
    return ToneMapper(transfer, primaries, white)


def _compressed(light: Float) -> NDArray[np.float32]:
    """Display light in cd/m2 through the EETF, relative to the target peak."""
    return (pq_to_light(eetf(light_to_pq(light))) / TARGET_PEAK).astype(np.float32)


def _weighted(
    channels: Sequence[NDArray[np.float32]], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Weighted sum of three channels; faster than a product with a narrow matrix."""
    red, green, blue = channels
    total: NDArray[np.float32] = red * weights[0] + green * weights[1] + blue * weights[2]
    return total


def _steps(light: NDArray[np.float32]) -> NDArray[np.int32]:
    """Positions in a table over [0, 1]; light beyond it is clipped."""
    scaled = np.clip(light, 0, 1)
    scaled *= STEPS - 1
    return np.rint(scaled, out=scaled).astype(np.int32)


def _rgb_to_xyz(primaries: Primaries) -> Float:
    """Matrix of SMPTE RP 177 from chromaticities, with white D65."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    x, y = WHITE
    gains = np.linalg.solve(columns, np.array([x / y, 1, (1 - x - y) / y]))
    return columns * gains
