"""Rank raw outputs among those of a reference set of videos."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from os import PathLike

import numpy as np

from dover_plugin.errors import SettingsError
from dover_plugin.io.json_object import check_name, check_number, read_json_object
from dover_plugin.io.write import write_text
from dover_plugin.preprocessing.sampling import BRANCHES, Branch

LEVELS = np.linspace(0, 100, 201)  # percent levels of the stored quantiles
MIN_VIDEOS = 10
REMAKE = "Make the reference set again with ReferenceSet.of(...)."


@dataclass(frozen=True)
class Rank:
    """The rank of one raw output in a reference set.

    Attributes:
        percentile: share of the videos of the set with a lower output, in percent.
        z: difference from the mean of the set, in standard deviations of the set.
    """

    percentile: float
    z: float


@dataclass(frozen=True)
class Distribution:
    """Distribution of the raw outputs of one branch over a set of videos.

    Attributes:
        mean: mean of the outputs.
        std: standard deviation of the outputs.
        quantiles: quantiles at 0, 0.5, 1, ... 100 percent; 201 ascending values.

    Raises:
        SettingsError: the quantiles are incomplete or descend, or a value is not a finite number.
    """

    mean: float
    std: float
    quantiles: tuple[float, ...]

    def __post_init__(self) -> None:
        try:
            check_number(self.mean, "mean")
            if check_number(self.std, "std") < 0:
                raise ValueError(f"its std is {self.std:g}, below 0")
            quantiles = [check_number(quantile, "quantile") for quantile in self.quantiles]
        except ValueError as error:
            raise SettingsError(f"The distribution is invalid: {error}. {REMAKE}") from None
        if len(quantiles) != len(LEVELS):
            raise SettingsError(
                f"A distribution needs {len(LEVELS)} quantiles, got {len(quantiles)}. {REMAKE}"
            )
        if (np.diff(quantiles) < 0).any():
            raise SettingsError(f"The quantiles of a distribution must not descend. {REMAKE}")

    @classmethod
    def of(cls, raw: Sequence[float]) -> "Distribution":
        """Measure the distribution of raw outputs."""
        values = np.asarray(raw, np.float64)
        quantiles = tuple(float(q) for q in np.percentile(values, LEVELS))
        return cls(float(values.mean()), float(values.std()), quantiles)

    def rank(self, raw: float) -> Rank:
        """Rank one raw output."""
        return Rank(
            percentile=float(np.interp(raw, self.quantiles, LEVELS)),
            z=(raw - self.mean) / self.std if self.std else 0.0,
        )


@dataclass(frozen=True)
class ReferenceSet:
    """Distributions of the raw outputs of one model over a set of videos.

    Attributes:
        name: name of the set.
        model: model that scored the set; outputs of other models have no rank in it.
        videos: number of videos.
        technical: distribution of the raw technical outputs; None if the videos have none.
        aesthetic: distribution of the raw aesthetic outputs; None if the videos have none.

    Raises:
        SettingsError: a name is not a line of text, or the number of videos is not positive.

    Examples:
        >>> raw = [number / 100 for number in range(100)]
        >>> mine = ReferenceSet.of("mine", "dover", technical_raw=raw, aesthetic_raw=raw)
        >>> round(mine.ranks(0.755, 0.25)["technical"].percentile)
        76
    """

    name: str
    model: str
    videos: int
    technical: Distribution | None
    aesthetic: Distribution | None

    def __post_init__(self) -> None:
        try:
            check_name(self.name, "name")
            check_name(self.model, "model")
            if check_number(self.videos, "number of videos") < 1:
                raise ValueError(f"its number of videos is {self.videos}")
        except ValueError as error:
            raise SettingsError(f"The reference set is invalid: {error}. {REMAKE}") from None

    @classmethod
    def of(
        cls,
        name: str,
        model: str,
        technical_raw: Sequence[float] | None = None,
        aesthetic_raw: Sequence[float] | None = None,
    ) -> "ReferenceSet":
        """Make a reference set from videos that ``model`` has scored.

        Args:
            name: name of the set.
            model: model that scored the videos.
            technical_raw: raw technical outputs, one per video; None if the branch was not run.
            aesthetic_raw: raw aesthetic outputs, one per video; None if the branch was not run.

        Raises:
            SettingsError: there are fewer than MIN_VIDEOS videos, or the outputs are not pairs.
        """
        outputs = [raw for raw in (technical_raw, aesthetic_raw) if raw is not None]
        counts = [len(raw) for raw in outputs]
        if len(set(counts)) != 1 or counts[0] < MIN_VIDEOS:
            raise SettingsError(
                f"A reference set needs the raw outputs of at least {MIN_VIDEOS} videos, as many "
                f"of each branch, got {' and '.join(map(str, counts)) or 'none'}. Score more "
                "videos."
            )
        technical, aesthetic = (
            None if raw is None else Distribution.of(raw) for raw in (technical_raw, aesthetic_raw)
        )
        return cls(name, model, counts[0], technical, aesthetic)

    def ranks(self, technical_raw: float | None, aesthetic_raw: float | None) -> dict[Branch, Rank]:
        """Rank the raw outputs of one video, for the branches that it and the set have."""
        raws: dict[Branch, float | None] = {"technical": technical_raw, "aesthetic": aesthetic_raw}
        found: dict[Branch, Rank] = {}
        for branch, raw in raws.items():
            distribution: Distribution | None = getattr(self, branch)
            if raw is not None and distribution is not None:
                found[branch] = distribution.rank(raw)
        return found

    def save(self, path: str | PathLike[str]) -> None:
        """Write the reference set as JSON."""
        write_text(path, json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "ReferenceSet":
        """Read a file that ``save`` wrote.

        Raises:
            SettingsError: the file is missing or holds no valid reference set.
        """
        try:
            data = read_json_object(path)
            branches = {branch: _distribution(data[branch]) for branch in BRANCHES}
            return cls(data["name"], data["model"], data["videos"], **branches)
        except FileNotFoundError:
            raise SettingsError(f"There is no reference set '{path}'. Check the path.") from None
        except SettingsError as error:
            raise SettingsError(f"Cannot use the reference set '{path}': {error}") from None
        except KeyError as error:
            raise SettingsError(
                f"'{path}' is not a reference set (it lacks {error}). {REMAKE}"
            ) from None
        except (OSError, ValueError) as error:
            raise SettingsError(f"'{path}' is not a reference set ({error}). {REMAKE}") from None


def _distribution(data: object) -> Distribution | None:
    """A distribution from its JSON object; None from null.

    Raises:
        KeyError: a field is missing.
        ValueError: ``data`` is not such an object.
        SettingsError: see Distribution.
    """
    if data is None:
        return None
    if not isinstance(data, Mapping) or not isinstance(data["quantiles"], list):
        raise ValueError("a branch must hold a mean, a std and a list of quantiles")
    return Distribution(data["mean"], data["std"], tuple(data["quantiles"]))


@cache
def published_sets() -> tuple[ReferenceSet, ...]:
    """The sets for which DOVER's authors published predictions, scored with dover."""
    text = files("dover_plugin").joinpath("data/reference_scores.json").read_text()
    return tuple(
        ReferenceSet(
            name,
            "dover",
            data["videos"],
            _distribution(data["technical"]),
            _distribution(data["aesthetic"]),
        )
        for name, data in json.loads(text)["datasets"].items()
    )


def ranks(
    model: str,
    technical_raw: float | None,
    aesthetic_raw: float | None,
    against: Sequence[ReferenceSet] | None = None,
) -> dict[str, dict[Branch, Rank]]:
    """Rank one video in each reference set: {set: {branch: Rank}}.

    Args:
        model: model that scored the video.
        technical_raw: raw technical output of the video; None has no rank.
        aesthetic_raw: raw aesthetic output of the video; None has no rank.
        against: reference sets; by default the published ones.

    Raises:
        SettingsError: a set was scored with another model.
    """
    sets = published_sets() if against is None else against
    for reference in sets:
        if reference.model != model:
            raise SettingsError(
                f"{reference.name} was scored with {reference.model}, so outputs of {model} have "
                f"no rank in it. Score with {reference.model}, or make a reference set with "
                "ReferenceSet.of(...)."
            )
    return {reference.name: reference.ranks(technical_raw, aesthetic_raw) for reference in sets}
