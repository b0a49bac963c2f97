"""Cached ladders as groups of rows that are compared with each other."""

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

REFERENCE = "reference"

type BranchName = Literal["technical", "aesthetic"]


@dataclass(frozen=True)
class Group:
    """One ladder of one content; row 0 of the lists is the reference.

    Attributes:
        content: source content.
        ladder: kind of degradation.
        branch: the branch that the ladder should move most, or "both".
        same: the scores must equal the reference's, rather than fall.
        rows: of the cache, counted over all shards.
        levels: 0 for the reference, then growing severity.
    """

    content: str
    ladder: str
    branch: str
    same: bool
    rows: tuple[int, ...]
    levels: tuple[int, ...]

    def weight(self, branch: BranchName, other: float) -> float:
        """1, or ``other`` where the ladder belongs to the other branch."""
        return 1.0 if self.same or self.branch in ("both", branch) else other


def shards(folder: Path) -> list[Path]:
    """Complete shards in order."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name.isdigit())


def read_groups(folder: Path, split: str) -> list[Group]:
    """Groups of all complete shards.

    Args:
        folder: of the shards.
        split: "train", "val" or "test".
    """
    references: dict[str, int] = {}
    members: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    about: dict[tuple[str, str], tuple[str, bool]] = {}
    offset = 0
    for shard in shards(folder):
        with (shard / "table.csv").open(newline="") as file:
            table = list(csv.DictReader(file))
        for number, line in enumerate(table):
            if line["split"] != split:
                continue
            if line["ladder"] == REFERENCE:
                references[line["content"]] = offset + number
                continue
            key = line["content"], line["ladder"]
            members[key].append((int(line["level"]), offset + number))
            about[key] = line["branch"], line["expect"] == "same"
        offset += len(table)
    groups = []
    for (content, ladder), found in sorted(members.items()):
        if content in references:
            levels, rows = zip(*sorted(found), strict=True)
            branch, same = about[content, ladder]
            groups.append(
                Group(content, ladder, branch, same, (references[content], *rows), (0, *levels))
            )
    return groups


class GroupSampler:
    """Draws groups so that all kinds of ladders come up equally often, some twice as often.

    Args:
        groups: to draw from.
        often: kinds that come up twice as often as others.
        rng: random generator.
    """

    def __init__(self, groups: list[Group], often: list[str], rng: np.random.Generator) -> None:
        self._kinds: dict[str, list[Group]] = defaultdict(list)
        for group in groups:
            self._kinds[group.ladder].append(group)
        self._names = sorted([*self._kinds, *(kind for kind in often if kind in self._kinds)])
        self._rng = rng

    def draw(self, rows: int) -> list[Group]:
        """Groups with at least ``rows`` rows in total."""
        drawn: list[Group] = []
        while self._names and sum(len(group.rows) for group in drawn) < rows:
            kind = self._kinds[self._names[self._rng.integers(len(self._names))]]
            drawn.append(kind[self._rng.integers(len(kind))])
        return drawn
