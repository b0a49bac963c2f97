"""Settings of a training run: defaults, valid ranges, and the TOML file that sets them."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from dover_plugin.errors import SettingsError
from dover_plugin.preprocessing.sampling import BRANCHES
from dover_plugin.weights.registry import MODELS, TWO_BRANCH_MODELS, published

# Value of ``trainable`` -> how the names of the trained parameters begin.
TRAINABLE = {
    "heads": ("technical_head.", "aesthetic_head."),
    "technical head": ("technical_head.",),
    "aesthetic head": ("aesthetic_head.",),
    "all": ("technical_", "aesthetic_"),
    "technical": ("technical_",),
    "aesthetic": ("aesthetic_",),
}
PRECISIONS = ("float32", "bfloat16", "float16")
DEFAULT_INIT = "dover"
END_TO_END = {"epochs": 20, "cached_samples": 0}  # defaults that differ if backbones are trained

RANGES = {
    "epochs": (1, 10_000),
    "batch_size": (2, 65_536),  # the losses compare videos of one batch
    "learning_rate": (1e-9, 10.0),
    "backbone_rate": (0.0, 100.0),
    "weight_decay": (0.0, 10.0),
    "warmup_epochs": (0.0, 10_000.0),
    "ema": (0.0, 0.999999),
    "branch_loss_weight": (0.0, 100.0),
    "seed": (0, 2**62),
    "cached_samples": (0, 10_000),
    "val_share": (0.0, 1.0),
    "test_share": (0.0, 1.0),
    "validate_every": (1, 10_000),
}
TYPE_NAMES = {str: "a string", int: "an integer", float: "a number", bool: "true or false"}


@dataclass(frozen=True)
class TrainSettings:
    """Everything that the result of a training run depends on, except labels and videos.

    The defaults are the reference's: AdamW, backbones at a tenth of the learning rate, 2.5 epochs
    of warm-up followed by a cosine schedule, batches of 8, EMA decay 0.999.

    Attributes:
        model: name of the architecture.
        init: initial weights: the name of a published model, or a weights file.
        trainable: parts to train, a key of TRAINABLE. "heads" trains both heads on features of
            the frozen backbones; "all" trains end to end; "technical" and "aesthetic" train one
            branch; "technical head" and "aesthetic head" train one head.
        epochs: number of passes over the training videos.
        batch_size: number of videos per step.
        learning_rate: peak learning rate of the heads.
        backbone_rate: learning rate of the backbones as a share of ``learning_rate``.
        weight_decay: weight decay of AdamW.
        warmup_epochs: epochs of linear warm-up; at most half of all steps are used.
        ema: decay of the exponential moving average of the weights (EMA weights). The EMA weights
            are validated and saved.
        branch_loss_weight: weight of the loss against the branch's own label, where it is known.
        seed: random seed of the run.
        cached_samples: random samples of each video that are cached on disk and reused in turn by
            the epochs; 0 samples every video again in each epoch (end to end only).
        val_share: share of the groups in the validation split, if the labels name no split.
        test_share: share of the groups in the test split, if the labels name no split.
        validate_every: epochs between validations; the last epoch is always validated.
        precision: "float32", "bfloat16", or "float16" (CUDA).
        checkpointing: gradient checkpointing of the Swin backbone: less memory, more time.
    """

    model: str
    init: str
    trainable: str = "heads"
    epochs: int = 10
    batch_size: int = 8
    learning_rate: float = 1e-3
    backbone_rate: float = 0.1
    weight_decay: float = 0.05
    warmup_epochs: float = 2.5
    ema: float = 0.999
    branch_loss_weight: float = 0.5  # as DOVER++
    seed: int = 42
    cached_samples: int = 3
    val_share: float = 0.1
    test_share: float = 0.2
    validate_every: int = 1
    precision: str = "float32"
    checkpointing: bool = False

    @property
    def heads_only(self) -> bool:
        """Whether the backbones are frozen, so that their features can be cached."""
        return "head" in self.trainable

    def trains(self, name: str) -> bool:
        """Whether the parameter or module ``name`` is trained."""
        return name.startswith(TRAINABLE[self.trainable])

    def __post_init__(self) -> None:
        if self.trainable not in TRAINABLE:
            raise SettingsError(
                f"Invalid trainable parts {self.trainable!r}; use one of "
                f"{', '.join(map(repr, TRAINABLE))}."
            )
        if self.precision not in PRECISIONS:
            raise SettingsError(
                f"Invalid precision {self.precision!r}; use one of {', '.join(PRECISIONS)}."
            )
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise SettingsError(f"{name} must be between {low:g} and {high:g}, got {value:g}.")
        if self.heads_only and self.cached_samples < 1:
            raise SettingsError(
                f"Training the heads needs at least 1 cached sample, got {self.cached_samples}. "
                "Increase cached_samples, or train end to end."
            )


def resolve_settings(
    options: Mapping[str, Any],
    config: Path | None = None,
    *,
    head_only: bool | None = None,
    branch: str | None = None,
) -> TrainSettings:
    """Merge command-line options, a config file and the defaults; the first one given wins.

    Args:
        options: fields of TrainSettings; None stands for an option that was not given.
        config: TOML file with fields of TrainSettings.
        head_only: train only heads (True) or backbones too (False); None if not given.
        branch: train only this branch; None if not given.

    Raises:
        SettingsError: the file is invalid, or a value is out of range.
    """
    values = read_config(config) if config else {}
    values |= {name: value for name, value in options.items() if value is not None}
    init = values.get("init") or values.get("model") or DEFAULT_INIT
    values |= {"init": init, "model": resolve_model(init, values.get("model"))}
    configured = values.get("trainable", "heads")
    if head_only is None:
        head_only = "head" in configured
    branch = branch or next((each for each in BRANCHES if configured.startswith(each)), None)
    if configured in TRAINABLE:  # TrainSettings reports any other value
        values["trainable"] = trainable_parts(head_only, branch)
    return TrainSettings(**({} if head_only else END_TO_END) | values)


def trainable_parts(head_only: bool, branch: str | None) -> str:
    """Key of TRAINABLE for the heads or everything, of one branch or of both (None)."""
    if head_only:
        return f"{branch} head" if branch else "heads"
    return branch or "all"


def read_config(path: Path) -> dict[str, Any]:
    """Read fields of TrainSettings from a TOML file.

    Raises:
        SettingsError: the file cannot be read, or it holds an unknown name or a wrong type.
    """
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"Cannot read '{path}': {error.strerror}.") from None
    except ValueError as error:
        raise SettingsError(f"'{path}' is not a valid TOML file: {error}.") from None
    types = get_type_hints(TrainSettings)
    for name, value in values.items():
        if name not in types:
            near = difflib.get_close_matches(name, types, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"Use {', '.join(types)}."
            raise SettingsError(f"'{path}' sets '{name}', which is not a training setting. {hint}")
        if types[name] is float and type(value) is int:
            values[name] = float(value)
        elif type(value) is not types[name]:
            raise SettingsError(
                f"'{path}' sets {name} to {value!r}; it must be {TYPE_NAMES[types[name]]}."
            )
    return values


def resolve_model(init: str, model: str | None) -> str:
    """The architecture to train: ``model``, or the one that ``init`` names.

    Raises:
        SettingsError: neither names an architecture, or they contradict each other.
    """
    for name in (model, init if init in MODELS else None):
        if name is not None and published(name).one_score:
            raise SettingsError(
                f"'dover train' cannot train {name}, which has one branch. Use one of "
                f"{', '.join(TWO_BRANCH_MODELS)}."
            )
    if init in MODELS:
        if model not in (None, init):
            raise SettingsError(f"The weights of {init} do not fit {model}. Omit --model.")
        return init
    if model is None:
        raise SettingsError(
            f"The architecture of '{init}' is unknown. Set --model to one of "
            f"{', '.join(TWO_BRANCH_MODELS)}."
        )
    return model
