"""From raw outputs to [0, 1]: the constants of the fusion.

A raw output has no scale of its own. A calibration holds the mean and standard deviation of each
branch over some set of videos; a calibrated score is the sigmoid of the z-score, and the overall
score the sigmoid of the branches' weighted z-scores.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from os import PathLike
from pathlib import Path

import numpy as np

from dover_plugin.errors import SettingsError
from dover_plugin.io.write import write_text
from dover_plugin.weights.registry import facts

TECHNICAL_WEIGHT, AESTHETIC_WEIGHT = 0.6104, 0.3896  # fuse_results of the reference
MIN_VIDEOS = 10  # fewer give no usable standard deviation


@dataclass(frozen=True)
class Calibration:
    """Constants of one fusion.

    Attributes:
        name: recorded with every score.
        technical_mean: of raw technical outputs.
        technical_std: likewise, above 0.
        aesthetic_mean: of raw aesthetic outputs.
        aesthetic_std: likewise, above 0.
        technical_weight: of the technical z-score in the overall one.
        aesthetic_weight: of the aesthetic z-score.
    """

    name: str
    technical_mean: float
    technical_std: float
    aesthetic_mean: float
    aesthetic_std: float
    technical_weight: float = TECHNICAL_WEIGHT
    aesthetic_weight: float = AESTHETIC_WEIGHT

    def __post_init__(self) -> None:
        numbers = [getattr(self, f.name) for f in fields(self) if f.name != "name"]
        if not all(isinstance(n, int | float) and math.isfinite(n) for n in numbers):
            raise SettingsError(f"Calibration {self.name!r} holds what is not a number: {numbers}.")
        if self.technical_std <= 0 or self.aesthetic_std <= 0:
            raise SettingsError(
                f"Calibration {self.name!r} has a standard deviation that is not above 0. Fit it "
                "again on videos that differ."
            )

    def apply(self, technical_raw: float, aesthetic_raw: float) -> tuple[float, float, float]:
        """Raw outputs -> (technical, aesthetic, overall), each in [0, 1]."""
        technical = (technical_raw - self.technical_mean) / self.technical_std
        aesthetic = (aesthetic_raw - self.aesthetic_mean) / self.aesthetic_std
        overall = technical * self.technical_weight + aesthetic * self.aesthetic_weight
        return _sigmoid(technical), _sigmoid(aesthetic), _sigmoid(overall)

    @classmethod
    def fit(
        cls, name: str, technical_raw: Sequence[float], aesthetic_raw: Sequence[float]
    ) -> "Calibration":
        """Constants of a set of videos scored with one model.

        Args:
            name: recorded with every score.
            technical_raw: raw technical outputs, one a video.
            aesthetic_raw: raw aesthetic outputs, likewise.

        Raises:
            SettingsError: too few, or all equal.
        """
        count = len(technical_raw)
        if count < MIN_VIDEOS or count != len(aesthetic_raw):
            raise SettingsError(
                f"A calibration needs two raw scores of at least {MIN_VIDEOS} videos, got {count} "
                f"and {len(aesthetic_raw)}."
            )
        technical, aesthetic = np.asarray(technical_raw), np.asarray(aesthetic_raw)
        return cls(
            name,
            float(technical.mean()),
            float(technical.std()),
            float(aesthetic.mean()),
            float(aesthetic.std()),
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write as JSON."""
        write_text(path, json.dumps(asdict(self), indent=2))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "Calibration":
        """Read what ``save`` wrote.

        Raises:
            SettingsError: no such file, or something else in it.
        """
        try:
            loaded = cls(**json.loads(Path(path).read_text()))
        except FileNotFoundError:
            raise SettingsError(
                f"There is no calibration file '{path}'. Name a file, 'matched' or 'reference'."
            ) from None
        except (OSError, ValueError, TypeError) as error:
            raise SettingsError(
                f"'{path}' is not a calibration file ({error}). It should hold "
                f"{', '.join(f.name for f in fields(cls))}."
            ) from None
        if loaded.name in ("matched", "reference"):
            raise SettingsError(
                f"The calibration in '{path}' is named {loaded.name!r}, which would pass for the "
                "published one. Give it another name."
            )
        return loaded


# Mean and standard deviation of DOVER's raw outputs on LIVE-VQC, each given to its own branch.
MATCHED = Calibration("matched", -0.0827, 0.0377, 0.1105, 0.0735)
# What the reference computes: the same pairs, given to the other branch.
REFERENCE = Calibration("reference", 0.1107, 0.07355, -0.08285, 0.03774)

_MATCHED = {"dover": MATCHED, "dover++": MATCHED}
_CALIBRATED_MODELS = ("dover-open", "dover")

type Fusion = str | PathLike[str] | Calibration | None


def matched(model: str) -> Calibration | None:
    """The constants measured for a model's own raw outputs; None where there are none."""
    if model == "dover-open":
        return Calibration(**facts(model)["calibration"])
    return _MATCHED.get(model)


def choose(fusion: Fusion, model: str) -> Calibration:
    """The calibration that a user's ``fusion`` means for ``model``.

    Args:
        fusion: "matched", "reference", a file, a Calibration, or None for the model's default.
        model: a name of the table of weights.

    Raises:
        SettingsError: constants that the model does not have, or a file that is none.
    """
    if fusion is None:
        return matched(model) or REFERENCE
    if isinstance(fusion, Calibration):
        return fusion
    if fusion == REFERENCE.name:
        if model == "dover-open":
            raise SettingsError(
                "The reference knows no dover-open, and its constants do not suit it. "
                "Use 'matched'."
            )
        return REFERENCE
    if fusion == MATCHED.name:
        constants = matched(model)
        if constants is None:
            raise SettingsError(
                f"Nobody has published the distribution of {model}'s raw outputs, so it has no "
                "'matched' fusion. Use 'reference', or fit a calibration on your own videos."
            )
        return constants
    return Calibration.load(fusion)


def warning(calibration: Calibration, model: str) -> str | None:
    """A sentence where the constants were not measured on the model itself."""
    if model in _CALIBRATED_MODELS or calibration not in (MATCHED, REFERENCE):
        return None
    return (
        f"{model} is uncalibrated: its scores use constants measured on dover, so compare them "
        "with each other, not with another model's; fit a calibration on your own videos"
    )


def _sigmoid(z: float) -> float:
    with np.errstate(over="ignore"):
        return float(1 / (1 + np.exp(-np.float64(z))))
