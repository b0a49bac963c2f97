"""What scores make of the ladders of film_ladders: order, fall by branch, small copies."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import combinations

import numpy as np

from recipes.dover_open.evaluation_cache import Row, Score
from recipes.dover_open.film_ladders import (
    DISTORTIONS,
    FULL_COPY,
    LEVELS,
    REFERENCE,
    SMALL_COPIES,
    Film,
    clips,
)

APART = 2  # levels; neighbours may look alike
Z = 1.96  # of a 95 % interval


@dataclass(frozen=True)
class LadderResult:
    """One distortion over all films.

    Attributes:
        distortion: a key of DISTORTIONS.
        branch: the branch whose score should fall more.
        right: pairs of levels two or more apart in the right order, by score.
        pairs: of all films.
        fall: mean fall from level 0 to level 5, by score.
        films: how many have this ladder.
        branch_right: films in which that branch falls more than the other.
        wrong: "film: level a below level b" of the overall score, for the pairs in wrong order.
        mark: see Distortion.
    """

    distortion: str
    branch: str
    right: dict[str, int]
    pairs: int
    fall: dict[str, float]
    films: int
    branch_right: int
    wrong: list[str]
    mark: float | None

    def to_dict(self) -> dict[str, object]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True)
class CopyResult:
    """A small copy of one film against its full-size copy.

    Attributes:
        film: its file name without suffix.
        copy: which small copy.
        small: score of the small copy, by score name.
        full: score of the full-size copy, by score name.
    """

    film: str
    copy: str
    small: dict[str, float]
    full: dict[str, float]

    def to_dict(self) -> dict[str, object]:
        """JSON-ready."""
        return asdict(self)


def score_films(
    films: Sequence[Film], scorers: Mapping[str, Score], progress: Callable[[str], None]
) -> dict[str, dict[str, dict[str, Row]]]:
    """Score every clip with every scorer; a clip is made at most once.

    Returns:
        Rows by scorer, film and clip name.
    """
    found: dict[str, dict[str, dict[str, Row]]] = {
        scorer: {film.path.stem: {} for film in films} for scorer in scorers
    }
    for film, name, frames in clips(films):
        progress(f"{film.path.stem}: {name}")
        made = cache(frames)
        for scorer, score in scorers.items():
            found[scorer][film.path.stem][name] = score(f"films/{film.key}/{name}", made)
    return found


def ladder_results(scored: dict[str, dict[str, Row]], names: Sequence[str]) -> list[LadderResult]:
    """Pairwise accuracy and fall of each score of ``names``, per distortion.

    Args:
        scored: see score_films.
        names: of scores; the first one's wrong pairs are listed.
    """
    results = []
    for kind, distortion in DISTORTIONS.items():
        ladders = {
            film: [rows[REFERENCE], *(rows[f"{kind}-{n}"] for n in range(1, LEVELS + 1))]
            for film, rows in scored.items()
            if f"{kind}-1" in rows
        }
        steps = [(a, b) for a, b in combinations(range(LEVELS + 1), 2) if b - a >= APART]
        first = names[0]
        results.append(
            LadderResult(
                kind,
                distortion.branch,
                {
                    name: sum(r[a][name] > r[b][name] for r in ladders.values() for a, b in steps)
                    for name in names
                },
                len(steps) * len(ladders),
                {
                    name: float(np.mean([r[0][name] - r[-1][name] for r in ladders.values()]))
                    for name in names
                },
                len(ladders),
                sum(_falls_more(ladder, distortion.branch) for ladder in ladders.values()),
                [
                    f"{film}: level {a} ({r[a][first]:.3f}) not above level {b} ({r[b][first]:.3f})"
                    for film, r in ladders.items()
                    for a, b in steps
                    if not r[a][first] > r[b][first]
                ],
                distortion.mark,
            )
        )
    return results


def _falls_more(ladder: Sequence[Row], branch: str) -> bool:
    other = "aesthetic" if branch == "technical" else "technical"
    if branch not in ladder[0]:
        return False
    fall = {name: ladder[0][name] - ladder[-1][name] for name in (branch, other)}
    return fall[branch] > fall[other]


def copy_results(scored: dict[str, dict[str, Row]], names: Sequence[str]) -> list[CopyResult]:
    """The small copies of every film that has them."""
    return [
        CopyResult(
            film,
            copy,
            {name: rows[copy][name] for name in names},
            {name: rows[FULL_COPY][name] for name in names},
        )
        for film, rows in scored.items()
        for copy in SMALL_COPIES
        if copy in rows
    ]


def interval(right: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    share, spread = right / count, Z**2 / count
    middle = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * math.sqrt(share * (1 - share) / count + spread / (4 * count))
    return middle - half, middle + half


def order_table(results: dict[str, list[LadderResult]]) -> str:
    """Pairs in the right order: one row per distortion, one column per model's overall score.

    Args:
        results: by model or baseline; the first name of each result's ``right`` is shown.
    """
    lines = [
        f"Pairs {APART} or more levels apart in the right order; Wilson 95 % intervals in brackets "
        "(pairs of one film are not independent).",
        "",
        f"| distortion | pairs | {' | '.join(results)} | mark |",
        f"|---|---|{'---|' * len(results)}---|",
    ]
    for row in zip(*results.values(), strict=True):
        first = row[0]
        cells = [_share(next(iter(each.right.values())), each.pairs) for each in row]
        mark = "-"
        if first.mark is not None:
            met = next(iter(first.right.values())) >= first.mark * first.pairs
            mark = f">= {100 * first.mark:.0f} %: {'met' if met else 'MISSED'}"
        lines.append(f"| {first.distortion} | {first.pairs} | {' | '.join(cells)} | {mark} |")
    return "\n".join(lines)


def fall_table(results: Sequence[LadderResult]) -> str:
    """Mean fall from level 0 to level 5 by branch."""
    lines = [
        "Mean fall of each score from the film to level 5, and films in which the branch that the "
        "distortion belongs to falls more than the other.",
        "",
        "| distortion | overall | technical | aesthetic | should fall more | films |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {each.distortion} | {each.fall['overall']:+.3f} | {each.fall['technical']:+.3f} | "
        f"{each.fall['aesthetic']:+.3f} | {each.branch} | {each.branch_right} of {each.films} |"
        for each in results
    ]
    return "\n".join(lines)


def copy_table(results: dict[str, list[CopyResult]]) -> str:
    """Small copies against the full-size copy: one row per film and copy, one column per model."""
    lines = [
        f"Small copy against the full-size copy ({FULL_COPY}): the small one should score lower.",
        "",
        f"| film | small copy | {' | '.join(results)} |",
        f"|---|---|{'---|' * len(results)}",
    ]
    for row in zip(*results.values(), strict=True):
        cells = []
        for each in row:
            name = next(iter(each.small))
            verdict = "right" if each.small[name] < each.full[name] else "WRONG"
            cells.append(f"{verdict} ({each.small[name]:.3g} < {each.full[name]:.3g}?)")
        lines.append(f"| {row[0].film} | {row[0].copy} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _share(right: int, count: int) -> str:
    low, high = interval(right, count)
    return f"{100 * right / count:.1f} % ({right}) [{100 * low:.0f}, {100 * high:.0f}]"
