"""Frames to an encoded file in memory and back, with real encoders."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import av
import numpy as np

from dover_plugin.views import Picture

CODEC_OPTIONS = {
    # The macroblock tree of some builds gives now this file, now that, of the same frames.
    "libx264": {"preset": "veryfast", "x264-params": "mbtree=0"},
    "libx265": {"preset": "superfast", "x265-params": "log-level=error:pools=1:frame-threads=1"},
    "libsvtav1": {"preset": "10", "svtav1-params": "lp=1"},
    "mpeg4": {},
}


def encode(frames: Picture, fps: int, codec: str, quantiser: int) -> bytes:
    """Encode at a constant quantiser, on one thread, so that the same frames give the same file.

    Args:
        frames: (T, H, W, 3) uint8, H and W even.
        fps: frames per second.
        codec: one of CODEC_OPTIONS.
        quantiser: CRF, or for mpeg4 the quantiser itself.

    Returns:
        A Matroska file.
    """
    memory = io.BytesIO()
    options = dict(CODEC_OPTIONS[codec])
    if codec == "mpeg4":
        options |= {"qmin": str(quantiser), "qmax": str(quantiser)}
    else:
        options["crf"] = str(quantiser)
    exact = {"fflags": "bitexact"}  # no random identifiers in the file
    with (
        ordinary_priority(),
        av.open(memory, "w", format="matroska", container_options=exact) as container,
    ):
        stream: Any = container.add_stream(codec, rate=fps, options=options)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        stream.codec_context.thread_count = 1
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return memory.getvalue()


def decode(packets: bytes) -> Picture:
    """(T, H, W, 3) uint8 of an encoded file."""
    container: Any
    with av.open(io.BytesIO(packets)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@contextmanager
def ordinary_priority() -> Iterator[None]:
    """Take back the real-time priority that SVT-AV1, run as root, gives to whoever calls it.

    Threads that inherit it and wait for each other by spinning stop the machine.
    """
    try:
        yield
    finally:
        if hasattr(os, "sched_setscheduler") and os.sched_getscheduler(0) != os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
