"""Videos on which the technical and the aesthetic branch disagree, and extreme pairs (gMAD).

Source: paper, section on divergence of aesthetic and technical perspectives; gMAD (Ma et al. 2016).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dover_plugin.errors import SettingsError
from dover_plugin.preprocessing.sampling import BRANCHES

FEWEST = 6  # videos of a map; fewer have no thirds


@dataclass(frozen=True)
class ExtremePair:
    """Two videos that one side finds equal and the other does not.

    Attributes:
        equal: "technical" or "aesthetic".
        better: path of the one that the other side prefers.
        worse: path of the other.
        level: their common rank on the equal side, in [0, 1].
        apart: how far their ranks on the other side are apart, in [0, 1].
    """

    equal: str
    better: str
    worse: str
    level: float
    apart: float


def ranks_of(scores: pd.DataFrame) -> pd.DataFrame:
    """Shares of the videos that score lower, in [0, 1], of each side; ties share their mean.

    Args:
        scores: with ``technical_raw`` and ``aesthetic_raw``, one row a video.

    Raises:
        SettingsError: fewer than FEWEST videos, or scores of one branch alone.
    """
    if scores[[f"{side}_raw" for side in BRANCHES]].isna().any(axis=None):
        raise SettingsError(
            "Divergence compares both branches, and some videos have the score of one. Score them "
            "with a model of two branches, without --branch."
        )
    if len(scores) < FEWEST:
        raise SettingsError(f"Ranks need {FEWEST} videos or more, got {len(scores)}.")
    return pd.DataFrame(
        {side: (scores[f"{side}_raw"].rank() - 1) / (len(scores) - 1) for side in BRANCHES}
    )


def extreme_pairs(scores: pd.DataFrame, count: int = 5) -> list[ExtremePair]:
    """Pairs that are equal on one side and farthest apart on the other.

    The equal side's ranks are cut into ``count`` levels, and the pair that is farthest apart is
    taken of each.

    Args:
        scores: with ``path``, ``technical_raw`` and ``aesthetic_raw``.
        count: pairs of each side.

    Raises:
        SettingsError: too few videos for this number of levels.
    """
    ranks = ranks_of(scores)
    if len(scores) < 2 * count:
        raise SettingsError(f"{count} pairs need {2 * count} videos or more, got {len(scores)}.")
    paths = scores["path"].to_numpy()
    pairs = []
    for equal, other in (BRANCHES, BRANCHES[::-1]):
        order = np.argsort(ranks[equal].to_numpy(), kind="stable")
        for level in np.array_split(order, count):
            values = ranks[other].to_numpy()[level]
            high, low = level[values.argmax()], level[values.argmin()]
            pairs.append(
                ExtremePair(
                    equal,
                    str(paths[high]),
                    str(paths[low]),
                    float(ranks[equal].to_numpy()[level].mean()),
                    float(values.max() - values.min()),
                )
            )
    return pairs
