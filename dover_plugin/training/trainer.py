"""START HERE for training: labels and videos in, weights and a table of how well they do out.

``train`` reads top to bottom: split the labels, load the network, learn batch by batch, validate,
keep the best, test once at the end. Every random choice is drawn from the seed and the number of
the step, so that a training that was stopped goes on exactly as if it had not been.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import cos, isfinite, pi
from pathlib import Path
from time import monotonic
from typing import Any, cast

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from dover_plugin.calibration import AESTHETIC_WEIGHT, TECHNICAL_WEIGHT
from dover_plugin.errors import SettingsError
from dover_plugin.interrupt import first_interrupt_waits
from dover_plugin.metrics import Agreement, agreement
from dover_plugin.networks import Dover
from dover_plugin.training.data import Batch, load, plan, raw_scores
from dover_plugin.training.examples import CENTRED, Examples, MakeFeatures, MakeViews
from dover_plugin.training.labels import Labelled, split
from dover_plugin.training.losses import Opinions, view_biased_loss
from dover_plugin.training.model import Start, head_names, start
from dover_plugin.training.run import PRECISIONS, Run, TrainingError, TrainSettings

MIN_VIDEOS = 3  # of each split
SAVE_EVERY = 300  # seconds, and after each epoch
MAX_NORM = 5.0  # of the gradient, beyond which a step would undo many

type Progress = Callable[[str, int, int], None]  # what is done, how much of it, of how much


@dataclass(frozen=True)
class Predictions:
    """Raw scores of the videos of a split, and how well they agree with the opinions.

    Attributes:
        labels: of the videos.
        technical: (N,) raw.
        aesthetic: (N,) raw.
        overall: (N,) weighted sum of both, each brought to zero mean and unit deviation.
    """

    labels: Sequence[Labelled]
    technical: np.ndarray
    aesthetic: np.ndarray

    @property
    def overall(self) -> np.ndarray:
        """(N,), as the fusion with constants of this very split."""
        parts = [(raw - raw.mean()) / (raw.std() or 1) for raw in (self.technical, self.aesthetic)]
        fused: np.ndarray = TECHNICAL_WEIGHT * parts[0] + AESTHETIC_WEIGHT * parts[1]
        return fused

    def agreement(self, name: str = "overall") -> Agreement:
        """Of one branch, or of both fused, with the overall opinion."""
        return agreement(getattr(self, name), [row.overall for row in self.labels])


@dataclass(frozen=True)
class Trained:
    """What came out.

    Attributes:
        network: the averaged weights that validated best.
        start: what it began with.
        best_epoch: counted from 1.
        validation: predictions of the validation split.
        test: of the test split, which played no part in choosing.
    """

    network: Dover
    start: Start
    best_epoch: int
    validation: Predictions
    test: Predictions


def train(
    labels: Sequence[Labelled],
    settings: TrainSettings,
    folder: Path,
    *,
    device: torch.device,
    workers: int = 0,
    progress: Progress = lambda *_: None,
    trackers: Sequence[str] = ("tensorboard",),
) -> Trained:
    """Train, or go on training, in ``folder``.

    Args:
        labels: read_labels gives them.
        settings: of the training.
        folder: where the run is kept.
        device: where the network runs.
        workers: processes that read videos.
        progress: told what is done.
        trackers: of accelerate, where losses and agreements are logged.

    Raises:
        SettingsError: too few videos, or a folder with another training.
        VideoError: a video cannot be read.
        TrainingError: the loss is not a number, memory or disk is full.
        KeyboardInterrupt: Ctrl-C was pressed; the step was finished and kept.
    """
    rows = split(labels, settings.seed, (settings.val_share, settings.test_share))
    parts = {name: [row for row in rows if row.split == name] for name in ("train", "val", "test")}
    _check_sizes(parts)
    run = Run(folder, settings, _fingerprint(rows))
    workers = workers if settings.what == "all" else 0  # kept features are read at once
    began = start(settings)
    learner = Learner(began.network, settings, device, folder, trackers)
    examples = _examples(parts, settings, began, learner, folder.parent, progress)
    batches = plan(
        [row.group for row in parts["train"]],
        settings.batch_size,
        settings.epochs,
        settings.seed,
        settings.together,
    )
    per_epoch = len(batches) // settings.epochs
    state = run.resume()
    log: list[dict[str, Any]] = []
    best = {"epoch": 0, "value": -2.0}
    if state:
        log, best = state["log"], state["best"]
        learner.load_state(state["learner"])
    first = learner.step
    losses: list[float] = state["losses"] if state else []
    saved = monotonic()
    try:
        with first_interrupt_waits() as stopping:
            for batch in load(examples["train"], batches[first:], workers):
                losses.append(learner.learn(batch, len(batches), per_epoch))
                progress("training", learner.step, len(batches))
                epoch, inside = divmod(learner.step, per_epoch)
                last = learner.step == len(batches)
                if not inside and (last or epoch % settings.validate_every == 0):
                    found = predict(learner.averaged, examples["val"], device, workers, progress)
                    value = _value(found)
                    log.append(_row(epoch, losses, learner.rate, found))
                    learner.accelerator.log(log[-1], step=learner.step)
                    losses = []
                    if value > best["value"]:
                        best = {"epoch": epoch, "value": value}
                        run.save_best(learner.averaged.state_dict())
                    run.log(log)
                if last or not inside or stopping() or monotonic() - saved > SAVE_EVERY:
                    run.save(
                        {"learner": learner.state(), "log": log, "best": best, "losses": losses}
                    )
                    saved = monotonic()
                if stopping():
                    raise KeyboardInterrupt
    except (RuntimeError, MemoryError) as error:
        if not _out_of_memory(error):
            raise
        raise TrainingError(
            f"Memory ran out in step {learner.step + 1} of {len(batches)} ("
            f"{next(iter(str(error).splitlines()), 'no more to be had')}). Take a smaller "
            "--batch-size, --checkpointing, or train heads alone."
        ) from None
    finally:
        learner.accelerator.end_training()
    network = learner.averaged
    network.load_state_dict(torch.load(run.best, map_location=device, weights_only=True))
    validation, test = (
        predict(network, examples[name], device, workers, progress) for name in ("val", "test")
    )
    return Trained(network, began, int(best["epoch"]), validation, test)


class Learner:
    """A network, its optimizer and its averaged copy, one step at a time."""

    def __init__(
        self,
        network: Dover,
        settings: TrainSettings,
        device: torch.device,
        folder: Path,
        trackers: Sequence[str],
    ) -> None:
        self.settings = settings
        self.step = 0
        self.rate = 0.0
        AcceleratorState._reset_state(reset_partial_state=True)  # of an earlier training
        self.accelerator = Accelerator(
            cpu=device.type == "cpu",
            mixed_precision=PRECISIONS[settings.precision],
            log_with=list(trackers) or None,
            project_dir=folder,
        )
        self.accelerator.init_trackers("tensorboard")
        heads = head_names(network)
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(settings.what == "all" or name in heads)
        groups = [
            {"params": [p for n, p in network.named_parameters() if n in heads], "share": 1.0},
            {
                "params": [p for n, p in network.named_parameters() if n not in heads],
                "share": settings.backbone_rate,
            },
        ]
        if settings.what == "heads":
            groups.pop()
        self.network = network.to(device)
        optimizer = torch.optim.AdamW(groups, lr=0.0, weight_decay=settings.weight_decay)
        self._average = AveragedModel(
            self.network, multi_avg_fn=_follow(settings.ema), use_buffers=False
        )
        self._network, self._optimizer = self.accelerator.prepare(self.network, optimizer)
        self._compiled: dict[str, Callable[[Tensor], Tensor]] | None = None
        if settings.compiled and settings.what == "all":
            self._compiled = {
                "technical": torch.compile(self.network.technical_map),
                "aesthetic": torch.compile(self.network.aesthetic_map),
            }

    @property
    def averaged(self) -> Dover:
        """The averaged weights, in evaluation mode."""
        return cast(Dover, self._average.module.eval())

    def learn(self, batch: Batch, steps: int, per_epoch: int) -> float:
        """Take one step; returns the loss before it.

        Raises:
            TrainingError: the loss is not a number.
        """
        torch.manual_seed(self.settings.seed * 1_000_003 + self.step)  # of dropout
        self.rate = self.settings.learning_rate * _share(
            self.step, steps, self.settings.warmup_epochs * per_epoch
        )
        for group in self._optimizer.param_groups:
            group["lr"] = self.rate * group["share"]
        batch = {name: tensor.to(self.accelerator.device) for name, tensor in batch.items()}
        self.network.train()
        if self.settings.what == "heads":
            self.network.technical_backbone.eval()
            self.network.aesthetic_backbone.eval()
        with self.accelerator.autocast():
            technical, aesthetic = raw_scores(self.network, batch, self._compiled)
        opinions = Opinions(batch["overall"], batch["technical"], batch["aesthetic"])
        loss = view_biased_loss(technical, aesthetic, opinions, self.settings.together)
        value = float(loss.detach())
        if not isfinite(value):
            raise TrainingError(
                f"The loss became {value} in step {self.step + 1} of {steps}. Take a lower "
                "--learning-rate, or --precision float32; the last good weights are kept."
            )
        self._optimizer.zero_grad()
        self.accelerator.backward(loss)
        if self.accelerator.sync_gradients:
            self.accelerator.clip_grad_norm_(self.network.parameters(), MAX_NORM)
        self._optimizer.step()
        self._average.update_parameters(self.network)
        self.step += 1
        return value

    def state(self) -> dict[str, Any]:
        """All that the next step depends on."""
        scaler = self.accelerator.scaler
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": scaler.state_dict() if scaler else None,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self._average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self.accelerator.scaler and state["scaler"]:
            self.accelerator.scaler.load_state_dict(state["scaler"])


def predict(
    network: Dover,
    examples: Examples,
    device: torch.device,
    workers: int,
    progress: Progress = lambda *_: None,
) -> Predictions:
    """Raw scores of every example, centred, one by one."""
    count = len(examples.labels)
    raws = []
    with torch.inference_mode():
        for batch in load(examples, [[(CENTRED, i)] for i in range(count)], workers):
            found = raw_scores(network, {name: each.to(device) for name, each in batch.items()})
            raws.append([float(raw[0]) for raw in found])
            progress("validating", len(raws), count)
    technical, aesthetic = np.array(raws).T
    return Predictions(examples.labels, technical, aesthetic)


def _examples(
    parts: dict[str, list[Labelled]],
    settings: TrainSettings,
    began: Start,
    learner: Learner,
    folder: Path,
    progress: Progress,
) -> dict[str, Examples]:
    """Of each split; features of frozen backbones are made here, views when they are asked for."""
    heads = settings.what == "heads"
    device = learner.accelerator.device
    make = (
        MakeFeatures(learner.averaged, began.sha256, device)
        if heads
        else MakeViews(settings.clip_len)
    )
    made = {
        name: Examples(
            rows,
            make,
            seed=settings.seed,
            draws=settings.draws,
            folder=folder / "kept",
            flip=settings.flip and not heads,
        )
        for name, rows in parts.items()
    }
    if heads:
        for name, examples in made.items():
            numbers = range(settings.draws) if name == "train" else [CENTRED]
            examples.keep(numbers, lambda done, count: progress("features", done, count))
    return made


def _follow(slowness: float) -> Callable[[Any, Any, Any], None]:
    """An exponential average that follows quickly at first, so that its start is forgotten."""

    def update(averaged: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        steps = int(count)
        keep = min(slowness, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(averaged, current, 1 - keep)

    return torch.no_grad()(update)


def _share(step: int, steps: int, warmup: float) -> float:
    """Of the highest learning rate: up in a line, then down as a cosine."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 0.5 * (1 + cos(pi * (step - warmup) / max(1.0, steps - warmup)))


def _value(found: Predictions) -> float:
    """What is best: SROCC and PLCC together."""
    if np.ptp(found.overall) == 0:
        return -1.0
    both = found.agreement()
    return (both.srocc + both.plcc) / 2


def _row(epoch: int, losses: list[float], rate: float, found: Predictions) -> dict[str, Any]:
    row = {"epoch": epoch, "loss": float(np.mean(losses)), "learning_rate": rate}
    for name in ("overall", "technical", "aesthetic"):
        if np.ptp(getattr(found, name)) > 0:
            both = found.agreement(name)
            row |= {f"{name}_srocc": both.srocc, f"{name}_plcc": both.plcc}
    return row


def _out_of_memory(error: Exception) -> bool:
    """Whether it says so: CUDA has a type for it, the CPU a sentence."""
    told = "not enough memory" in str(error) or "can't allocate memory" in str(error)
    return told or isinstance(error, torch.OutOfMemoryError | MemoryError)


def _check_sizes(parts: dict[str, list[Labelled]]) -> None:
    for name, rows in parts.items():
        if len(rows) < MIN_VIDEOS or len({row.overall for row in rows}) == 1:
            raise SettingsError(
                f"The {name} split has {len(rows)} videos of "
                f"{len({row.overall for row in rows})} opinions; it needs at least {MIN_VIDEOS} "
                "that differ. Label more videos, or change the shares."
            )


def _fingerprint(rows: Sequence[Labelled]) -> str:
    text = "\n".join(
        f"{row.file.name} {row.overall} {row.technical} {row.aesthetic} {row.split}" for row in rows
    )
    return sha256(text.encode()).hexdigest()[:16]
