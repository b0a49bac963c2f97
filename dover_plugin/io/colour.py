"""Decoded frames to RGB; every surface converts with this function."""

import numpy as np
from av.video.frame import VideoFrame

from dover_plugin.io.source import Frame


def rgb24(frame: VideoFrame) -> Frame:
    """Convert a frame to (H, W, 3) uint8 RGB with swscale, as decord does.

    The matrix, range and chroma location of the frame are honoured. A frame without a matrix is
    BT.601 at every size; tones are not mapped.
    """
    return frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
