"""Sampling of the frames of both views and of the fragments of the technical view.

Pure functions of the length and size of the video. The reference samples at random without a seed.
Here every draw from [0, high) is high // 2 unless a generator is given, so a score depends on the
pixels only.

Source: paper section 3.2; UnifiedFrameSampler and get_spatial_fragments of the reference.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

CLIP_LEN = 32
NUM_CLIPS = 3
FRAME_INTERVAL = 2
GRID = 7
FRAGMENT = 32
VIEW = GRID * FRAGMENT  # 224

type Branch = Literal["technical", "aesthetic"]
type Indices = NDArray[np.int64]

BRANCHES: tuple[Branch, ...] = ("technical", "aesthetic")


@dataclass(frozen=True)
class Draw:
    """Sampled frames and fragments of one video or segment.

    Attributes:
        technical: (num_clips, clip_len) frame indices.
        aesthetic: (clip_len,) frame indices.
        offsets: (num_clips, GRID, GRID, 2) row and column offset of each fragment from the corner
            of its grid cell; one set per clip, so that fragments follow the motion.
    """

    technical: Indices
    aesthetic: Indices
    offsets: Indices


def draw(
    num_frames: int,
    height: int,
    width: int,
    rng: np.random.Generator | None = None,
    *,
    num_clips: int = NUM_CLIPS,
    clip_len: int = CLIP_LEN,
) -> Draw:
    """Sample frames and fragments: centred, or at random with ``rng``.

    Args:
        num_frames: number of frames of the video, at least 1.
        height: frame height in pixels, at least 1.
        width: frame width in pixels, at least 1.
        rng: consumed in the order technical frames, aesthetic frames, offsets.
        num_clips: clips of the technical view; scoring uses 3, training 1.
        clip_len: frames per clip; scoring uses 32.
    """
    technical = _sample(num_frames, num_clips, clip_len, rng)
    aesthetic = _sample(num_frames, clip_len, 1, rng).reshape(clip_len)
    if num_frames < clip_len:
        # The reference's rule would repeat frame 0; spread over what there is instead.
        aesthetic = np.arange(clip_len) * num_frames // clip_len
    return Draw(technical, aesthetic, _offsets(num_clips, *fragment_size(height, width), rng))


def draws(
    num_frames: int, height: int, width: int, *, seed: int | None = None, repeats: int = 1
) -> list[Draw]:
    """``repeats`` samples: the centred one without a seed, otherwise independent random ones."""
    if seed is None:
        return [draw(num_frames, height, width)] * repeats
    return [
        draw(num_frames, height, width, np.random.default_rng([seed, repeat]))
        for repeat in range(repeats)
    ]


def fragment_size(height: int, width: int) -> tuple[int, int]:
    """Size (height, width) of the frame that fragments are cut from.

    A frame whose short side is below 224 is enlarged to exactly 224 first. The reference then
    builds its grid from the size before enlarging and covers a corner of the frame only; here the
    grid covers the enlarged frame.
    """
    if min(height, width) >= VIEW:
        return height, width
    if height <= width:
        return VIEW, width * VIEW // height
    return height * VIEW // width, VIEW


def _sample(
    num_frames: int, fragments: int, clip_len: int, rng: np.random.Generator | None
) -> Indices:
    """(fragments, clip_len) frame indices, wrapped around the end of the video."""
    length = num_frames // fragments
    jitter = _integers(length - clip_len * FRAME_INTERVAL, (fragments, 1), rng)
    starts = np.arange(fragments)[:, None] * length + jitter
    return (starts + np.arange(clip_len) * FRAME_INTERVAL) % num_frames


def _offsets(num_clips: int, height: int, width: int, rng: np.random.Generator | None) -> Indices:
    shape = (num_clips, GRID, GRID)
    rows = _integers(height // GRID - FRAGMENT, shape, rng)
    cols = _integers(width // GRID - FRAGMENT, shape, rng)
    return np.stack([rows, cols], axis=-1)


def _integers(high: int, shape: tuple[int, ...], rng: np.random.Generator | None) -> Indices:
    """Random integers of [0, high), or high // 2 without ``rng``; zeros if high <= 0."""
    if high <= 0:
        return np.zeros(shape, np.int64)
    return np.full(shape, high // 2) if rng is None else rng.integers(0, high, shape)
