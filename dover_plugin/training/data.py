"""Batches: their order, and reading them in worker processes."""

import signal
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

from dover_plugin.errors import DoverError, SettingsError
from dover_plugin.interrupt import started_without_interrupts
from dover_plugin.training.dataset import SampleKey, VideoDataset

type Batch = dict[str, Tensor]


def plan_batches(num_videos: int, batch_size: int, epochs: int, seed: int) -> list[list[SampleKey]]:
    """The batches of a whole run; each epoch has its own random order.

    A last batch of one video is left out because correlation losses need two.

    Args:
        num_videos: number of training videos.
        batch_size: number of videos per step.
        epochs: number of passes over the videos.
        seed: seed of the orders.
    """
    batches = []
    for epoch in range(epochs):
        order = np.random.default_rng([seed, epoch]).permutation(num_videos)
        keys = [(epoch, int(index)) for index in order]
        parts = [keys[i : i + batch_size] for i in range(0, num_videos, batch_size)]
        batches += [part for part in parts if len(part) > 1]
    return batches


def load_batches(
    dataset: VideoDataset, batches: Sequence[list[SampleKey]], workers: int
) -> Iterator[Batch]:
    """Batches in order, read ahead by ``workers`` processes; 0 reads in this process.

    Raises:
        VideoError: a video cannot be read.
        SettingsError: a worker process died.
    """
    loader: DataLoader[Any] = DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=_collate,
        worker_init_fn=_ignore_interrupts,
        multiprocessing_context="spawn" if workers else None,
        prefetch_factor=2 if workers else None,
        pin_memory=torch.cuda.is_available(),
    )
    with started_without_interrupts():
        iterator = iter(loader)
    while True:
        try:
            batch = next(iterator, None)
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise SettingsError(
                "A worker process that reads videos died, probably for lack of memory. Use fewer "
                "--workers (0 reads in the main process) and run the command again; training "
                "resumes from the last checkpoint."
            ) from None
        if batch is None:
            return
        if isinstance(batch, DoverError):
            raise batch
        yield batch


def _collate(samples: list[dict[str, Tensor] | DoverError]) -> Batch | DoverError:
    """A batch, or the first error that the dataset returned."""
    for sample in samples:
        if isinstance(sample, DoverError):
            return sample
    batch: Batch = default_collate(samples)
    return batch


def _ignore_interrupts(_: int) -> None:
    """Ignore Ctrl-C in a worker process, also on systems where that is not inherited."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
