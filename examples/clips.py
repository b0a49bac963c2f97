"""Make a short clip to try things on: dusk over hills, with a moving sun, in any quality."""

from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray


def dusk(num_frames: int, height: int, width: int) -> Iterator[NDArray[np.uint8]]:
    """Frames (height, width, 3) of a slow pan."""
    rng = np.random.default_rng(3)
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    x = np.linspace(0, 1, width, dtype=np.float32)[None, :, None]
    waves = [(rng.uniform(2, 40), rng.uniform(0, 6), rng.normal() / 3) for _ in range(24)]
    grain = rng.normal(0, 5, (height, width, 1)).astype(np.float32)
    slopes = np.sin(290 * y + 40 * x)
    warm, rocky = (np.array(c, np.float32) for c in ((120, 90, -20), (0.9, 1, 1.15)))
    sky = np.array([200, 120, 130], np.float32) + y * np.array([-120, -20, 60], np.float32)
    for t in range(num_frames):
        pan = t / 600
        sun = np.exp(-120 * (x - 0.68 + pan) ** 2) * np.exp(-60 * (y - 0.42 - pan / 3) ** 2)
        picture = sky + sun * warm
        for depth, (level, shade) in enumerate([(0.5, 95), (0.62, 66), (0.76, 40)]):
            shift = pan * (depth + 1)
            ridge = sum(
                amplitude * np.sin(f * (x + shift + depth) + phase) / f
                for f, phase, amplitude in waves
            )
            rock = shade + 14 * np.sin(310 * (x + shift)) * slopes + 30 * (y - level)
            np.copyto(picture, rock * rocky, where=y > level + ridge / 6)
        yield np.clip(picture + grain, 0, 255).astype(np.uint8)


def write_clip(
    path: Path,
    num_frames: int = 120,
    size: tuple[int, int] = (540, 960),
    crf: int = 18,
    loop: int = 1,
) -> Path:
    """Encode ``dusk``, ``loop`` times over, as H.264; a higher ``crf`` (0..51) looks worse.

    Without x264's macroblock tree, which gives now this file, now that, of the same frames.
    """
    height, width = size
    pictures = list(dusk(num_frames, height, width)) if loop > 1 else dusk(num_frames, *size)
    with av.open(str(path), "w") as container:
        options = {"crf": str(crf), "preset": "veryfast", "x264-params": "mbtree=0"}
        stream = container.add_stream("libx264", rate=24, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in chain.from_iterable(repeat(pictures, loop)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode(None))
    return path
