"""START HERE for training: labels and videos in, weights and a table of how well they do out.

``train`` reads top to bottom: split the labels, load the network, learn batch by batch, validate,
keep the best, test once at the end. Every random choice is drawn from the seed and the number of
the step, so that a training that was stopped goes on exactly as if it had not been.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter

from dover_plugin.errors import SettingsError
from dover_plugin.evaluation.labels import SPLITS, LabelledVideo, check_readable, split
from dover_plugin.interrupt import first_interrupt_waits
from dover_plugin.networks import Dover
from dover_plugin.training.also import as_met
from dover_plugin.training.data import load, plan
from dover_plugin.training.examples import CENTRED, MakeFeatures, MakeViews, VideoDataset
from dover_plugin.training.learner import Learner
from dover_plugin.training.model import Start, backbones_sha256, start
from dover_plugin.training.predictions import SCORES, Predictions, Progress, predict
from dover_plugin.training.run import Run, TrainingError, TrainSettings, fingerprint

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
    labels: Sequence[LabelledVideo],
    settings: TrainSettings,
    folder: Path,
    *,
    device: torch.device,
    workers: int = 0,
    progress: Progress = lambda *_: None,
) -> Trained:
    """Train, or go on training, in ``folder``.

    Args:
        labels: read_labels gives them.
        settings: of the training.
        folder: where the run is kept.
        device: where the network runs.
        workers: processes that read videos.
        progress: told what is done.

    Raises:
        SettingsError: too few videos, or a folder with another training.
        VideoError: a video cannot be read.
        TrainingError: the loss is not a number, memory or disk is full.
        KeyboardInterrupt: Ctrl-C was pressed; the step was finished and kept.
    """
    rows = split(labels, settings.seed, (settings.val_share, settings.test_share))
    parts = {name: [row for row in rows if row.split == name] for name in SPLITS}
    _check_sizes(parts)
    if settings.heads_alone and any(row.also for row in rows):
        raise SettingsError("Other columns are learnt by backbones: add --end-to-end.")
    check_readable(rows, progress)
    with _memory_may_run_out(), _repeatable(device), first_interrupt_waits() as stopping:
        began = start(settings)
        run = Run(folder, settings, fingerprint([*parts["train"], *parts["val"]], began.sha256))
        also = as_met([row.also for row in parts["train"]], settings.spoil_light)
        learner = Learner(began.network, settings, device, also)
        examples = _examples(parts, settings, learner, folder.parent)
        if settings.heads_alone:
            workers = 0  # backbones run here, and what they give is read at once
        if run.resume() is None:
            _read_once(examples, workers, progress, stopping)

        def look(name: str) -> Predictions:
            return predict(learner.averaged, examples[name], device, workers, progress, stopping)

        best_epoch = _learn(run, learner, examples["train"], workers, look, progress, stopping)
        frozen = learner.network.state_dict()  # an average loses the sign of its zeros
        learner.averaged.load_state_dict({**frozen, **run.load_best(device)})
        return Trained(learner.averaged, began, best_epoch, look("val"), look("test"))


def _learn(
    run: Run,
    learner: Learner,
    examples: VideoDataset,
    workers: int,
    look: Callable[[str], Predictions],
    progress: Progress,
    stopping: Callable[[], bool],
) -> int:
    """All steps that are left, validating and keeping as they go; returns the best epoch."""
    settings = learner.settings
    batches = plan(
        [row.ladder or row.group for row in examples.labels],
        settings.batch_size,
        settings.epochs,
        settings.seed,
        settings.together,
    )
    per_epoch = len(batches) // settings.epochs
    log: list[dict[str, Any]] = []
    losses: list[float] = []
    best = {"epoch": 0, "value": -2.0}
    state = run.resume()
    if state:
        log, losses, best = state["log"], state["losses"], state["best"]
        learner.load_state(state["learner"])

    def save() -> None:
        run.save({"learner": learner.state(), "log": log, "losses": losses, "best": best})

    def validate(epoch: int) -> None:
        nonlocal best
        found = look("val")
        log.append(_row(epoch, losses, learner.rate, found))
        losses.clear()
        value = _value(found)
        if value > best["value"]:
            best = {"epoch": epoch, "value": value}
            run.save_best(learner.best())
        run.log(log)
        for name, number in log[-1].items():
            writer.add_scalar(name, number, learner.step)
        save()

    def due() -> int:
        """The epoch that just ended and is to be validated; 0 for none."""
        epoch, inside = divmod(learner.step, per_epoch)
        wanted = epoch % settings.validate_every == 0 or epoch == settings.epochs
        return epoch if wanted and not inside and (not log or log[-1]["epoch"] < epoch) else 0

    saved = monotonic()
    with SummaryWriter(run.folder / "tensorboard", purge_step=learner.step + 1) as writer:
        if due():  # stopped before it could be done
            validate(due())
        for batch in load(examples, batches[learner.step :], workers):
            losses.append(learner.learn(batch, len(batches), per_epoch))
            progress("training", learner.step, len(batches))
            ended = learner.step % per_epoch == 0
            if ended or stopping() or monotonic() - saved > SAVE_EVERY:
                save()
                saved = monotonic()
            if stopping():
                raise KeyboardInterrupt
            if due():
                validate(due())
    return int(best["epoch"])


def _examples(
    parts: dict[str, list[LabelledVideo]],
    settings: TrainSettings,
    learner: Learner,
    folder: Path,
) -> dict[str, VideoDataset]:
    """Of each split: views, or features of frozen backbones."""
    make = (
        MakeFeatures(
            learner.network,
            backbones_sha256(learner.network),
            learner.device,
            settings.clip_len,
        )
        if settings.heads_alone
        else MakeViews(settings.clip_len)
    )
    return {
        name: VideoDataset(
            rows,
            make,
            seed=settings.seed,
            draws=settings.draws,
            folder=folder / "kept",
            flip=settings.flip,
            spoil_light=settings.spoil_light,
            window=settings.window,
        )
        for name, rows in parts.items()
    }


def _read_once(
    examples: dict[str, VideoDataset],
    workers: int,
    progress: Progress,
    stopping: Callable[[], bool],
) -> None:
    """Read every video, and keep what is kept of it: a damaged one is known before the first step.

    Raises:
        VideoError: one cannot be read.
    """
    missing = {
        name: each.missing(0 if name == "train" else CENTRED) for name, each in examples.items()
    }
    count = sum(len(keys) for keys in missing.values())
    done = 0
    for name, keys in missing.items():
        for _ in load(examples[name], [[key] for key in keys], workers):
            done += 1
            progress("reading", done, count)
            if stopping():
                raise KeyboardInterrupt


def _value(found: Predictions) -> float:
    """What is best: SROCC and PLCC together."""
    both = found.agreement()
    value = (both.srocc + both.plcc) / 2 if both else -1.0
    return value if isfinite(value) else -1.0


def _row(epoch: int, losses: list[float], rate: float, found: Predictions) -> dict[str, Any]:
    row = {"epoch": epoch, "loss": float(np.mean(losses)), "learning_rate": rate}
    for name in SCORES:
        both = found.agreement(name)
        if both:
            row |= {f"{name}_srocc": both.srocc, f"{name}_plcc": both.plcc}
    return row


@contextmanager
def _memory_may_run_out() -> Iterator[None]:
    """Say so in a sentence: CUDA has a type for it, the CPU words of several kinds."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        told = "not enough memory" in str(error) or "can't allocate memory" in str(error)
        if not told and not isinstance(error, torch.OutOfMemoryError | MemoryError):
            raise
        raise TrainingError(
            f"Memory ran out ({next(iter(str(error).splitlines()), 'no more to be had')}). Take a "
            "smaller --batch-size, --checkpointing, or train heads alone; the training goes on "
            "from its last checkpoint."
        ) from None


@contextmanager
def _repeatable(device: torch.device) -> Iterator[None]:
    """On CUDA, take those kernels that give the same sums each time, where there are some."""
    if device.type != "cuda":
        yield
        return
    before = torch.are_deterministic_algorithms_enabled()
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warned)


def _check_sizes(parts: dict[str, list[LabelledVideo]]) -> None:
    for name, rows in parts.items():
        opinions = len({row.overall for row in rows})
        if len(rows) < MIN_VIDEOS or opinions == 1:
            raise SettingsError(
                f"The {name} split has {len(rows)} videos of {opinions} opinions; it needs at "
                f"least {MIN_VIDEOS} that differ. Label more videos, or change the shares."
            )
