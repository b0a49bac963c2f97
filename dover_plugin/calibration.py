"""Map raw network outputs to scores in [0, 1].

Raw outputs have no fixed scale. A calibration holds the mean and standard deviation of each
branch's raw output over a set of videos. A branch score is the sigmoid of its z-score. The overall
score is the sigmoid of the weighted sum of both z-scores.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from os import PathLike

import numpy as np

from dover_plugin.errors import SettingsError
from dover_plugin.io.json_object import check_name, check_number, read_json_object
from dover_plugin.io.write import write_text
from dover_plugin.weights.registry import facts

TECHNICAL_WEIGHT, AESTHETIC_WEIGHT = 0.6104, 0.3896  # fuse_results of the reference
MIN_VIDEOS = 10  # fewer videos give no usable standard deviation
MIN_STD, MAX_NUMBER = 1e-12, 1e12  # z-scores of float32 outputs then stay finite


@dataclass(frozen=True)
class Calibration:
    """Constants that map raw outputs to scores.

    The weights need not add up to 1.

    Attributes:
        name: name that is stored with every score.
        technical_mean: mean of the raw technical outputs.
        technical_std: standard deviation of the raw technical outputs, above 0.
        aesthetic_mean: mean of the raw aesthetic outputs.
        aesthetic_std: standard deviation of the raw aesthetic outputs, above 0.
        technical_weight: weight of the technical z-score in the overall score.
        aesthetic_weight: weight of the aesthetic z-score in the overall score.

    Raises:
        SettingsError: a constant is not a finite number or out of range, or the name is not a
            line of text.

    Examples:
        >>> mine = Calibration("mine", 0.0, 1.0, 0.0, 1.0)
        >>> mine.apply(0.0, 0.0)
        (0.5, 0.5, 0.5)
        >>> mine.save("mine.json")
        >>> Calibration.load("mine.json") == mine
        True
    """

    name: str
    technical_mean: float
    technical_std: float
    aesthetic_mean: float
    aesthetic_std: float
    technical_weight: float = TECHNICAL_WEIGHT
    aesthetic_weight: float = AESTHETIC_WEIGHT

    def __post_init__(self) -> None:
        try:
            check_name(self.name, "name")
            for field in fields(self)[1:]:
                number = check_number(getattr(self, field.name), field.name)
                if abs(number) > MAX_NUMBER:
                    raise ValueError(f"its {field.name} is {number:g}, beyond {MAX_NUMBER:g}")
        except ValueError as error:
            raise SettingsError(
                f"The calibration is invalid: {error}. Fit it again with 'dover calibrate'."
            ) from None
        if min(self.technical_std, self.aesthetic_std) < MIN_STD:
            raise SettingsError(
                f"Calibration {self.name!r} has the standard deviations {self.technical_std:g} and "
                f"{self.aesthetic_std:g}; both must be at least {MIN_STD:g}. Fit it again on "
                "videos that differ."
            )

    def apply(self, technical_raw: float, aesthetic_raw: float) -> tuple[float, float, float]:
        """Map raw outputs to (technical, aesthetic, overall) scores in [0, 1]."""
        technical = (technical_raw - self.technical_mean) / self.technical_std
        aesthetic = (aesthetic_raw - self.aesthetic_mean) / self.aesthetic_std
        overall = technical * self.technical_weight + aesthetic * self.aesthetic_weight
        return _sigmoid(technical), _sigmoid(aesthetic), _sigmoid(overall)

    @classmethod
    def fit(
        cls, name: str, technical_raw: Sequence[float], aesthetic_raw: Sequence[float]
    ) -> "Calibration":
        """Fit a calibration to videos that one model has scored.

        Args:
            name: name that is stored with every score.
            technical_raw: raw technical outputs, one per video.
            aesthetic_raw: raw aesthetic outputs, one per video.

        Raises:
            SettingsError: there are fewer than MIN_VIDEOS videos, or all outputs are equal.
        """
        count = len(technical_raw)
        if count < MIN_VIDEOS or count != len(aesthetic_raw):
            raise SettingsError(
                f"A calibration needs raw outputs of both branches for at least {MIN_VIDEOS} "
                f"videos, got {count} and {len(aesthetic_raw)}. Score more videos."
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
        """Write the calibration as JSON."""
        write_text(path, json.dumps(asdict(self), indent=2))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "Calibration":
        """Read a file that ``save`` wrote.

        Raises:
            SettingsError: the file is missing or holds no valid calibration.
        """
        names = [field.name for field in fields(cls)]
        try:
            found = read_json_object(path)
            if unknown := [name for name in found if name not in names]:
                raise ValueError(f"{unknown[0][:40]!r} is not one of its fields")
            if missing := [name for name in names[:5] if name not in found]:
                raise ValueError(f"it lacks {missing[0]!r}")
            loaded = cls(**found)
        except FileNotFoundError:
            raise SettingsError(
                f"There is no calibration file '{path}'. Name a file, 'matched' or 'reference'."
            ) from None
        except SettingsError as error:
            raise SettingsError(f"Cannot use the calibration file '{path}': {error}") from None
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"'{path}' is not a calibration file ({error}). It must hold {', '.join(names)}."
            ) from None
        if loaded.name in ("matched", "reference"):
            raise SettingsError(
                f"The calibration in '{path}' has the reserved name {loaded.name!r}. Change its "
                "name."
            )
        return loaded


# Mean and standard deviation of DOVER's raw outputs on LIVE-VQC, assigned to the right branches.
MATCHED = Calibration("matched", -0.0827, 0.0377, 0.1105, 0.0735)
# The reference implementation assigns these pairs to the opposite branches.
REFERENCE = Calibration("reference", 0.1107, 0.07355, -0.08285, 0.03774)

_MATCHED = {"dover": MATCHED, "dover++": MATCHED}
_CALIBRATED_MODELS = ("dover-open", "dover")

type Fusion = str | PathLike[str] | Calibration | None


def matched(model: str) -> Calibration | None:
    """The calibration measured on a model's own raw outputs; None if there is none."""
    if model == "dover-open":
        return Calibration(**facts(model)["calibration"])
    return _MATCHED.get(model)


def choose(fusion: Fusion, model: str) -> Calibration:
    """The calibration that ``fusion`` selects for ``model``.

    Args:
        fusion: "matched", "reference", a calibration file, a Calibration, or None for the
            default of the model.
        model: name of a model in the weights registry.

    Raises:
        SettingsError: the model has no such calibration, or the file holds none.
    """
    if fusion is None:
        return matched(model) or REFERENCE
    if isinstance(fusion, Calibration):
        return fusion
    if fusion == REFERENCE.name:
        if model == "dover-open":
            raise SettingsError(
                "The model 'dover-open' has no 'reference' fusion, because the reference "
                "implementation does not include it. Use 'matched'."
            )
        return REFERENCE
    if fusion == MATCHED.name:
        constants = matched(model)
        if constants is None:
            raise SettingsError(
                f"The model {model!r} has no 'matched' fusion, because the distribution of its raw "
                "outputs is not published. Use 'reference', or fit a calibration with 'dover "
                "calibrate'."
            )
        return constants
    return Calibration.load(fusion)


def warning(calibration: Calibration, model: str) -> str | None:
    """A warning if the calibration was not measured on the model itself, else None."""
    if model in _CALIBRATED_MODELS or calibration not in (MATCHED, REFERENCE):
        return None
    return (
        f"{model} is uncalibrated: its scores use constants measured on dover, so compare them "
        "only with scores of the same model; fit a calibration on your own videos"
    )


def _sigmoid(z: float) -> float:
    with np.errstate(over="ignore"):
        return float(1 / (1 + np.exp(-np.float64(z))))
