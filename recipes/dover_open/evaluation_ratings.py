"""Agreement of scores with mean opinion scores (MOS) of one rated set."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dover_plugin.errors import SettingsError
from dover_plugin.evaluation.metrics import correlations, intervals

GRADES = 4.0  # from 1 to 5 on the five-grade scale
APART = 0.3  # grades between the MOS of two items that count as a pair
LOWEST = 0.05  # share of a set that is tagged
MIN_TAGGED = 5  # items; fewer give no usable share
RESAMPLES = 1000
SEED = 0

type Interval = tuple[float, float]
type Values = NDArray[np.float64]


@dataclass(frozen=True)
class Rated:
    """One photo or video with its rating.

    Attributes:
        path: the file.
        mos: in the unit of the table.
    """

    path: Path
    mos: float


@dataclass(frozen=True)
class Statistic:
    """A number with its 95 % bootstrap interval.

    Attributes:
        value: of all items.
        low: lower end; equal to ``value`` where there is no interval.
        high: upper end.
        count: of items, pairs, or tagged items that it rests on.
    """

    value: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class RatedResult:
    """One score on one rated set.

    Attributes:
        score: name of the score, as "dover-open overall".
        srocc: Spearman's rank correlation with MOS.
        plcc: Pearson's linear correlation with MOS.
        pairs: share of pairs at least 0.3 grades apart that are in the right order.
        lowest: share of the truly lowest 5 % among the 5 % that score lowest; None for small sets.
    """

    score: str
    srocc: Statistic
    plcc: Statistic
    pairs: Statistic
    lowest: Statistic | None

    def to_dict(self) -> dict[str, object]:
        """JSON-ready."""
        return asdict(self)


def read_ratings(table: Path, folder: Path) -> list[Rated]:
    """Read a CSV file with the columns "Image Name" and "MOS", or "file" and "mos".

    Args:
        table: the file; other columns are ignored.
        folder: holds the photos or videos.

    Raises:
        SettingsError: the columns or files are missing.
    """
    try:
        read = pd.read_csv(table)
    except (OSError, ValueError) as error:
        raise SettingsError(f"Cannot read '{table}': {error}.") from None
    names = {str(column).strip().lower(): column for column in read.columns}
    name = names.get("image name", names.get("file"))
    if name is None or "mos" not in names:
        raise SettingsError(
            f"'{table}' has the columns {', '.join(map(str, read.columns))}; it needs "
            "'Image Name' and 'MOS', or 'file' and 'mos'."
        )
    known = read[[name, names["mos"]]].dropna()
    rated = [Rated(folder / str(file).strip(), float(mos)) for file, mos in known.to_numpy()]
    missing = [each.path.name for each in rated if not each.path.is_file()]
    if missing:
        raise SettingsError(
            f"'{folder}' lacks {len(missing)} of {len(rated)} files, for example '{missing[0]}'."
        )
    return rated


def grade_size(mos: Sequence[float]) -> float:
    """One grade of the five-grade scale in the unit of ``mos``: of [0, 1], [1, 5] or [0, 100]."""
    largest = max(mos)
    if largest <= 1:
        return 1 / GRADES
    return 1.0 if largest <= 1 + GRADES else 100 / GRADES


def rate(score: str, values: Sequence[float], mos: Sequence[float]) -> RatedResult | None:
    """Compare one score with MOS.

    Args:
        score: its name.
        values: of the items, higher is better; items with NaN are left out.
        mos: of the same items.

    Returns:
        None if fewer than three items have a value, or all values are equal.
    """
    known = [i for i, value in enumerate(values) if value == value]
    scores, ratings = np.array(values)[known], np.array(mos, float)[known]
    if len(known) < 3 or not np.ptp(scores):
        return None
    found = correlations(scores.tolist(), ratings.tolist())
    ends = intervals(scores.tolist(), ratings.tolist(), SEED)
    count = len(known)
    gap = APART * grade_size(mos)
    tagged = round(LOWEST * count)
    return RatedResult(
        score,
        Statistic(found.srocc, *ends["srocc"], count),
        Statistic(found.plcc, *ends["plcc"], count),
        _with_interval(lambda s, m: pairs_in_order(s, m, gap), scores, ratings),
        _with_interval(lowest_found, scores, ratings) if tagged >= MIN_TAGGED else None,
    )


def pairs_in_order(scores: Values, mos: Values, gap: float) -> tuple[float, int]:
    """Share of pairs at least ``gap`` apart in MOS that are in the right order, and their count."""
    higher, lower = np.nonzero(mos[:, None] - mos[None, :] >= gap - 1e-9)
    if not len(higher):
        return float("nan"), 0
    return float(np.mean(scores[higher] > scores[lower])), len(higher)


def lowest_found(scores: Values, mos: Values) -> tuple[float, int]:
    """Share of the truly lowest 5 % among the 5 % that score lowest, and how many these are."""
    count = max(1, round(LOWEST * len(mos)))
    tagged = np.argsort(scores, kind="stable")[:count]
    worst = np.argsort(mos, kind="stable")[:count]
    return len(np.intersect1d(tagged, worst)) / count, count


def _with_interval(
    measure: Callable[[Values, Values], tuple[float, int]], scores: Values, mos: Values
) -> Statistic:
    rng = np.random.default_rng(SEED)
    value, count = measure(scores, mos)
    # Pairs of a large set take long, and their share is then known well from fewer samples.
    resamples = RESAMPLES if len(mos) < 500 else 100
    draws = (rng.integers(0, len(mos), len(mos)) for _ in range(resamples))
    sampled = [measure(scores[chosen], mos[chosen])[0] for chosen in draws]
    low, high = np.nanquantile(sampled, [0.025, 0.975])
    return Statistic(value, float(low), float(high), count)


def markdown(title: str, results: Sequence[RatedResult], mos: Sequence[float]) -> str:
    """A section with one row per score."""
    grade = grade_size(mos)
    lines = [
        f"### {title}",
        "",
        f"{len(mos)} items. 95 % bootstrap intervals in brackets. Pairs: at least "
        f"{APART * grade:.3g} MOS apart ({APART} grades of five).",
        "",
        "| score | SROCC | PLCC | pairs in the right order | lowest 5 % found (chance 5 %) |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {each.score} | {_cell(each.srocc)} | {_cell(each.plcc)} | "
        f"{_share(each.pairs)} | {_share(each.lowest)} |"
        for each in results
    ]
    return "\n".join(lines)


def _cell(found: Statistic) -> str:
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _share(found: Statistic | None) -> str:
    if found is None:
        return "-"
    right = round(found.value * found.count)
    return (
        f"{100 * found.value:.1f} % ({right} of {found.count}) "
        f"[{100 * found.low:.0f}, {100 * found.high:.0f}]"
    )
