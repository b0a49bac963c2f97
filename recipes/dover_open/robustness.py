"""Changes of real films that should leave the score as it is, and what they do to it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from recipes.dover_open.encoding import round_trip_10_bits, transcode
from recipes.dover_open.evaluation_cache import Row, Score
from recipes.dover_open.film_ladders import EXCERPT, SEED, Film, noisy

type Frames = NDArray[np.uint8]  # (T, H, W, 3) RGB
type Change = Callable[[Frames], Frames]

SMALL_CHANGE = 0.01  # of the overall score: the mark for dithering and 10 bits
LENGTHS = (1, 3, 8, 16, 24, 32, 64)  # first frames of a film
SHORT = 32  # frames below which a length must be no advantage
GRAIN = 3.0  # standard deviation of the static grain, in grey levels
CODED_NOISE = 8.0  # of the noise that is coded
CODED_CRF = 34


def dithered(frames: Frames) -> Frames:
    """Every value changed by -1, 0 or 1 at random."""
    rng = np.random.default_rng(SEED)
    steps = rng.integers(-1, 2, frames.shape, np.int16)
    changed: Frames = np.clip(frames + steps, 0, 255).astype(np.uint8)
    return changed


def ten_bits(frames: Frames) -> Frames:
    """Converted to 10-bit YUV and back to 8-bit RGB."""
    return np.stack([round_trip_10_bits(frame) for frame in frames])


def letterboxed(frames: Frames, share: float) -> Frames:
    """Black bars above and below, each a share of the height."""
    bar = round(share * frames.shape[1] / 2) * 2
    return np.pad(frames, ((0, 0), (bar, bar), (0, 0), (0, 0)))


def pillarboxed(frames: Frames, share: float) -> Frames:
    """Black bars left and right, each a share of the width."""
    bar = round(share * frames.shape[2] / 2) * 2
    return np.pad(frames, ((0, 0), (0, 0), (bar, bar), (0, 0)))


def flipped(frames: Frames) -> Frames:
    """Mirrored left to right."""
    return np.ascontiguousarray(frames[:, :, ::-1])


def transposed(frames: Frames) -> Frames:
    """Rows and columns exchanged: another orientation."""
    return np.ascontiguousarray(frames.swapaxes(1, 2))


def cropped(frames: Frames, share: float = 0.75) -> Frames:
    """The middle of the longer side: another aspect ratio."""
    axis = 1 if frames.shape[1] > frames.shape[2] else 2
    side = frames.shape[axis]
    first = round(side * (1 - share) / 2)
    kept = slice(first, first + round(side * share) // 2 * 2)
    return np.ascontiguousarray(frames[:, kept] if axis == 1 else frames[:, :, kept])


def black_frames(frames: Frames, count: int) -> Frames:
    """The first frames black."""
    out = frames.copy()
    out[:count] = 0
    return out


def faded_in(frames: Frames, count: int) -> Frames:
    """A fade from black over the first frames."""
    out = frames.copy()
    gains = np.arange(count)[:, None, None, None] / count
    out[:count] = np.rint(frames[:count] * gains)
    return out


def grainy(frames: Frames) -> Frames:
    """Fine luma grain that is the same in every frame, as of a textured picture."""
    rng = np.random.default_rng(SEED)
    grain = GRAIN * rng.standard_normal((*frames.shape[1:3], 1), np.float32)
    out = np.empty_like(frames)
    for index, frame in enumerate(frames):
        out[index] = np.clip(np.rint(frame + grain), 0, 255)
    return out


def coded_noise(frames: Frames) -> Frames:
    """Sensor noise, then H.264 at a low rate."""
    return transcode(noisy(frames, CODED_NOISE), "h264", CODED_CRF)


CHANGES: dict[str, Change] = {
    "dither of 1 level": dithered,
    "8 to 10 to 8 bits": ten_bits,
    "letterbox, bars of 12 % of the height": partial(letterboxed, share=0.12),
    "letterbox, bars of 25 %": partial(letterboxed, share=0.25),
    "pillarbox, bars of 17 % of the width": partial(pillarboxed, share=0.17),
    "pillarbox, bars of 50 %": partial(pillarboxed, share=0.5),
    "flip": flipped,
    "transpose": transposed,
    "crop of the longer side to 75 %": cropped,
    "first 8 of 64 frames black": partial(black_frames, count=8),
    "first 24 of 64 frames black": partial(black_frames, count=24),
    "fade in over 24 of 64 frames": partial(faded_in, count=24),
}
MARKED = ("dither of 1 level", "8 to 10 to 8 bits")
STATIC_GRAIN, CODED = "static grain", "coded noise"


@dataclass(frozen=True)
class ChangeResult:
    """What one change does to the overall score.

    Attributes:
        change: its name.
        largest: largest absolute difference over the films.
        mean: mean absolute difference.
        signed: mean difference; negative means that the changed films score lower.
        film: the film with the largest difference.
        branches: mean absolute difference of "technical" and "aesthetic".
        mark: largest difference allowed; None where none is set.
    """

    change: str
    largest: float
    mean: float
    signed: float
    film: str
    branches: dict[str, float]
    mark: float | None

    def to_dict(self) -> dict[str, object]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True)
class RobustnessResult:
    """All checks of one model.

    Attributes:
        changes: one per change.
        lengths: mean overall score of the first n frames minus that of 64, and the largest, by n.
        grain: {film: (fall by static grain, fall by coded noise)} of the overall score.
    """

    changes: list[ChangeResult]
    lengths: dict[int, tuple[float, float]]
    grain: dict[str, tuple[float, float]]

    def to_dict(self) -> dict[str, object]:
        """JSON-ready."""
        return asdict(self)


def clips(films: Sequence[Film]) -> Iterator[tuple[Film, str, Callable[[], Frames]]]:
    """Every clip of every film: its film, its name and its frames."""
    changes = {**CHANGES, STATIC_GRAIN: grainy, CODED: coded_noise}
    for film in films:
        excerpt = cache(film.frames)  # one film at a time in memory

        def start(count: int, film: Film = film) -> Frames:
            return film.frames(0, count)

        def changed(change: Change, excerpt: Callable[[], Frames] = excerpt) -> Frames:
            return change(excerpt())

        yield film, "reference", excerpt
        for name, change in changes.items():
            yield film, name, partial(changed, change)
        for count in LENGTHS:
            yield film, f"first {count}", partial(start, count)


def check_films(
    films: Sequence[Film], score: Score, progress: Callable[[str], None]
) -> RobustnessResult:
    """Score every change of every film.

    Args:
        films: each of at least 32 frames.
        score: see evaluation_cache.
        progress: told what is scored.
    """
    scored: dict[str, dict[str, Row]] = {film.path.stem: {} for film in films}
    for film, name, frames in clips(films):
        progress(f"{film.path.stem}: {name}")
        folder = "films" if name == "reference" else "robustness"
        scored[film.path.stem][name] = score(f"{folder}/{film.key}/{name}", frames)
    return RobustnessResult(
        [_result(name, scored) for name in CHANGES],
        {count: _length(count, scored) for count in LENGTHS if count < EXCERPT},
        {
            film: tuple(  # type: ignore[misc]
                rows["reference"]["overall"] - rows[name]["overall"]
                for name in (STATIC_GRAIN, CODED)
            )
            for film, rows in scored.items()
        },
    )


def _result(name: str, scored: dict[str, dict[str, Row]]) -> ChangeResult:
    def moved(score: str) -> dict[str, float]:
        return {film: r[name][score] - r["reference"][score] for film, r in scored.items()}

    overall = moved("overall")
    film = max(overall, key=lambda film: abs(overall[film]))
    return ChangeResult(
        name,
        abs(overall[film]),
        float(np.mean(np.abs(list(overall.values())))),
        float(np.mean(list(overall.values()))),
        film,
        {
            branch: float(np.mean(np.abs(list(moved(branch).values()))))
            for branch in ("technical", "aesthetic")
        },
        SMALL_CHANGE if name in MARKED else None,
    )


def _length(count: int, scored: dict[str, dict[str, Row]]) -> tuple[float, float]:
    gains = [
        rows[f"first {count}"]["overall"] - rows[f"first {EXCERPT}"]["overall"]
        for rows in scored.values()
    ]
    return float(np.mean(gains)), max(gains)


def markdown(result: RobustnessResult) -> str:
    """A section with tables."""
    lines = [
        "| change | largest difference of overall (film) | mean | mean, signed | technical | "
        "aesthetic | mark |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in result.changes:
        mark = "-"
        if each.mark is not None:
            mark = f"<= {each.mark}: {'met' if each.largest <= each.mark else 'MISSED'}"
        lines.append(
            f"| {each.change} | {each.largest:.3f} ({each.film}) | {each.mean:.3f} | "
            f"{each.signed:+.3f} | {each.branches['technical']:.3f} | "
            f"{each.branches['aesthetic']:.3f} | {mark} |"
        )
    lines += [
        "",
        f"First n frames of a film: overall minus that of the first {EXCERPT}. Below {SHORT} "
        "frames it should not be above 0.",
        "",
        "| frames | mean | largest |",
        "|---|---|---|",
        *(f"| {n} | {mean:+.3f} | {most:+.3f} |" for n, (mean, most) in result.lengths.items()),
        "",
        f"Fall of overall by static grain (standard deviation {GRAIN:g}) and by coded noise "
        f"(standard deviation {CODED_NOISE:g}, H.264 crf {CODED_CRF}). The first should be "
        "smaller.",
        "",
        "| film | static grain | coded noise |",
        "|---|---|---|",
        *(
            f"| {film} | {grain:+.3f} | {coded:+.3f} |"
            for film, (grain, coded) in result.grain.items()
        ),
    ]
    return "\n".join(lines)
