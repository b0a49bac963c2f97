"""Labelled videos as training samples: views or features, cached on disk or built on demand."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol
from zipfile import BadZipFile
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from dover_plugin import __version__
from dover_plugin.errors import DoverError, VideoError
from dover_plugin.evaluation.labels import LabelledVideo
from dover_plugin.io.open import open_source
from dover_plugin.networks import Dover
from dover_plugin.preprocessing.sampling import BRANCHES, draw
from dover_plugin.preprocessing.sampling_rule import DOVER
from dover_plugin.preprocessing.streaming import build_views
from dover_plugin.preprocessing.views import Views
from dover_plugin.training.features import clip_features
from dover_plugin.training.run_folder import write_error

type SampleKey = tuple[int, int]  # number of the sample, index of the video
type Arrays = dict[str, NDArray[Any]]
type Rng = np.random.Generator | None
RULE = DOVER  # of all models that can be trained, but for the bars
CENTRED = -1  # number of the centred sample, which validation and test use


class SampleBuilder(Protocol):
    """Builds samples of one video."""

    @property
    def name(self) -> str:
        """Identifies the kind of sample in the names of cache files."""
        ...

    def __call__(self, row: LabelledVideo, rngs: Sequence[Rng]) -> list[Arrays]:
        """One sample per generator; None gives the centred sample.

        A random sample has one technical clip, the centred sample has three.
        """
        ...


class VideoDataset(Dataset["dict[str, Tensor] | DoverError"]):
    """Samples of labelled videos.

    Args:
        labels: the videos and their labels.
        build: builds the samples of one video.
        seed: seed of the random samples.
        cached_samples: number of random samples of each video that are cached and reused in turn.
            All of them are built in one pass over the video. 0 disables the cache.
        cache: folder of the cached samples.
    """

    def __init__(
        self,
        labels: Sequence[LabelledVideo],
        build: SampleBuilder,
        *,
        seed: int,
        cached_samples: int,
        cache: Path,
    ) -> None:
        self.labels = labels
        self._build = build
        self._seed = seed
        self._cached_samples = cached_samples
        self._cache = cache

    def __getitem__(self, key: SampleKey) -> dict[str, Tensor] | DoverError:
        """The sample's tensors, and the MOS as ``overall``, ``technical`` and ``aesthetic``.

        Errors are returned because an exception in a worker process would lose its type.
        """
        number, index = key
        row = self.labels[index]
        try:
            arrays = (
                self._load(row, number) if self._cached_samples else self._new(row, [number])[0]
            )
        except DoverError as error:
            return error
        except OSError as error:  # the file has disappeared
            return VideoError(f"Cannot read '{row.file}': {error.strerror}. Restore the file.")
        labels = {name: getattr(row, name) for name in ("overall", *BRANCHES)}
        return {
            **{name: torch.from_numpy(array) for name, array in arrays.items()},
            **{name: torch.tensor(mos).float() for name, mos in labels.items()},
        }

    def missing(self, number: int) -> list[SampleKey]:
        """Keys of the videos whose sample ``number`` is not cached."""
        return [
            (number, index)
            for index, row in enumerate(self.labels)
            if not self._cached_samples or not self._file(row, number).exists()
        ]

    def _new(self, row: LabelledVideo, numbers: Sequence[int]) -> list[Arrays]:
        """Build samples in one pass over the video."""
        name = crc32(row.file.name.encode())
        return self._build(
            row,
            [
                None if number == CENTRED else np.random.default_rng([self._seed, number + 1, name])
                for number in numbers
            ],
        )

    def _load(self, row: LabelledVideo, number: int) -> Arrays:
        """A sample from the cache, which is filled first if necessary."""
        number = number if number == CENTRED else number % self._cached_samples
        file = self._file(row, number)
        arrays = _read(file)
        if arrays is None:
            numbers = [CENTRED] if number == CENTRED else list(range(self._cached_samples))
            file.parent.mkdir(parents=True, exist_ok=True)
            for each, built in zip(numbers, self._new(row, numbers), strict=True):
                _write(self._file(row, each), built)
            arrays = _read(file)
        if arrays is None:
            raise write_error(file, OSError("the written file cannot be read"))
        return arrays

    def _file(self, row: LabelledVideo, number: int) -> Path:
        status = row.file.stat()
        key = f"{__version__} {self._build.name} {row.file.resolve()} {status.st_size}"
        key += f" {status.st_mtime_ns} {number}"
        key += "" if number == CENTRED else f" {self._seed}"
        return self._cache / f"{sha256(key.encode()).hexdigest()[:24]}.npz"


@dataclass(frozen=True)
class ViewBuilder:
    """Views as uint8: ``technical_view`` and ``aesthetic_view`` (clips, 32, 224, 224, 3).

    Attributes:
        cut_bars: see SamplingRule.
    """

    cut_bars: bool = False

    @property
    def name(self) -> str:
        """See SampleBuilder."""
        return "views inside common bars" if self.cut_bars else "views"

    def __call__(self, row: LabelledVideo, rngs: Sequence[Rng]) -> list[Arrays]:
        """See SampleBuilder."""
        return [
            {f"{branch}_view": getattr(views, branch) for branch in BRANCHES}
            for views in read_views(row.file, rngs, cut_bars=self.cut_bars)
        ]


@dataclass(frozen=True)
class FeatureBuilder:
    """Features of frozen backbones as float16: ``technical_features`` ... (clips, T', 7, 7, C).

    Models that ignore black cells also have ``technical_black`` and ``aesthetic_black``.

    Attributes:
        network: network whose backbones run.
        sha256: hash of the backbones' weights.
        device: device of the network.
        cut_bars: see SamplingRule.
    """

    network: Dover
    sha256: str
    device: torch.device
    cut_bars: bool = False

    @property
    def name(self) -> str:
        """See SampleBuilder."""
        return f"features of {self.sha256}" + " inside common bars" * self.cut_bars

    def __call__(self, row: LabelledVideo, rngs: Sequence[Rng]) -> list[Arrays]:
        """See SampleBuilder."""
        found = read_views(row.file, rngs, cut_bars=self.cut_bars)
        return [self._features(views) for views in found]

    def _features(self, views: Views) -> Arrays:
        arrays: Arrays = {}
        with torch.inference_mode():
            for branch in BRANCHES:
                backbone = getattr(self.network, f"{branch}_backbone")
                clips = torch.from_numpy(getattr(views, branch)).to(self.device)
                # One clip at a time, to save memory.
                parts = [clip_features(backbone, clip[None]) for clip in clips]
                values = torch.cat([part.values for part in parts])
                arrays[f"{branch}_features"] = values.half().cpu().numpy()
                black = [part.black for part in parts if part.black is not None]
                if black:
                    arrays[f"{branch}_black"] = torch.cat(black).cpu().numpy()
        return arrays


def read_views(file: Path, rngs: Sequence[Rng], *, cut_bars: bool = False) -> list[Views]:
    """Views of one video, read in one pass.

    Args:
        file: the video.
        rngs: one random sample is taken per generator; None takes the centred sample.
        cut_bars: see SamplingRule.

    Raises:
        VideoError: the video cannot be read.
    """
    source = open_source(file)
    info = source.info
    rule = replace(RULE, cut_bars=cut_bars)
    one_clip = replace(rule, num_clips=1)
    draws = [
        draw(info.num_frames, info.height, info.width, rng, rule=one_clip if rng else rule)
        for rng in rngs
    ]
    return build_views(source, draws)


def _read(file: Path) -> Arrays | None:
    """Arrays of a cache file; None if it is missing or damaged."""
    try:
        with np.load(file) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, BadZipFile):
        return None


def _write(file: Path, arrays: Arrays) -> None:
    """Write a cache file atomically."""
    part = file.with_suffix(f".{os.getpid()}.part")
    try:
        with part.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)
        part.replace(file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise write_error(file, error) from None
