"""Small videos, made with PyAV, whose wheels hold the encoders."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray
from processes import ordinary_priority

COLOURS = {  # matrix -> codes of ITU-T H.273: primaries, transfer, matrix
    "bt601": (6, 6, 6),
    "bt709": (1, 1, 1),
    "bt2020": (9, 14, 9),
    "pq": (9, 16, 9),
    "hlg": (9, 18, 9),
}


def scene(num_frames: int, height: int, width: int) -> Iterator[NDArray[np.uint8]]:
    """A moving, coloured, textured scene: (height, width, 3) frames, the same on every call."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    texture = np.random.default_rng(0).integers(-12, 13, (height, width, 1))
    for t in range(num_frames):
        wave = np.sin((x + 3 * t) / 17) * np.cos(y / 11)
        channels = [110 + 60 * wave, 128 + 70 * np.sin((x - y + 2 * t) / 41), 90 + 80 * y / height]
        frame = np.stack(channels, axis=-1) + texture
        left = 5 * t % max(1, width - width // 4)
        frame[height // 4 : height // 2, left : left + width // 4] = (230, 220, 60)
        yield np.clip(frame, 0, 255).astype(np.uint8)


def write_clip(
    path: Path | str,
    num_frames: int = 60,
    size: tuple[int, int] = (240, 320),
    *,
    fps: int = 25,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    colour: str | None = None,
    full_range: bool = False,
    options: dict[str, str] | None = None,
    frames: Iterator[NDArray[np.uint8]] | None = None,
    timestamps: list[int] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encode ``scene`` (or ``frames``) to ``path``; the extension picks the container.

    Args:
        path: where to.
        num_frames: length.
        size: height, width.
        fps: frames per second; also the unit of ``timestamps``.
        codec: encoder.
        pix_fmt: pixel format.
        colour: a key of COLOURS to tag the stream with; None leaves it untagged.
        full_range: encode and tag the full range of values.
        options: of the encoder.
        frames: pictures to encode in place of the scene.
        timestamps: presentation time of each frame in 1/fps, for a variable frame rate.
        container_options: of the muxer.
    """
    height, width = size
    with ordinary_priority(), av.open(str(path), "w", options=container_options or {}) as container:
        stream: Any = container.add_stream(codec, rate=fps, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        if colour:
            primaries, transfer, matrix = COLOURS[colour]
            stream.codec_context.color_primaries = primaries
            stream.codec_context.color_trc = transfer
            stream.codec_context.colorspace = matrix
        if full_range:
            stream.codec_context.color_range = ColorRange.JPEG
        matrix = {"bt709": Colorspace.ITU709, "bt2020": 9, "pq": 9, "hlg": 9}.get(
            colour or "", Colorspace.ITU601
        )
        for i, picture in enumerate(frames or scene(num_frames, height, width)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                format=pix_fmt,
                dst_colorspace=matrix,
                dst_color_range=ColorRange.JPEG if full_range else ColorRange.MPEG,
            )
            frame.pts = timestamps[i] if timestamps else i
            frame.time_base = Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return Path(path)


def numbered(num_frames: int, height: int = 160, width: int = 320) -> Iterator[NDArray[np.uint8]]:
    """Frames that show their own number as eight black or white bars; ``number_of`` reads it."""
    for t in range(num_frames):
        bars = [255 * (t >> bit & 1) for bit in range(8)]
        row = np.repeat(np.array(bars, np.uint8), width // 8)
        yield np.broadcast_to(row[None, :, None], (height, width, 3)).copy()


def number_of(frame: NDArray[np.uint8]) -> int:
    """The number that a frame of ``numbered`` shows, after any lossy codec."""
    height, width, _ = frame.shape
    middles = [int((bit + 0.5) * width / 8) for bit in range(8)]
    return sum((frame[height // 2, x].mean() > 127) << bit for bit, x in enumerate(middles))
