"""Where a video stands among the videos of a known set."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from dover_plugin.errors import SettingsError
from dover_plugin.io.write import write_text
from dover_plugin.preprocessing.sampling import BRANCHES, Branch

LEVELS = np.linspace(0, 100, 201)  # percent, of the stored quantiles
MIN_VIDEOS = 10


@dataclass(frozen=True)
class Rank:
    """A raw score among those of a set.

    Attributes:
        percentile: share of the set's videos below, in percent.
        z: distance from the set's mean in its standard deviations.
    """

    percentile: float
    z: float


@dataclass(frozen=True)
class Distribution:
    """Raw outputs of one branch over a set.

    Attributes:
        mean: of the outputs.
        std: likewise.
        quantiles: at 0, 0.5, 1, ... 100 percent; 201 ascending values.
    """

    mean: float
    std: float
    quantiles: tuple[float, ...]

    def __post_init__(self) -> None:
        values = np.asarray((self.mean, self.std, *self.quantiles), np.float64)
        if len(self.quantiles) != len(LEVELS) or not np.isfinite(values).all():
            raise SettingsError(
                f"A distribution needs {len(LEVELS)} quantiles, all of them numbers."
            )
        if (np.diff(values[2:]) < 0).any():
            raise SettingsError("The quantiles of a distribution must not fall.")

    @classmethod
    def of(cls, raw: Sequence[float]) -> "Distribution":
        """Measure one."""
        values = np.asarray(raw, np.float64)
        quantiles = tuple(float(q) for q in np.percentile(values, LEVELS))
        return cls(float(values.mean()), float(values.std()), quantiles)

    def rank(self, raw: float) -> Rank:
        """Place one raw output."""
        return Rank(
            percentile=float(np.interp(raw, self.quantiles, LEVELS)),
            z=(raw - self.mean) / self.std if self.std else 0.0,
        )


@dataclass(frozen=True)
class ReferenceSet:
    """A set of videos scored with one model.

    Attributes:
        name: of the set.
        model: that scored it; ranks of another model's outputs mean nothing.
        videos: how many.
        technical: distribution of raw technical outputs.
        aesthetic: likewise.
    """

    name: str
    model: str
    videos: int
    technical: Distribution
    aesthetic: Distribution

    @classmethod
    def of(
        cls, name: str, model: str, technical_raw: Sequence[float], aesthetic_raw: Sequence[float]
    ) -> "ReferenceSet":
        """Make one of your own scored videos.

        Raises:
            SettingsError: too few, or not two numbers per video.
        """
        if len(technical_raw) != len(aesthetic_raw) or len(technical_raw) < MIN_VIDEOS:
            raise SettingsError(
                f"A reference set needs two raw scores of at least {MIN_VIDEOS} videos, got "
                f"{len(technical_raw)} and {len(aesthetic_raw)}."
            )
        return cls(
            name,
            model,
            len(technical_raw),
            Distribution.of(technical_raw),
            Distribution.of(aesthetic_raw),
        )

    def ranks(self, technical_raw: float, aesthetic_raw: float) -> dict[Branch, Rank]:
        """Place one video."""
        return {
            "technical": self.technical.rank(technical_raw),
            "aesthetic": self.aesthetic.rank(aesthetic_raw),
        }

    def save(self, path: str | PathLike[str]) -> None:
        """Write as JSON."""
        write_text(path, json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "ReferenceSet":
        """Read what ``save`` wrote.

        Raises:
            SettingsError: no such file, or something else in it.
        """
        try:
            data: dict[str, Any] = json.loads(Path(path).read_text())
            branches = {
                branch: Distribution(
                    data[branch]["mean"], data[branch]["std"], tuple(data[branch]["quantiles"])
                )
                for branch in BRANCHES
            }
            return cls(data["name"], data["model"], data["videos"], **branches)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise SettingsError(
                f"'{path}' is not a reference set ({error}). Make one with ReferenceSet.of(...)."
            ) from None


@cache
def published_sets() -> tuple[ReferenceSet, ...]:
    """The sets that DOVER's authors published the predictions of, scored with dover."""
    text = files("dover_plugin").joinpath("data/reference_scores.json").read_text()
    return tuple(
        ReferenceSet(
            name,
            "dover",
            data["videos"],
            *(
                Distribution(b["mean"], b["std"], tuple(b["quantiles"]))
                for b in (data["technical"], data["aesthetic"])
            ),
        )
        for name, data in json.loads(text)["datasets"].items()
    )


def ranks(
    model: str,
    technical_raw: float,
    aesthetic_raw: float,
    against: Sequence[ReferenceSet] | None = None,
) -> dict[str, dict[Branch, Rank]]:
    """Ranks of one video in each set: {set: {branch: Rank}}.

    Args:
        model: that gave the raw scores.
        technical_raw: raw technical output.
        aesthetic_raw: raw aesthetic output.
        against: sets to rank in; the published ones by default.

    Raises:
        SettingsError: a set was scored with another model.
    """
    sets = published_sets() if against is None else against
    for reference in sets:
        if reference.model != model:
            raise SettingsError(
                f"{reference.name} was scored with {reference.model}, so outputs of {model} have "
                "no rank in it. Make a set of your own with ReferenceSet.of(...), or score with "
                f"{reference.model}."
            )
    return {reference.name: reference.ranks(technical_raw, aesthetic_raw) for reference in sets}
