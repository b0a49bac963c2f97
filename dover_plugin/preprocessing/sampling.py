"""Sampling of the frames of both views and of the fragments of the technical view.

Pure functions of the length and size of the video. The reference samples at random without a seed.
Here every draw from [0, high) is high // 2 unless a generator is given, so a score depends on the
pixels only.

Source: paper section 3.2; UnifiedFrameSampler and get_spatial_fragments of the reference.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dover_plugin.preprocessing.sampling_rule import (
    BRANCHES,
    CLIP_LEN,
    DOVER,
    FRAGMENT,
    FRAME_INTERVAL,
    GRID,
    NUM_CLIPS,
    VIEW,
    Branch,
    SamplingRule,
)

__all__ = [
    "BRANCHES",
    "CLIP_LEN",
    "FRAGMENT",
    "GRID",
    "NUM_CLIPS",
    "VIEW",
    "Branch",
    "Draw",
    "SamplingRule",
    "draw",
    "draws",
    "fragment_size",
]

type Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Draw:
    """Sampled frames and fragments of one video or segment.

    Attributes:
        rule: rule of the sample. The arrays of a branch that it leaves out are empty.
        technical: (num_clips, clip_len) frame indices.
        aesthetic: (clip_len,) frame indices.
        offsets: (num_clips, grid, grid, 2) row and column offset of each fragment from the corner
            of its grid cell; one set per clip, so that fragments follow the motion.
    """

    rule: SamplingRule
    technical: Indices
    aesthetic: Indices
    offsets: Indices


def draw(
    num_frames: int,
    height: int,
    width: int,
    rng: np.random.Generator | None = None,
    *,
    rule: SamplingRule = DOVER,
) -> Draw:
    """Sample frames and fragments: centred, or at random with ``rng``.

    Args:
        num_frames: number of frames of the video, at least 1.
        height: frame height in pixels, at least 1.
        width: frame width in pixels, at least 1.
        rng: consumed in the order technical frames, aesthetic frames, offsets, whichever branches
            the rule has, so that a branch sees the same alone.
        rule: what the model sees.
    """
    if rule.fixed_starts:
        technical = _spread(num_frames, rule.num_clips, rule.clip_len)
    else:
        parts, length = rule.num_clips * rule.spans, rule.clip_len // rule.spans
        technical = _sample(num_frames, parts, length, rng).reshape(rule.num_clips, rule.clip_len)
    aesthetic = _sample(num_frames, rule.clip_len, 1, rng).reshape(rule.clip_len)
    if num_frames < rule.clip_len:
        # The reference's rule would repeat frame 0; spread over what there is instead.
        aesthetic = np.arange(rule.clip_len) * num_frames // rule.clip_len
    size = fragment_size(height, width, rule.view)
    offsets = _offsets(rule.num_clips, rule.grid, *size, rng)
    if "technical" not in rule.branches:
        technical, offsets = technical[:0], offsets[:0]
    if "aesthetic" not in rule.branches:
        aesthetic = aesthetic[:0]
    return Draw(rule, technical, aesthetic, offsets)


def draws(
    num_frames: int,
    height: int,
    width: int,
    *,
    seed: int | None = None,
    repeats: int = 1,
    rule: SamplingRule = DOVER,
) -> list[Draw]:
    """``repeats`` samples: the centred one without a seed, otherwise independent random ones."""
    if seed is None:
        return [draw(num_frames, height, width, rule=rule)] * repeats
    return [
        draw(num_frames, height, width, np.random.default_rng([seed, repeat]), rule=rule)
        for repeat in range(repeats)
    ]


def fragment_size(height: int, width: int, view: int = VIEW) -> tuple[int, int]:
    """Size (height, width) of the frame that fragments are cut from.

    A frame whose short side is below ``view`` is enlarged to exactly ``view`` first. The reference
    then builds its grid from the size before enlarging and covers a corner of the frame only; here
    the grid covers the enlarged frame.
    """
    if min(height, width) >= view:
        return height, width
    if height <= width:
        return view, width * view // height
    return height * view // width, view


def _sample(
    num_frames: int, fragments: int, clip_len: int, rng: np.random.Generator | None
) -> Indices:
    """(fragments, clip_len) frame indices, wrapped around the end of the video."""
    length = num_frames // fragments
    jitter = _integers(length - clip_len * FRAME_INTERVAL, (fragments, 1), rng)
    starts = np.arange(fragments)[:, None] * length + jitter
    return (starts + np.arange(clip_len) * FRAME_INTERVAL) % num_frames


def _spread(num_frames: int, num_clips: int, clip_len: int) -> Indices:
    """(num_clips, clip_len) frame indices of clips in the middle of equal parts of the video.

    Source: SampleFrames of FAST-VQA in test mode.
    """
    starts = np.zeros((num_clips, 1), np.int64)
    span = clip_len * FRAME_INTERVAL
    if num_frames >= span:
        part = (num_frames - span + 1) / num_clips
        starts = (np.arange(num_clips)[:, None] * part + part / 2).astype(np.int64)
    return (starts + np.arange(clip_len) * FRAME_INTERVAL) % num_frames


def _offsets(
    num_clips: int, grid: int, height: int, width: int, rng: np.random.Generator | None
) -> Indices:
    shape = (num_clips, grid, grid)
    rows = _integers(height // grid - FRAGMENT, shape, rng)
    cols = _integers(width // grid - FRAGMENT, shape, rng)
    return np.stack([rows, cols], axis=-1)


def _integers(high: int, shape: tuple[int, ...], rng: np.random.Generator | None) -> Indices:
    """Random integers of [0, high), or high // 2 without ``rng``; zeros if high <= 0."""
    if high <= 0:
        return np.zeros(shape, np.int64)
    return np.full(shape, high // 2) if rng is None else rng.integers(0, high, shape)
