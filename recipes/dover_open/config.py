"""The recipe as values."""

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

RECIPE = Path(__file__).with_name("recipe.toml")


@dataclass(frozen=True)
class Stages:
    """Which parts of the trunk are frozen."""

    frozen: int
    frame_stride: int
    freeze_depthwise: bool


@dataclass(frozen=True)
class Head:
    """Size and dropout of a branch's head."""

    hidden: int
    dropout: float


@dataclass(frozen=True)
class PhotoSettings:
    """Photographs of a step and their labels."""

    batch: int
    variants: int
    rank_share: float


@dataclass(frozen=True)
class LadderSettings:
    """Ladders of a step and their losses."""

    batch: int
    weight: float
    same_weight: float
    other_branch: float
    margin: float
    softness: float
    often: list[str]


@dataclass(frozen=True)
class FitSettings:
    """Optimisation."""

    epochs: int
    trunk_rate: float
    head_rate: float
    warmup: int
    weight_decay: float
    average: float
    absolute_weight: float
    rank_weight: float


@dataclass(frozen=True)
class SettleSettings:
    """What the second fit does differently from the first."""

    epochs: int
    trunk_rate: float
    head_rate: float
    warmup: int
    same_weight: float


@dataclass(frozen=True)
class Recipe:
    """All settings, see recipe.toml."""

    seed: int
    stages: Stages
    head: Head
    photos: PhotoSettings
    ladders: LadderSettings
    fit: FitSettings
    settle: SettleSettings

    def settling(self) -> "Recipe":
        """The recipe of the second fit."""
        settle = self.settle
        fit = replace(
            self.fit,
            epochs=settle.epochs,
            trunk_rate=settle.trunk_rate,
            head_rate=settle.head_rate,
            warmup=settle.warmup,
        )
        ladders = replace(self.ladders, same_weight=settle.same_weight)
        return replace(self, seed=self.seed + 1, fit=fit, ladders=ladders)


def read_recipe(path: Path = RECIPE) -> Recipe:
    """The recipe of a TOML file.

    Raises:
        TypeError: a setting is missing or unknown.
    """
    table = tomllib.loads(path.read_text())
    return Recipe(
        seed=table["seed"],
        stages=Stages(**table["stages"]),
        head=Head(**table["head"]),
        photos=PhotoSettings(**table["photos"]),
        ladders=LadderSettings(**table["ladders"]),
        fit=FitSettings(**table["fit"]),
        settle=SettleSettings(**table["settle"]),
    )
