"""Features of frozen backbones, kept on disk, so that heads are trained without running them."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from dover_plugin.networks import Dover
from dover_plugin.training.data import CENTRED, Key, opinions_of, read_views
from dover_plugin.training.labels import Labelled
from dover_plugin.views import normalise

BRANCHES = ("technical", "aesthetic")


class FeatureExamples(Dataset[dict[str, Any]]):
    """Features of labelled videos, computed once for each of a few random draws and the centred.

    Args:
        labels: of the videos.
        seed: of the draws.
        draws: random ones of each video; epochs take them in turn.
        folder: where features are kept, as float16.
        network: whose backbones are frozen.
        base: SHA-256 of its weights, part of the names of the files.
        device: where the backbones run.
    """

    def __init__(
        self,
        labels: Sequence[Labelled],
        seed: int,
        draws: int,
        folder: Path,
        network: Dover,
        base: str,
        device: torch.device,
    ) -> None:
        self.labels = labels
        self._seed = seed
        self._draws = draws
        self._folder = folder
        self._network = network
        self._base = base
        self._device = device

    def __getitem__(self, key: Key) -> dict[str, Any]:
        """Features (clips, T, H, W, C) of each branch, and labels."""
        number, index = key
        row = self.labels[index]
        file = self._file(row, number if number == CENTRED else number % self._draws)
        with np.load(file) as arrays:
            features = {
                f"{branch}_features": torch.from_numpy(arrays[branch]) for branch in BRANCHES
            }
        return {**features, **opinions_of(row)}

    def compute(self, done: Callable[[int, int], None]) -> None:
        """Make what is missing.

        Args:
            done: told how many are there, of how many.

        Raises:
            VideoError: a video cannot be read.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        wanted = [(row, number) for row in self.labels for number in (CENTRED, *range(self._draws))]
        for count, (row, number) in enumerate(wanted):
            file = self._file(row, number)
            if not file.exists():
                part = file.with_suffix(".part")
                with part.open("wb") as stream:
                    np.savez(stream, **self._compute(row, number))
                part.replace(file)
            done(count + 1, len(wanted))

    def _compute(self, row: Labelled, number: int) -> dict[str, Any]:
        rng = None if number == CENTRED else np.random.default_rng([self._seed, number])
        views = read_views(row, rng, 32)
        found = {}
        with torch.inference_mode():
            for branch in BRANCHES:
                clips = torch.from_numpy(getattr(views, branch)).to(self._device)
                backbone = getattr(self._network, f"{branch}_backbone")
                features = torch.cat([backbone(normalise(clip[None])) for clip in clips])
                found[branch] = features.half().cpu().numpy()
        return found

    def _file(self, row: Labelled, number: int) -> Path:
        seen = row.file.stat()
        key = f"{self._base} {row.file.resolve()} {seen.st_size} {seen.st_mtime_ns} {number}"
        key += "" if number == CENTRED else f" {self._seed}"
        return self._folder / f"{sha256(key.encode()).hexdigest()[:24]}.npz"
