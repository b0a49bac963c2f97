"""Which frames the two views need, and where the technical view's fragments lie.

Pure functions of the video's length and size. The reference draws at random and unseeded; here
every draw from [0, high) is replaced by high // 2 unless a generator is given, so a score is a
function of the pixels alone.

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
    """One choice of frames and fragments for a whole video or segment.

    Attributes:
        technical: (num_clips, clip_len) frame indices.
        aesthetic: (clip_len,) frame indices.
        offsets: (num_clips, GRID, GRID, 2) rows and columns by which each fragment lies below and
            right of its grid cell's corner; one set per clip, so that fragments follow the motion.
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
    """Choose frames and fragments: centred, or at random with ``rng``.

    Args:
        num_frames: frames of the video, at least 1.
        height: of its frames in pixels, at least 1.
        width: likewise.
        rng: consumed in the order technical frames, aesthetic frames, offsets.
        num_clips: of the technical view; scores take 3, training takes 1.
        clip_len: frames of each clip; other than 32 in training only.
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
    """``repeats`` draws: the centred one without a seed, else independent seeded ones."""
    if seed is None:
        return [draw(num_frames, height, width)] * repeats
    return [
        draw(num_frames, height, width, np.random.default_rng([seed, repeat]))
        for repeat in range(repeats)
    ]


def fragment_size(height: int, width: int) -> tuple[int, int]:
    """Size (height, width) of the frame that fragments are cut from.

    A frame whose short side is below 224 is enlarged to exactly 224 first. The reference then
    builds the grid from the size before enlarging, and so sees a corner of the picture; here the
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
    """Integers of [0, high), or zeros where that is empty; the middle one without ``rng``."""
    if high <= 0:
        return np.zeros(shape, np.int64)
    return np.full(shape, high // 2) if rng is None else rng.integers(0, high, shape)
