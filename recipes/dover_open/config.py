"""The recipe as values."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

RECIPE = Path(__file__).with_name("recipe.toml")


@dataclass(frozen=True)
class Stages:
    """The trunk: its frozen parts and its input."""

    frozen: int
    frame_stride: int
    freeze_depthwise: bool
    noise: float


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
class Recipe:
    """All settings, see recipe.toml."""

    seed: int
    stages: Stages
    head: Head
    photos: PhotoSettings
    ladders: LadderSettings
    fit: FitSettings


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
    )
