"""What a model sees of the faults: agreement by fault, order along ladders, which branch falls."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import pandas as pd
from scipy import stats

BRANCHES = ("technical", "aesthetic")
APART = 2  # steps; neighbours may look alike
MIN_CLIPS = 8  # of a fault, for a correlation


@dataclass(frozen=True)
class Examination:
    """Of one set of clips.

    Attributes:
        clips: how many.
        srocc: {score: with the label}, over all clips.
        by_fault: {fault: SROCC of the overall score}; combinations together as "combined".
        order: {fault: share of pairs of one content, APART or more steps apart, in right order}.
        fall: {branch: {fault: mean fall of the raw score from none to the worst step, in standard
            deviations of the branch over all clips}}.
    """

    clips: int
    srocc: dict[str, float]
    by_fault: dict[str, float]
    order: dict[str, float]
    fall: dict[str, dict[str, float]]


def examine(table: pd.DataFrame) -> Examination:
    """Examine scored clips.

    Args:
        table: one row a clip, with ``label``, ``content``, ``faults``, ``level`` (0 for none) and
            ``overall``, ``technical_raw``, ``aesthetic_raw``.
    """
    scores = {"overall": "overall", "technical": "technical_raw", "aesthetic": "aesthetic_raw"}
    srocc = {
        name: float(stats.spearmanr(table[column], table["label"]).statistic)
        for name, column in scores.items()
    }
    kind = table["faults"].where(~table["faults"].str.contains("+", regex=False), "combined")
    by_fault = {
        str(name): float(stats.spearmanr(part["overall"], part["label"]).statistic)
        for name, part in table.groupby(kind)
        if name != "none" and len(part) >= MIN_CLIPS
    }
    ladders = list(_ladders(table))
    order = {
        name: _order([ladder for fault, ladder in ladders if fault == name])
        for name in sorted({fault for fault, _ in ladders})
    }
    fall = {
        branch: {
            name: float(
                sum(_fall(ladder, branch) for fault, ladder in ladders if fault == name)
                / sum(fault == name for fault, _ in ladders)
                / table[f"{branch}_raw"].std()
            )
            for name in order
        }
        for branch in BRANCHES
    }
    return Examination(len(table), srocc, by_fault, order, fall)


def _ladders(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each fault of each content that is there in every step, with the unspoilt clip first."""
    for _, content in table.groupby("content"):
        none = content[content["faults"] == "none"]
        for fault, part in content.groupby("faults"):
            if fault != "none" and sorted(part["level"]) == [1, 2, 3, 4, 5]:
                yield str(fault), pd.concat([none, part]).sort_values("level")


def _order(ladders: list[pd.DataFrame]) -> float:
    right = [
        high > low
        for ladder in ladders
        for (better, high), (worse, low) in combinations(
            zip(ladder["level"], ladder["overall"], strict=True), 2
        )
        if worse - better >= APART
    ]
    return float(sum(right) / len(right))


def _fall(ladder: pd.DataFrame, branch: str) -> float:
    raw = ladder[f"{branch}_raw"]
    return float(raw.iloc[0] - raw.iloc[-1])
