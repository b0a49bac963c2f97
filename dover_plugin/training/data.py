"""Videos as what the networks learn from: views drawn at random, the same again for a seed."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dover_plugin.networks import Dover
from dover_plugin.sampling import NUM_CLIPS, draw
from dover_plugin.training.labels import Labelled
from dover_plugin.video import open_source
from dover_plugin.views import Views, build_views, normalise

type Key = tuple[
    int, int
]  # of an example: (which draw, -1 for the centred one; index of the video)
type Batch = dict[str, Tensor]
type Maps = Callable[[Tensor], Tensor]
CENTRED = -1


class VideoExamples(Dataset[dict[str, Any]]):
    """Views of labelled videos, read when asked for.

    Args:
        labels: of the videos.
        seed: of the draws.
        clip_len: frames of each clip.
        flip: mirror every other example.
    """

    def __init__(
        self, labels: Sequence[Labelled], seed: int, clip_len: int, *, flip: bool = False
    ) -> None:
        self.labels = labels
        self._seed = seed
        self._clip_len = clip_len
        self._flip = flip

    def __getitem__(self, key: Key) -> dict[str, Any]:
        """The views, (clips, T, 224, 224, 3) uint8, one technical clip in training, and labels.

        Raises:
            VideoError: the video cannot be read.
        """
        number, index = key
        row = self.labels[index]
        rng = None if number == CENTRED else np.random.default_rng([self._seed, number, index])
        views = read_views(row, rng, self._clip_len)
        if self._flip and rng is not None and rng.random() < 0.5:
            views = Views(views.technical[:, :, :, ::-1], views.aesthetic[:, :, :, ::-1])
        return {
            "technical_view": torch.from_numpy(np.ascontiguousarray(views.technical)),
            "aesthetic_view": torch.from_numpy(np.ascontiguousarray(views.aesthetic)),
            **opinions_of(row),
        }


def read_views(row: Labelled, rng: np.random.Generator | None, clip_len: int) -> Views:
    """Views of one video: three centred technical clips without ``rng``, else one random."""
    source = open_source(row.file)
    chosen = draw(
        source.info.num_frames,
        source.info.height,
        source.info.width,
        rng,
        num_clips=1 if rng else NUM_CLIPS,
        clip_len=clip_len,
    )
    (views,) = build_views(source, [chosen])
    return views


def opinions_of(row: Labelled) -> dict[str, Tensor]:
    """The labels of one video as scalars."""
    return {
        name: torch.tensor(getattr(row, name), dtype=torch.float32)
        for name in ("overall", "technical", "aesthetic")
    }


def plan(count: int, batch_size: int, epochs: int, seed: int) -> list[list[Key]]:
    """The batches of a whole training, each epoch in an order of its own.

    A last batch of one is left out, since no correlation can be had of it.
    """
    batches = []
    for epoch in range(epochs):
        order = np.random.default_rng([seed, epoch]).permutation(count).tolist()
        keys = [(epoch, index) for index in order]
        cut = [keys[i : i + batch_size] for i in range(0, count, batch_size)]
        batches += [batch for batch in cut if len(batch) > 1]
    return batches


def load(
    examples: Dataset[dict[str, Any]], batches: Sequence[list[Key]], workers: int
) -> Iterator[Batch]:
    """Batches in order, read ahead by ``workers`` processes (0: by this one)."""
    loader: DataLoader[Any] = DataLoader(
        examples,
        batch_sampler=batches,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,
        prefetch_factor=4 if workers else None,
    )
    yield from loader


def raw_scores(
    network: Dover, batch: Batch, compiled: dict[str, Maps] | None = None
) -> tuple[Tensor, Tensor]:
    """Raw technical and aesthetic scores (N,) of a batch of views, or of features of them.

    Args:
        network: makes maps of local quality, whose means are the scores.
        batch: what examples give, stacked.
        compiled: what to call in place of the network's technical_map and aesthetic_map.
    """
    scores = []
    for branch in ("technical", "aesthetic"):
        if f"{branch}_features" in batch:
            features = batch[f"{branch}_features"]  # (N, clips, T, H, W, C)
            maps = getattr(network, f"{branch}_head")(features.flatten(0, 1).float())
        else:
            features = batch[f"{branch}_view"]  # (N, clips, T, 224, 224, 3)
            look = compiled[branch] if compiled else getattr(network, f"{branch}_map")
            maps = look(normalise(features.flatten(0, 1)))
        scores.append(maps.float().mean(dim=(1, 2, 3)).view(features.shape[:2]).mean(dim=1))
    return scores[0], scores[1]
