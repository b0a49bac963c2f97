"""Batches: their order, reading them in worker processes, and the network's outputs for them."""

import signal
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

from dover_plugin.errors import DoverError, SettingsError
from dover_plugin.interrupt import started_without_interrupts
from dover_plugin.networks import Dover
from dover_plugin.preprocessing.normalise import normalise
from dover_plugin.preprocessing.sampling import BRANCHES
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


def branch_features(
    network: Dover, batch: Batch, branches: Sequence[str] = BRANCHES
) -> dict[str, Tensor]:
    """Features (N, clips, T', H, W, C) of the given branches.

    Args:
        network: network whose backbones run if the batch holds views.
        batch: collated samples of features or of views.
        branches: branches to compute.
    """
    features = {}
    for branch in branches:
        if f"{branch}_features" in batch:
            features[branch] = batch[f"{branch}_features"].float()
        else:
            view = batch[f"{branch}_view"]  # (N, clips, T, H, W, 3)
            backbone = getattr(network, f"{branch}_backbone")
            features[branch] = backbone(normalise(view.flatten(0, 1))).unflatten(0, view.shape[:2])
    return features


def raw_scores(network: Dover, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Raw scores (N,) by branch: means of the maps of local quality.

    Args:
        network: network whose heads run.
        features: features by branch, see branch_features.
    """
    scores = {}
    for branch, each in features.items():
        maps = getattr(network, f"{branch}_head")(each.flatten(0, 1))  # (N * clips, T', H, W)
        clips = maps.float().mean(dim=(1, 2, 3)).view(each.shape[:2])  # (N, clips)
        scores[branch] = cast(Tensor, clips.mean(dim=1))
    return scores


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
