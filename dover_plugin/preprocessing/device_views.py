"""The frames of the views, computed by torch on the device that holds the source frame.

Every step is that of views.py in the same precision, so that results are bit-identical.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dover_plugin.preprocessing.geometry import corners, enlarged_size, taps
from dover_plugin.preprocessing.sampling import FRAGMENT, VIEW, Draw

if TYPE_CHECKING:
    from dover_plugin.preprocessing.views import Picture, Sample


def picture(frame: Tensor, sample: "Sample", draw: Draw) -> "Picture":
    """Reduce a frame to the frame of the view; see views.picture.

    Args:
        frame: (H, W, 3) uint8 on any device.
        sample: frame of the view.
        draw: frames and fragments.

    Returns:
        (224, 224, 3) uint8 in main memory.
    """
    if sample.branch == "technical":
        reduced = technical_mosaic(frame, draw.offsets[sample.clip])
    else:
        reduced = aesthetic_picture(frame)
    return reduced.cpu().numpy()


def technical_mosaic(frame: Tensor, offsets: NDArray[np.int64]) -> Tensor:
    """Splice 7x7 fragments of 32x32 pixels into one mosaic; see views.technical_mosaic."""
    height, width = enlarged_size(*frame.shape[:2])
    if (height, width) != tuple(frame.shape[:2]):
        frame = _bilinear(frame, height, width).byte()  # truncated, as in the reference
    inside = np.arange(len(offsets) * FRAGMENT) % FRAGMENT
    starts = corners(height, width, offsets).repeat(FRAGMENT, 0).repeat(FRAGMENT, 1)
    rows = _to(frame.device, starts[..., 0] + inside[:, None])
    columns = _to(frame.device, starts[..., 1] + inside[None, :])
    return frame[rows, columns]  # (224, 224, 3)


def aesthetic_picture(frame: Tensor) -> Tensor:
    """Resize the whole frame without antialiasing; see views.aesthetic_picture."""
    return _bilinear(frame, VIEW, VIEW).round().byte()


def _bilinear(frame: Tensor, height: int, width: int) -> Tensor:
    """(height, width, 3) float32; see views._bilinear."""
    device = frame.device
    top, bottom, down = (_to(device, each) for each in taps(frame.shape[0], height))
    left, right, across = (_to(device, each) for each in taps(frame.shape[1], width))

    def row(index: Tensor) -> Tensor:
        line = frame[index]
        return _blend(line[:, left].float(), line[:, right].float(), across[None, :, None])

    return _blend(row(top), row(bottom), down[:, None, None])


def _blend(near: Tensor, far: Tensor, weight: Tensor) -> Tensor:
    """See views._blend."""
    return (near.double() * (1 - weight) + far * weight).float()


def _to(device: torch.device, array: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)
