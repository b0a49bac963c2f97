"""Encode frames in memory with real encoders, and decode them again."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import av
import numpy as np
from PIL import Image

from dover_plugin.preprocessing.pictures import Picture

FPS = 25
CODECS: dict[str, tuple[str, dict[str, str]]] = {
    # Some builds of x264 give different files for the same frames with the macroblock tree on.
    "h264": ("libx264", {"preset": "veryfast", "x264-params": "mbtree=0"}),
    "hevc": (
        "libx265",
        {"preset": "superfast", "x265-params": "log-level=error:pools=1:frame-threads=1"},
    ),
    "av1": ("libsvtav1", {"preset": "10", "svtav1-params": "lp=1"}),
    "vp9": ("libvpx-vp9", {"b": "0", "deadline": "realtime", "cpu-used": "8"}),
    "mpeg4": ("mpeg4", {}),
}


def transcode(frames: Picture, codec: str, quantiser: int) -> Picture:
    """Encode and decode frames.

    Args:
        frames: (T, H, W, 3) uint8 RGB, H and W even.
        codec: a key of CODECS, or "jpeg" for still pictures.
        quantiser: CRF; the quantiser for "mpeg4"; the quality (1 to 95) for "jpeg".

    Returns:
        (T, H, W, 3) uint8 RGB.
    """
    if codec == "jpeg":
        return np.stack([_jpeg(frame, quantiser) for frame in frames])
    return decode(encode(frames, codec, quantiser))


def encode(frames: Picture, codec: str, quantiser: int) -> bytes:
    """Encode at a constant quantiser on one thread: the same frames give the same file.

    Args:
        frames: (T, H, W, 3) uint8 RGB, H and W even.
        codec: a key of CODECS.
        quantiser: CRF, or the quantiser for "mpeg4".

    Returns:
        A Matroska file.
    """
    encoder, options = CODECS[codec]
    if codec == "mpeg4":
        options = {**options, "qmin": str(quantiser), "qmax": str(quantiser)}
    else:
        options = {**options, "crf": str(quantiser)}
    os.environ.setdefault("SVT_LOG", "1")  # errors only
    memory = io.BytesIO()
    exact = {"fflags": "bitexact"}  # no random identifiers in the file
    with (
        ordinary_priority(),
        av.open(memory, "w", format="matroska", container_options=exact) as container,
    ):
        stream: Any = container.add_stream(encoder, rate=FPS, options=options)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        stream.codec_context.thread_count = 1
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return memory.getvalue()


def decode(packets: bytes) -> Picture:
    """Decode a file in memory to (T, H, W, 3) uint8 RGB."""
    container: Any
    with av.open(io.BytesIO(packets)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def round_trip_10_bits(frame: Picture) -> Picture:
    """Convert a frame (H, W, 3) to 10-bit 4:2:0 and back to 8-bit RGB; H and W even."""
    wide = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p10le")
    return wide.reformat(format="rgb24").to_ndarray().astype(np.uint8)


@contextmanager
def ordinary_priority() -> Iterator[None]:
    """Restore the scheduling priority of the process afterwards.

    SVT-AV1 run as root sets real-time priority. Threads that inherit it and wait for each other by
    spinning starve the machine.
    """
    try:
        yield
    finally:
        if hasattr(os, "sched_setscheduler") and os.sched_getscheduler(0) != os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _jpeg(frame: Picture, quality: int) -> Picture:
    memory = io.BytesIO()
    Image.fromarray(frame).save(memory, "JPEG", quality=quality)
    return np.asarray(Image.open(memory).convert("RGB"))
