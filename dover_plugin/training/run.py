"""A training's folder: its settings, its log, and what is needed to go on after a kill."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import torch

from dover_plugin.errors import DoverError, SettingsError
from dover_plugin.evaluation.labels import LabelledVideo
from dover_plugin.io.write import write_text
from dover_plugin.networks import CONFIGS
from dover_plugin.preprocessing.sampling import CLIP_LEN, FRAGMENT, VIEW
from dover_plugin.training.losses import OWN_WEIGHT

# What is trained: which parameters, by how their names begin.
WHAT = {
    "heads": ("technical_head.", "aesthetic_head."),
    "technical head": ("technical_head.",),
    "aesthetic head": ("aesthetic_head.",),
    "all": ("technical_", "aesthetic_"),
    "technical": ("technical_",),
    "aesthetic": ("aesthetic_",),
}
OPTIMIZERS = ("adamw", "muon")
PRECISIONS = ("float32", "bfloat16", "float16")

RANGES = {
    "epochs": (1, 10_000),
    "batch_size": (2, 65_536),  # the losses compare videos
    "learning_rate": (1e-9, 10.0),
    "backbone_rate": (0.0, 100.0),
    "weight_decay": (0.0, 10.0),
    "warmup_epochs": (0.0, 10_000.0),
    "ema": (0.0, 0.999999),
    "seed": (0, 2**62),
    "clip_len": (2, 1024),
    "window": (FRAGMENT, VIEW),
    "draws": (0, 10_000),
    "together": (1, 65_536),
    "own_weight": (0.0, 100.0),
    "fused_weight": (0.0, 100.0),
    "pair_weight": (0.0, 100.0),
    "val_share": (0.0, 1.0),
    "test_share": (0.0, 1.0),
    "validate_every": (1, 10_000),
}


class TrainingError(DoverError):
    """A training that cannot go on; what it reached is kept."""


@dataclass(frozen=True)
class TrainSettings:
    """Everything but labels and videos that a training depends on.

    Defaults are the reference's (spec: AdamW, a tenth of the rate for backbones, 2.5 epochs of
    warm-up, then cosine, batches of 8, EMA 0.999).

    Attributes:
        model: its architecture.
        init: the name of a published model, "scratch", or a file of weights.
        what: "heads" alone, backbones frozen; "all"; one branch, "technical" or "aesthetic", while
            the other stays as it is; or its head, "technical head" or "aesthetic head".
        epochs: passes over the training videos.
        batch_size: videos of one step.
        learning_rate: of the heads, at its highest.
        backbone_rate: of the backbones, as a share of it.
        weight_decay: of the optimizer.
        optimizer: "adamw" as in the reference; "muon" takes it for the matrices of the backbones,
            which learns faster from scratch.
        warmup_epochs: until the rate is at its highest.
        ema: how slowly the averaged weights follow, which are validated and kept.
        seed: of everything random.
        clip_len: frames of a clip; fewer are quicker, and only sensible from scratch, or for heads
            of a network that was trained on so few.
        window: side of the random part of both views that is learnt from, in pixels; less than
            224 is quicker, and only sensible from scratch.
        flip: mirror every other example; the reference does not.
        spoil_light: spoil light or colour of every other example in one of five steps, and lower
            its overall and aesthetic opinions by the penalty of that step; for labels that were
            computed.
        draws: random draws of each video that are kept on disk, which epochs take in turn; 0 draws
            anew in every epoch, which heads alone cannot.
        together: so many videos of one ladder (or one group) stand side by side in a batch, and
            are compared with each other too; for those that show one thing in several qualities.
        own_weight: of a branch's own opinion where it is known, beside the overall one.
        fused_weight: of the overall opinion of both branches together.
        pair_weight: of the views of a quarter of each batch in two qualities, of which the worse
            must score less; end to end.
        val_share: of the groups, where labels name no split.
        test_share: likewise.
        validate_every: epochs between validations; the last epoch is always validated.
        precision: "float32", "bfloat16", "float16" (CUDA).
        checkpointing: compute Swin's activations twice instead of keeping them.
        compiled: by torch.compile, which takes a minute and a C++ compiler, then is quicker.
    """

    model: str
    init: str
    what: str = "heads"
    epochs: int = 10
    batch_size: int = 8
    learning_rate: float = 1e-3
    backbone_rate: float = 0.1
    weight_decay: float = 0.05
    optimizer: str = "adamw"
    warmup_epochs: float = 2.5
    ema: float = 0.999
    seed: int = 42
    clip_len: int = CLIP_LEN
    window: int = VIEW
    flip: bool = False
    spoil_light: bool = False
    draws: int = 3
    together: int = 1
    own_weight: float = OWN_WEIGHT
    fused_weight: float = 0.0
    pair_weight: float = 0.0
    val_share: float = 0.1
    test_share: float = 0.2
    validate_every: int = 1
    precision: str = "float32"
    checkpointing: bool = False
    compiled: bool = False

    @property
    def heads_alone(self) -> bool:
        """Whether backbones are frozen, so that their features are made once and kept."""
        return "head" in self.what

    def __post_init__(self) -> None:
        if self.what not in WHAT:
            raise SettingsError(f"Nothing is named {self.what!r} to train. Choose from {[*WHAT]}.")
        if self.precision not in PRECISIONS:
            raise SettingsError(
                f"No precision is named {self.precision!r}. Choose from {', '.join(PRECISIONS)}."
            )
        if self.optimizer not in OPTIMIZERS:
            raise SettingsError(
                f"No optimizer is named {self.optimizer!r}. Choose from {', '.join(OPTIMIZERS)}."
            )
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise SettingsError(f"{name} lies between {low:g} and {high:g}, got {value:g}.")
        if self.clip_len % 2:
            raise SettingsError(f"A clip has an even number of frames, got {self.clip_len}.")
        if self.window % FRAGMENT:
            raise SettingsError(f"A window is a multiple of {FRAGMENT}, got {self.window}.")
        varied = self.flip or self.spoil_light or self.pair_weight > 0
        if self.heads_alone and (self.init == "scratch" or varied or self.window != VIEW):
            raise SettingsError(
                "Heads alone are trained on features of trained backbones, which are made of whole "
                "views, neither mirrored nor spoilt."
            )
        if self.draws < self.heads_alone:
            raise SettingsError(f"Heads alone need draws that are kept, got {self.draws}.")
        if self.batch_size % self.together:
            raise SettingsError(
                f"Batches of {self.batch_size} do not hold groups of {self.together} evenly."
            )


class Run:
    """A folder with one training.

    Args:
        folder: made if need be.
        settings: of the training.
        begins: fingerprint of the labels, files and weights that it begins with.

    Raises:
        SettingsError: the folder holds a training of other settings, labels or weights that has
            come as far as a checkpoint, or cannot be written.
    """

    def __init__(self, folder: Path, settings: TrainSettings, begins: str) -> None:
        self.folder = folder
        self._best = folder / "best.pt"
        self._checkpoint = folder / "checkpoint.pt"
        self._log = folder / "log.csv"
        wanted = {**asdict(settings), "begins": begins}
        file = folder / "settings.json"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            found = json.loads(file.read_text()) if self._checkpoint.exists() else wanted
        except (OSError, ValueError) as error:
            raise SettingsError(f"Cannot use the folder '{folder}': {error}.") from None
        other = [name for name in wanted if found.get(name) != wanted[name]]
        if other:
            name = other[0]
            if name == "begins":
                told = "labels, videos or weights to begin with than these"
            else:
                told = f"{name} {found.get(name)!r}, not {wanted[name]!r}"
            raise SettingsError(
                f"'{folder}' holds a training with {'other ' if name == 'begins' else ''}{told}. "
                "Name another folder for --output, or delete this one."
            )
        if not self._checkpoint.exists():
            write_text(file, json.dumps(wanted, indent=2))

    def save(self, state: dict[str, Any]) -> None:
        """Keep what is needed to go on, all of it or nothing."""
        _save(state, self._checkpoint)

    def save_best(self, state: dict[str, Any]) -> None:
        """Keep the weights that validated best."""
        _save(state, self._best)

    def load_best(self, device: torch.device) -> dict[str, Any]:
        """What save_best kept.

        Raises:
            TrainingError: it is damaged or gone.
        """
        return _load(self._best, device)

    def resume(self) -> dict[str, Any] | None:
        """What was saved last; None at the start.

        Raises:
            TrainingError: it is damaged.
        """
        if not self._checkpoint.exists():
            return None
        return _load(self._checkpoint, torch.device("cpu"))

    def log(self, rows: list[dict[str, Any]]) -> None:
        """Write the table of epochs."""
        import pandas as pd  # here, since processes that read videos need none of it

        write_text(self._log, pd.DataFrame(rows).to_csv(index=False).rstrip())


def fingerprint(rows: Sequence[LabelledVideo], weights_sha256: str) -> str:
    """Of the videos that are trained and validated on, and the weights that it begins with."""
    text = "\n".join(
        f"{row.file.name} {row.file.stat().st_size} {row.overall} {row.technical} "
        f"{row.aesthetic} {row.group} {row.ladder} {row.split}{row.also or ''}"
        f"{row.cut_from or ''}"
        for row in rows
    )
    return sha256(f"{weights_sha256}\n{text}".encode()).hexdigest()[:16]


def network_of(init: str, model: str | None) -> str:
    """Which network is trained: ``model``, or the one that ``init`` names.

    Raises:
        SettingsError: neither names one, or they differ.
    """
    if init in CONFIGS:
        if model not in (None, init):
            raise SettingsError(f"The weights of {init} are no {model}. Leave out --model.")
        return init
    if model is None:
        raise SettingsError(
            f"Which network '{init}' is must be said with --model: {', '.join(CONFIGS)}."
        )
    return model


def _save(state: dict[str, Any], file: Path) -> None:
    part = file.with_suffix(".part")
    try:
        with part.open("wb") as stream:
            torch.save(state, stream)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
    except (OSError, RuntimeError) as error:  # a full disk is a RuntimeError to torch
        part.unlink(missing_ok=True)
        raise cannot_write(file, error) from None


def _load(file: Path, device: torch.device) -> dict[str, Any]:
    try:
        return cast(dict[str, Any], torch.load(file, map_location=device, weights_only=True))
    except Exception as error:  # a damaged file makes torch raise whatever it happens to hit
        reason = next(iter(str(error).splitlines()), "no content")[:120]
        raise TrainingError(
            f"Cannot go on from '{file}' ({reason}). Delete the folder '{file.parent}' to begin "
            "anew."
        ) from None


def cannot_write(file: Path, error: Exception) -> TrainingError:
    """What to say where a disk is full."""
    reason = next(iter(str(error).splitlines()), "no more room")
    return TrainingError(
        f"Cannot write '{file}': {reason}. Make room; the training goes on from its last "
        "checkpoint."
    )
