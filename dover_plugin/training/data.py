"""Which examples make a batch, how batches are read ahead, and what a network says of one."""

import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

from dover_plugin.errors import DoverError, SettingsError
from dover_plugin.interrupt import started_without_interrupts
from dover_plugin.networks import Dover
from dover_plugin.preprocessing.normalise import normalise
from dover_plugin.training.examples import BRANCHES, Key, VideoDataset

type Batch = dict[str, Tensor]
type Backbone = Callable[[Tensor], Tensor]


def plan(
    groups: Sequence[str], batch_size: int, epochs: int, seed: int, together: int = 1
) -> list[list[Key]]:
    """The batches of a whole training, each epoch in an order of its own.

    A last batch of one is left out, since no correlation can be had of it.

    Args:
        groups: of each training video.
        batch_size: videos of one step.
        epochs: passes over the videos.
        seed: of the orders.
        together: so many videos of one group stand side by side in a batch.

    Raises:
        SettingsError: no group has so many.
    """
    if max(Counter(groups).values()) < together:
        raise SettingsError(
            f"No group has {together} videos to stand together. Lower --together, or name groups."
        )
    batches = []
    for epoch in range(epochs):
        order = _order(groups, np.random.default_rng([seed, epoch]), together)
        keys = [(epoch, index) for index in order]
        cut = [keys[i : i + batch_size] for i in range(0, len(keys), batch_size)]
        batches += [batch for batch in cut if len(batch) > 1]
    return batches


def load(examples: VideoDataset, batches: Sequence[list[Key]], workers: int) -> Iterator[Batch]:
    """Batches in order, read ahead by ``workers`` processes (0: by this one).

    Raises:
        VideoError: a video cannot be read.
        SettingsError: a reading process died.
    """
    loader: DataLoader[Any] = DataLoader(
        examples,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=_stack,
        worker_init_fn=_leave_interrupts,
        multiprocessing_context="spawn" if workers else None,
        prefetch_factor=2 if workers else None,
        pin_memory=torch.cuda.is_available(),
    )
    with started_without_interrupts():
        batches_ahead = iter(loader)
    while True:
        try:
            batch = next(batches_ahead, None)
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise SettingsError(
                "A process that reads videos died, mostly for lack of memory. Take fewer --workers "
                "(0 reads in this process); the training goes on from its last checkpoint."
            ) from None
        if batch is None:
            return
        if isinstance(batch, DoverError):
            raise batch
        yield batch


def features_of(
    network: Dover, batch: Batch, compiled: dict[str, Backbone] | None = None
) -> dict[str, Tensor]:
    """Features of branches, (N, clips, T, H, W, C), of those of which the batch has something.

    Args:
        network: whose backbones run.
        batch: what examples give, stacked: features, or views that they are made of.
        compiled: backbones to call in place of the network's.
    """
    found = {}
    for branch in BRANCHES:
        if f"{branch}_features" in batch:
            found[branch] = batch[f"{branch}_features"].float()
        elif f"{branch}_view" in batch:
            view = batch[f"{branch}_view"]  # (N, clips, T, H, W, 3)
            backbone = compiled[branch] if compiled else getattr(network, f"{branch}_backbone")
            found[branch] = backbone(normalise(view.flatten(0, 1))).unflatten(0, view.shape[:2])
    return found


def raw_scores(network: Dover, features: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Raw technical and aesthetic scores (N,): means of maps of local quality.

    Args:
        network: whose heads run.
        features: what features_of gives.
    """
    technical, aesthetic = (branch_scores(network, branch, features[branch]) for branch in BRANCHES)
    return technical, aesthetic


def branch_scores(network: Dover, branch: str, features: Tensor) -> Tensor:
    """Raw scores (N,) of one branch, of its features."""
    maps = getattr(network, f"{branch}_head")(features.flatten(0, 1))
    return cast(Tensor, maps.float().mean(dim=(1, 2, 3)).view(features.shape[:2]).mean(dim=1))


def _stack(examples: list[dict[str, Tensor] | DoverError]) -> Batch | DoverError:
    """A batch, or the first error, which a worker hands over as it is."""
    for example in examples:
        if isinstance(example, DoverError):
            return example
    batch: Batch = default_collate(examples)
    return batch


def _leave_interrupts(_: int) -> None:
    """Where a process does not inherit that, as on Windows."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _order(groups: Sequence[str], rng: np.random.Generator, together: int) -> list[int]:
    """Every video once, or in chunks of one group, whose rests wait for another epoch."""
    mixed = rng.permutation(len(groups))
    if together == 1:
        return [int(index) for index in mixed]
    members: dict[str, list[int]] = {}
    for index in mixed:
        members.setdefault(groups[index], []).append(int(index))
    chunks = [
        found[start : start + together]
        for found in members.values()
        for start in range(0, len(found) - together + 1, together)
    ]
    return [index for chunk in rng.permutation(len(chunks)) for index in chunks[chunk]]
