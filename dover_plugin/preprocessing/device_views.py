"""The frames of the views, computed by torch on the device that holds the source frame.

Every step is that of pictures.py in the same precision, so that results are bit-identical.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dover_plugin.preprocessing import pictures
from dover_plugin.preprocessing.bars import Bars, Part, bars_of_levels
from dover_plugin.preprocessing.sampling import FRAGMENT, VIEW, Draw


def picture(frame: Tensor, sample: pictures.Sample, draw: Draw, part: Part) -> pictures.Picture:
    """Reduce a part of a frame to the frame of the view; see pictures.picture.

    Args:
        frame: (H, W, 3) uint8 on any device.
        sample: frame of the view.
        draw: frames and fragments.
        part: rows and columns that are seen.

    Returns:
        A frame such as (224, 224, 3) uint8 in main memory.
    """
    whole = frame.shape[0], frame.shape[1]
    frame = frame[part]
    if sample.branch == "technical":
        offsets = draw.offsets[sample.clip]
        size = frame.shape[0], frame.shape[1]
        reduced = technical_mosaic(frame, pictures.fitted_offsets(offsets, whole, size))
    else:
        reduced = aesthetic_picture(frame, draw.rule.view)
    return reduced.cpu().numpy()


def bars_of(frame: Tensor) -> Bars | None:
    """See bars.bars_of."""
    rows, columns = (frame.amax((axis, 2)).cpu().numpy() for axis in (1, 0))
    return bars_of_levels(rows, columns)


def technical_mosaic(frame: Tensor, offsets: NDArray[np.int64]) -> Tensor:
    """Splice fragments of 32x32 pixels into one mosaic; see pictures.technical_mosaic."""
    side = len(offsets) * FRAGMENT
    height, width = pictures.enlarged_size(frame.shape[0], frame.shape[1], side)
    if (height, width) != tuple(frame.shape[:2]):
        frame = _bilinear(frame, height, width).byte()  # truncated, as in the reference
    inside = np.arange(side) % FRAGMENT
    corners = pictures.corners(height, width, offsets).repeat(FRAGMENT, 0).repeat(FRAGMENT, 1)
    rows = _to(frame.device, corners[..., 0] + inside[:, None])
    columns = _to(frame.device, corners[..., 1] + inside[None, :])
    return frame[rows, columns]  # (side, side, 3)


def aesthetic_picture(frame: Tensor, side: int = VIEW) -> Tensor:
    """Resize the whole frame without antialiasing; see pictures.aesthetic_picture."""
    return _bilinear(frame, side, side).round().byte()


def _bilinear(frame: Tensor, height: int, width: int) -> Tensor:
    """(height, width, 3) float32; see pictures._bilinear."""
    device = frame.device
    top, bottom, down = (_to(device, each) for each in pictures.taps(frame.shape[0], height))
    left, right, across = (_to(device, each) for each in pictures.taps(frame.shape[1], width))

    def row(index: Tensor) -> Tensor:
        line = frame[index]
        return _blend(line[:, left].float(), line[:, right].float(), across[None, :, None])

    return _blend(row(top), row(bottom), down[:, None, None])


def _blend(near: Tensor, far: Tensor, weight: Tensor) -> Tensor:
    """See pictures._blend."""
    return (near.double() * (1 - weight) + far * weight).float()


def _to(device: torch.device, array: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)
