"""Ladders of growing distortion on real films, and whether scores follow them.

Every film gives one excerpt. A ladder is the excerpt (level 0) and five levels of one distortion,
each visibly worse than the one before. The levels are those of this module, not those of training.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dover_plugin.errors import DoverError
from dover_plugin.io.files import find_videos
from dover_plugin.io.open import open_source
from dover_plugin.io.source import FrameSource
from recipes.dover_open.degradations import contrast, exposure, saturation
from recipes.dover_open.encoding import transcode
from recipes.dover_open.evaluation_cache import file_key
from recipes.dover_open.filters import by_frame, convolve, even, grid, resize

type Frames = NDArray[np.uint8]  # (T, H, W, 3) RGB
type Change = Callable[[Frames, int], Frames]  # at a level of 1..5

LEVELS = 5
EXCERPT = 64  # frames
MIN_FRAMES = 32
SEED = 7
SMALL = 144  # lines of the small copy
FULL_CRF = 28  # of the full-size copy that must score above it
MIN_LINES = 240  # of a film that is scaled to SMALL, or stored small
LINE_ANGLE = math.radians(30)
REFERENCE, STORED_SMALL = "reference", "stored small"


def _codec(name: str, quantisers: Sequence[int]) -> Change:
    return lambda frames, level: transcode(frames, name, quantisers[level - 1])


def _lines(frames: Frames) -> int:
    lines: int = min(frames.shape[1:3])
    return lines


def _blurred(frames: Frames, kernel: NDArray[np.float64]) -> Frames:
    return by_frame(frames, lambda x: convolve(x, kernel))


def _defocus(frames: Frames, level: int) -> Frames:
    radius = (0.003, 0.005, 0.008, 0.012, 0.018)[level - 1] * _lines(frames)
    return _blurred(frames, np.clip(radius + 0.5 - np.hypot(*grid(math.ceil(radius))), 0, 1))


def _motion(frames: Frames, level: int) -> Frames:
    length = (0.007, 0.012, 0.02, 0.03, 0.045)[level - 1] * _lines(frames)
    rows, columns = grid(math.ceil(length / 2))
    along = columns * math.cos(LINE_ANGLE) + rows * math.sin(LINE_ANGLE)
    across = rows * math.cos(LINE_ANGLE) - columns * math.sin(LINE_ANGLE)
    inside = np.clip(length / 2 + 0.5 - np.abs(along), 0, 1)
    return _blurred(frames, np.clip(1 - np.abs(across), 0, 1) * inside)


def shrunk(frames: Frames, lines: float) -> Frames:
    """Scaled down, antialiased, to a shorter side of ``lines`` pixels."""
    factor = lines / _lines(frames)
    height, width = (even(side * factor) for side in frames.shape[1:3])
    return resize(frames, height, width)


def _scaled(frames: Frames, level: int) -> Frames:
    small = shrunk(frames, _lines(frames) / (1.5, 2.0, 2.8, 4.0, 6.0)[level - 1])
    return resize(small, *frames.shape[1:3])


def _stored_small(frames: Frames, level: int) -> Frames:
    return shrunk(frames, _lines(frames) / (1.25, 1.6, 2.2, 3.0, 4.5)[level - 1])


def noisy(frames: Frames, sigma: float) -> Frames:
    """White noise in luma and colour, new in every frame; sigma in grey levels."""
    rng = np.random.default_rng(SEED)
    out = np.empty_like(frames)
    for index, frame in enumerate(frames):
        grains = 0.8 * rng.standard_normal((*frame.shape[:2], 1), np.float32)
        grains = grains + 0.6 * rng.standard_normal(frame.shape, np.float32)
        out[index] = np.clip(np.rint(frame + sigma * grains), 0, 255)
    return out


def _noise(frames: Frames, level: int) -> Frames:
    return noisy(frames, (3, 6, 10, 16, 25)[level - 1])


def _cast(frames: Frames, level: int) -> Frames:
    strength = (0.1, 0.2, 0.32, 0.46, 0.62)[level - 1]
    gains = torch.tensor([1 - strength, 1, 1 - strength / 2])
    return by_frame(frames, lambda x: x * (gains / gains.mean())[None, :, None, None])


def _seeded(change: Callable[[Frames, int, np.random.Generator], Frames]) -> Change:
    return lambda frames, level: change(frames, level, np.random.default_rng(SEED))


@dataclass(frozen=True)
class Distortion:
    """One ladder.

    Attributes:
        change: (frames, level) to frames.
        branch: "technical" or "aesthetic", the one whose score should fall more.
        mark: least share of pairs in the right order, in [0, 1]; None where none is set.
    """

    change: Change
    branch: str
    mark: float | None = None


DISTORTIONS = {
    "H.264": Distortion(_codec("h264", (20, 26, 32, 38, 44)), "technical", 0.95),
    "HEVC": Distortion(_codec("hevc", (22, 28, 34, 40, 46)), "technical", 0.95),
    "AV1": Distortion(_codec("av1", (30, 42, 50, 57, 63)), "technical", 0.95),
    "defocus": Distortion(_defocus, "technical", 0.95),
    "motion blur": Distortion(_motion, "technical", 0.95),
    "scaled down and up": Distortion(_scaled, "technical", 0.95),
    STORED_SMALL: Distortion(_stored_small, "technical", 0.95),
    "noise": Distortion(_noise, "technical", 0.90),
    "too dark": Distortion(_seeded(exposure((-0.6, -1.2, -1.9, -2.7, -3.6))), "aesthetic"),
    "too bright": Distortion(_seeded(exposure((0.4, 0.75, 1.15, 1.6, 2.1))), "aesthetic"),
    "low contrast": Distortion(_seeded(contrast((0.78, 0.6, 0.45, 0.32, 0.2))), "aesthetic"),
    "colour cast": Distortion(_cast, "aesthetic"),
    "oversaturated": Distortion(_seeded(saturation((1.4, 1.9, 2.6, 3.6, 5.0))), "aesthetic"),
}


FULL_COPY = f"crf {FULL_CRF}"
SMALL_COPIES = (f"{SMALL} lines", f"{SMALL} lines, enlarged")
COPIES: dict[str, Change] = {
    FULL_COPY: lambda frames, _: transcode(frames, "h264", FULL_CRF),
    SMALL_COPIES[0]: lambda frames, _: shrunk(frames, SMALL),
    SMALL_COPIES[1]: lambda frames, _: resize(shrunk(frames, SMALL), *frames.shape[1:3]),
}


@dataclass(frozen=True)
class Film:
    """An excerpt of a video.

    Attributes:
        path: the file.
        key: names it in the cache.
        lines: pixels of its shorter side.
    """

    path: Path
    key: str
    lines: int

    def frames(self, first: int | None = None, count: int = EXCERPT) -> Frames:
        """(T, H, W, 3) from frame ``first``, by default in the middle; H and W are made even."""
        source: FrameSource = open_source(self.path)
        total = source.info.num_frames
        start = max(0, (total - count) // 2) if first is None else first
        chosen = range(start, min(start + count, total))
        height, width = (side // 2 * 2 for side in (source.info.height, source.info.width))
        frames = (np.array(frame[:height, :width]) for _, frame in source.frames(chosen))
        return np.stack(list(frames))


def find_films(folder: Path) -> list[Film]:
    """Videos directly in a folder with a readable excerpt and 32 frames or more, small first."""
    films = []
    for path in sorted(Path(name) for name in find_videos([str(folder)])):
        if path.parent != folder:
            continue
        try:
            info = open_source(path).info
            film = Film(path, file_key(path), min(info.height, info.width))
            if info.num_frames < MIN_FRAMES:
                continue
            film.frames()  # a damaged frame shows only now
        except DoverError:
            continue
        films.append((info.height * info.width, film))
    return [film for _, film in sorted(films, key=lambda each: each[0])]


def clips(films: Sequence[Film]) -> Iterator[tuple[Film, str, Callable[[], Frames]]]:
    """Every clip of every film: its film, its name ("reference", "H.264-3") and its frames."""
    for film in films:
        excerpt = cache(film.frames)  # one film at a time in memory

        def changed(change: Change, level: int, get: Callable[[], Frames] = excerpt) -> Frames:
            return change(get(), level)

        yield film, REFERENCE, excerpt
        for name, distortion in DISTORTIONS.items():
            if name != STORED_SMALL or film.lines >= MIN_LINES:
                for level in range(1, LEVELS + 1):
                    yield film, f"{name}-{level}", partial(changed, distortion.change, level)
        if film.lines >= MIN_LINES:
            for name, change in COPIES.items():
                yield film, name, partial(changed, change, 1)
