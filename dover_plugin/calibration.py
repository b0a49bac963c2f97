"""Map raw network outputs to scores in [0, 1].

Raw outputs have no fixed scale. A calibration holds the mean and standard deviation of each
branch's raw output over a set of videos. A branch score is the sigmoid of its z-score. The overall
score is the sigmoid of the weighted sum of both z-scores. A branch that was not run has no score;
then there is an overall score only if the weight of that branch is 0.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from os import PathLike

import numpy as np

from dover_plugin.errors import SettingsError
from dover_plugin.io.json_object import check_name, check_number, read_json_object
from dover_plugin.io.write import write_text
from dover_plugin.weights.registry import facts, published

TECHNICAL_WEIGHT, AESTHETIC_WEIGHT = 0.6104, 0.3896  # fuse_results of the reference
MIN_VIDEOS = 10  # fewer videos give no usable standard deviation
MIN_STD, MAX_NUMBER = 1e-12, 1e12  # z-scores of float32 outputs then stay finite


@dataclass(frozen=True)
class Calibration:
    """Constants that map raw outputs to scores.

    The weights need not add up to 1. A model with one score has weights of 1 and 0.

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

    def apply(
        self, technical_raw: float | None, aesthetic_raw: float | None
    ) -> tuple[float | None, float | None, float | None]:
        """Map raw outputs to (technical, aesthetic, overall) scores in [0, 1].

        None stands for a branch that was not run, and for its score.
        """
        z = (
            _z(technical_raw, self.technical_mean, self.technical_std),
            _z(aesthetic_raw, self.aesthetic_mean, self.aesthetic_std),
        )
        technical, aesthetic = z
        return _score(technical), _score(aesthetic), _score(self._fuse(technical, aesthetic))

    def _fuse(self, technical: float | None, aesthetic: float | None) -> float | None:
        """The weighted sum of both z-scores; None if it needs a branch that was not run."""
        if (technical is None and self.technical_weight) or (
            aesthetic is None and self.aesthetic_weight
        ):
            return None
        return (technical or 0.0) * self.technical_weight + (
            aesthetic or 0.0
        ) * self.aesthetic_weight

    @classmethod
    def fit(
        cls,
        name: str,
        technical_raw: Sequence[float],
        aesthetic_raw: Sequence[float] | None,
    ) -> "Calibration":
        """Fit a calibration to videos that one model has scored.

        Args:
            name: name that is stored with every score.
            technical_raw: raw technical outputs, one per video.
            aesthetic_raw: raw aesthetic outputs, one per video; None for a model with one score.

        Raises:
            SettingsError: there are fewer than MIN_VIDEOS videos, or all outputs are equal.
        """
        count = len(technical_raw)
        both = aesthetic_raw is not None
        if count < MIN_VIDEOS or (aesthetic_raw is not None and count != len(aesthetic_raw)):
            got = f"{count} and {len(aesthetic_raw)}" if aesthetic_raw is not None else f"{count}"
            raise SettingsError(
                f"A calibration needs raw outputs of {'both branches' if both else 'the model'} "
                f"for at least {MIN_VIDEOS} videos, got {got}. Score more videos."
            )
        technical = np.asarray(technical_raw)
        mean, std = float(technical.mean()), float(technical.std())
        if aesthetic_raw is None:
            return one_score(name, mean, std)
        aesthetic = np.asarray(aesthetic_raw)
        return cls(name, mean, std, float(aesthetic.mean()), float(aesthetic.std()))

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
                f"There is no calibration file '{path}'. Use an existing file, 'matched', "
                f"{', '.join(map(repr, PRESETS))}."
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


def one_score(name: str, mean: float, std: float) -> Calibration:
    """Calibration of a model with one score, which is its overall score."""
    return Calibration(name, mean, std, 0.0, 1.0, technical_weight=1.0, aesthetic_weight=0.0)


# Mean and standard deviation of DOVER's raw outputs on LIVE-VQC, assigned to the right branches.
MATCHED = Calibration("matched", -0.0827, 0.0377, 0.1105, 0.0735)
# The reference implementation assigns these pairs to the opposite branches.
REFERENCE = Calibration("reference", 0.1107, 0.07355, -0.08285, 0.03774)

_MATCHED = {
    "dover": MATCHED,
    "dover++": MATCHED,
    # vqa.py of FAST-VQA: raw outputs of each model
    "fast-vqa": one_score("matched", -0.110198185, 0.04178565),
    "fastervqa": one_score("matched", 0.14759505, 0.03613452),
    "fast-vqa-m": one_score("matched", 0.023889644, 0.030781006),
}
_CALIBRATED_MODELS = ("dover-open", "dover")


@dataclass(frozen=True)
class Preset:
    """How a paper or a tool turns raw outputs of DOVER into the numbers that it reports.

    Attributes:
        calibration: constants that it uses.
        report: columns that hold its numbers.
    """

    calibration: Calibration
    report: str


_CAUTION = "on generated and super-resolved video such metrics can disagree with people"
PRESETS = {
    # evaluate_one_video.py of the reference
    "reference": Preset(REFERENCE, "its fused score is 'overall'"),
    # video_quality_metrics of EvalCrafter, statistics of its generated videos
    "evalcrafter": Preset(
        Calibration("evalcrafter", -0.0758, 0.0129, 0.1253, 0.0318),
        f"VQA_T is 100 x 'technical' and VQA_A is 100 x 'aesthetic'; {_CAUTION}",
    ),
    # evaluate_a_set_of_videos.py of the reference, as SeedVR2 reads it (its issue 11)
    "restoration": Preset(REFERENCE, f"'DOVER' is 100 x 'technical'; {_CAUTION}"),
}

type Fusion = str | PathLike[str] | Calibration | None


def matched(model: str) -> Calibration | None:
    """The calibration measured on a model's own raw outputs; None if there is none."""
    if model == "dover-open":
        return Calibration(**facts(model)["calibration"])
    return _MATCHED.get(model)


def find_preset(name: str, model: str = "dover") -> Preset:
    """The preset of this name.

    Raises:
        SettingsError: no preset has this name, or the model is not dover or a variant of it.
    """
    if name not in PRESETS:
        raise SettingsError(f"No preset is named {name!r}. Choose from {', '.join(PRESETS)}.")
    if not _by_authors(model):
        raise SettingsError(
            f"The preset {name!r} reproduces numbers of DOVER, but the model is {model!r}. Use the "
            "model 'dover'."
        )
    return PRESETS[name]


def preset(name: str) -> Calibration:
    """Constants with which a paper reports scores of DOVER: a key of PRESETS.

    Raises:
        SettingsError: no preset has this name.
    """
    return find_preset(name).calibration


def choose(fusion: Fusion, model: str) -> Calibration:
    """The calibration that ``fusion`` selects for ``model``.

    Args:
        fusion: "matched", "reference", a key of PRESETS, a calibration file, a Calibration, or
            None for the default of the model.
        model: name of a model in the weights registry.

    Raises:
        SettingsError: the model has no such calibration, or the file holds none.
    """
    if fusion is None:
        return matched(model) or REFERENCE
    if isinstance(fusion, Calibration):
        return _fitting(fusion, model)
    if fusion == REFERENCE.name:
        if not _by_authors(model):
            raise SettingsError(
                f"The model {model!r} has no 'reference' fusion, because DOVER's reference "
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
    if fusion in PRESETS:
        return find_preset(str(fusion), model).calibration
    return _fitting(Calibration.load(fusion), model)


def _by_authors(model: str) -> bool:
    """Whether the model is dover or a variant that its authors published."""
    return model != "dover-open" and not published(model).one_score


def _fitting(calibration: Calibration, model: str) -> Calibration:
    """The calibration, if it is not of other models, and gives one score to a model with one."""
    for name, each in PRESETS.items():
        if each.calibration == calibration:
            find_preset(name, model)
    weights = calibration.technical_weight, calibration.aesthetic_weight
    if published(model).one_score and weights != (1, 0):
        raise SettingsError(
            f"The calibration {calibration.name!r} fuses two scores, but {model} has one. Fit one "
            f"with 'dover calibrate' on scores of {model}."
        )
    return calibration


def warning(calibration: Calibration, model: str) -> str | None:
    """A warning if the calibration was not measured on the model itself, else None."""
    if model in _CALIBRATED_MODELS or calibration not in (MATCHED, REFERENCE):
        return None
    return (
        f"{model} is uncalibrated: its scores use constants measured on dover, so compare them "
        "only with scores of the same model; fit a calibration on your own videos"
    )


def _z(raw: float | None, mean: float, std: float) -> float | None:
    return None if raw is None else (raw - mean) / std


def _score(z: float | None) -> float | None:
    """Sigmoid of a z-score; None without one."""
    if z is None:
        return None
    with np.errstate(over="ignore"):
        return float(1 / (1 + np.exp(-np.float64(z))))
