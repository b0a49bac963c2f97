"""START HERE for training: labels and videos in, weights and a table of how well they do out.

``train`` reads top to bottom: split the labels, load the network, learn batch by batch, validate,
keep the best, test once at the end. Every random choice is drawn from the seed and the number of
the step, so that a training that was stopped goes on exactly as if it had not been.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch

from dover_plugin.errors import SettingsError
from dover_plugin.interrupt import first_interrupt_waits
from dover_plugin.networks import Dover
from dover_plugin.training.data import load, plan
from dover_plugin.training.examples import CENTRED, Examples, MakeFeatures, MakeViews
from dover_plugin.training.labels import Labelled, split
from dover_plugin.training.learner import Learner
from dover_plugin.training.model import Start, start
from dover_plugin.training.predictions import Predictions, Progress, predict
from dover_plugin.training.run import Run, TrainingError, TrainSettings

MIN_VIDEOS = 3  # of each split
SAVE_EVERY = 300  # seconds, and after each epoch


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
