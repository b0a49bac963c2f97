"""Summary of a table of scores: counts, errors, statistics, lowest scores."""

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dover_plugin.analysis.statistics import Statistics
from dover_plugin.batch.run import kind_of
from dover_plugin.scores import SCORES

NUM_LOWEST = 10

type Row = dict[str, Any]


@dataclass(frozen=True)
class BatchSummary:
    """Summary of one table of scores.

    Attributes:
        scored: number of videos with scores.
        failed: number of videos with an error.
        kinds: number of errors of each kind, the most frequent first.
        statistics: statistics of each score that the videos have; empty if no video was scored.
        lowest: (path, score) of the NUM_LOWEST videos with the lowest main score, which is the
            first in ``statistics``.
    """

    scored: int
    failed: int
    kinds: list[tuple[str, int]]
    statistics: dict[str, Statistics]
    lowest: list[tuple[str, float]]


def summarise(rows: Iterable[Row]) -> BatchSummary:
    """Summarise rows of a journal. Memory holds three numbers per row."""
    values: list[tuple[float, ...]] = []
    names: list[str] = []
    kinds: Counter[str] = Counter()
    lowest: list[tuple[float, str]] = []
    for row in rows:
        if row["error"] is not None:
            kinds[kind_of(row["error"])] += 1
            continue
        names = names or [score for score in SCORES if row[score] is not None]
        values.append(tuple(row[name] for name in names))
        entry = (-row[names[0]], row["path"])
        (heapq.heappush if len(lowest) < NUM_LOWEST else heapq.heappushpop)(lowest, entry)
    return BatchSummary(
        scored=len(values),
        failed=kinds.total(),
        kinds=kinds.most_common(),
        statistics={
            score: Statistics.of(column)
            for score, column in zip(names, zip(*values, strict=True), strict=True)
        },
        lowest=[(path, -value) for value, path in sorted(lowest, reverse=True)],
    )
