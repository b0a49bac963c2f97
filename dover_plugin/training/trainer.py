"""START HERE for training: labels and videos in, weights and test results out.

``train`` splits the labels, loads the network, trains it, validates after each epoch, keeps the
best weights, and tests them once at the end. Every random number is derived from the seed and the
number of the step, so a run that was stopped resumes exactly.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from dover_plugin.errors import SettingsError
from dover_plugin.evaluation.labels import SPLITS, LabelledVideo, assign_splits, check_readable
from dover_plugin.interrupt import first_interrupt_waits
from dover_plugin.networks import Dover
from dover_plugin.training.data import load_batches
from dover_plugin.training.dataset import CENTRED, FeatureBuilder, VideoDataset, ViewBuilder
from dover_plugin.training.learner import Learner
from dover_plugin.training.loop import TrainingLoop
from dover_plugin.training.model import backbones_sha256, load_initial
from dover_plugin.training.predictions import Predictions, Progress, predict
from dover_plugin.training.run_folder import RunFolder, TrainingError, fingerprint
from dover_plugin.training.settings import TrainSettings
from dover_plugin.weights.registry import published

MIN_VIDEOS = 3  # of each split; correlations need them


@dataclass(frozen=True)
class TrainingResult:
    """Result of a training run.

    Attributes:
        network: network with the EMA weights of the best epoch.
        initial_sha256: SHA-256 of the initial weights.
        best_epoch: epoch with the best validation, counted from 1.
        validation: predictions for the validation split.
        test: predictions for the test split, which was not used to select the epoch.
    """

    network: Dover
    initial_sha256: str
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
) -> TrainingResult:
    """Train in ``folder``, or resume the run that it holds.

    Args:
        labels: labelled videos, see read_labels.
        settings: settings of the run.
        folder: folder of the run; cached samples are stored beside it, for other runs to share.
        device: device to train on.
        workers: number of processes that read videos.
        progress: called as tasks advance.

    Raises:
        SettingsError: too few videos, or the folder holds another run.
        VideoError: a video cannot be read.
        TrainingError: the loss is not finite, or memory or disk space is exhausted.
        KeyboardInterrupt: Ctrl-C was pressed; the step was finished and a checkpoint saved.
    """
    rows = assign_splits(labels, settings.seed, settings.val_share, settings.test_share)
    parts = {name: [row for row in rows if row.split == name] for name in SPLITS}
    _check_sizes(parts)
    check_readable(rows, progress)
    with _report_memory(), _deterministic(device), first_interrupt_waits() as stopping:
        network, sha256 = load_initial(settings)
        run = RunFolder(folder, settings, fingerprint([*parts["train"], *parts["val"]], sha256))
        learner = Learner(network, settings, device)
        datasets = _datasets(parts, learner, folder.parent / "cache")
        if settings.heads_only:
            workers = 0  # the backbones run in this process; cached features are fast to read
        if run.load_checkpoint() is None:
            _read_all(datasets, workers, progress, stopping)

        def predict_split(name: str) -> Predictions:
            return predict(learner.averaged, datasets[name], device, workers, progress, stopping)

        loop = TrainingLoop(run, learner, datasets["train"], lambda: predict_split("val"))
        best_epoch = loop.fit(workers, progress, stopping)
        # Averaging turns -0.0 into 0.0, so frozen weights are taken from the network itself.
        weights = {**learner.network.state_dict(), **run.load_best(device)}
        learner.averaged.load_state_dict(weights)
        validation, test = predict_split("val"), predict_split("test")
        return TrainingResult(learner.averaged, sha256, best_epoch, validation, test)


def _check_sizes(parts: dict[str, list[LabelledVideo]]) -> None:
    for name, rows in parts.items():
        distinct = len({row.overall for row in rows})
        if len(rows) < MIN_VIDEOS or distinct == 1:
            raise SettingsError(
                f"The {name} split has {len(rows)} videos with {distinct} distinct MOS; it needs "
                f"at least {MIN_VIDEOS} videos whose MOS differ. Label more videos, or change "
                "val_share and test_share in the --config file."
            )


def _datasets(
    parts: dict[str, list[LabelledVideo]], learner: Learner, cache: Path
) -> dict[str, VideoDataset]:
    """A dataset per split: features if the backbones are frozen, otherwise views."""
    settings = learner.settings
    bars = published(settings.model).sampling.cut_bars
    build = (
        FeatureBuilder(learner.network, backbones_sha256(learner.network), learner.device, bars)
        if settings.heads_only
        else ViewBuilder(bars)
    )
    return {
        name: VideoDataset(
            rows,
            build,
            seed=settings.seed,
            cached_samples=settings.cached_samples,
            cache=cache,
        )
        for name, rows in parts.items()
    }


def _read_all(
    datasets: dict[str, VideoDataset],
    workers: int,
    progress: Progress,
    stopping: Callable[[], bool],
) -> None:
    """Read every video once before the first step, to fill the cache and to find damaged videos.

    Raises:
        VideoError: a video cannot be read.
        KeyboardInterrupt: ``stopping`` returned True.
    """
    missing = {
        name: dataset.missing(0 if name == "train" else CENTRED)
        for name, dataset in datasets.items()
    }
    count = sum(len(keys) for keys in missing.values())
    done = 0
    for name, keys in missing.items():
        for _ in load_batches(datasets[name], [[key] for key in keys], workers):
            done += 1
            progress("reading", done, count)
            if stopping():
                raise KeyboardInterrupt


@contextmanager
def _report_memory() -> Iterator[None]:
    """Raise TrainingError if memory is exhausted.

    CUDA raises a type of its own; the CPU allocators only differ in their messages.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        cpu = "not enough memory" in str(error) or "can't allocate memory" in str(error)
        if not cpu and not isinstance(error, torch.OutOfMemoryError | MemoryError):
            raise
        reason = next(iter(str(error).splitlines()), "no memory left")
        raise TrainingError(
            f"Out of memory ({reason}). Use a smaller --batch-size, set 'checkpointing = true' in "
            "the --config file, or train with --head-only. Training resumes from the last "
            "checkpoint."
        ) from None


@contextmanager
def _deterministic(device: torch.device) -> Iterator[None]:
    """Use deterministic CUDA kernels where they exist."""
    if device.type != "cuda":
        yield
        return
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
