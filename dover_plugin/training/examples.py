"""Labelled videos as what is learnt from: views or features, drawn anew or kept on disk."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
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
from dover_plugin.preprocessing.normalise import normalise
from dover_plugin.preprocessing.sampling import FRAGMENT, GRID, NUM_CLIPS, VIEW, draw
from dover_plugin.preprocessing.views import Picture, Views, aesthetic_picture, build_views
from dover_plugin.training.run import cannot_write
from dover_plugin.training.synthetic.degradations import spoil_light

type Key = tuple[int, int]  # of an example: which draw, index of the video
type Rng = np.random.Generator | None
CENTRED = -1  # the draw that validation takes
BRANCHES = ("technical", "aesthetic")
APART = 1.25  # times 224 lines, from which fragments of a picture hardly touch each other
WIDE = 16 / 9  # width by height of the pictures that cut-outs are taken from


class Maker(Protocol):
    """Makes the tensors of one video."""

    @property
    def name(self) -> str:
        """Of what is made; part of the names of kept files."""
        ...

    def __call__(self, row: LabelledVideo, rngs: Sequence[Rng]) -> list[dict[str, NDArray[Any]]]:
        """Of each draw: one random technical clip with a generator, three centred ones without."""
        ...


class VideoDataset(Dataset["dict[str, Tensor] | DoverError"]):
    """Labelled videos.

    Args:
        labels: of the videos.
        make: makes the tensors.
        seed: of the random draws.
        draws: keep so many of each video, which epochs take in turn, all made from one reading;
            0 draws anew every time.
        folder: where they are kept.
        flip: mirror every other example.
        spoil_light: spoil light or colour of every other example, and lower its opinions, but for
            the technical one.
        window: side of what is seen of both views, in pixels.
    """

    def __init__(
        self,
        labels: Sequence[LabelledVideo],
        make: Maker,
        *,
        seed: int,
        draws: int,
        folder: Path,
        flip: bool = False,
        spoil_light: bool = False,
        window: int = VIEW,
    ) -> None:
        self.labels = labels
        self._make = make
        self._seed = seed
        self._draws = draws
        self._folder = folder
        self._flip = flip
        self._spoil_light = spoil_light
        self._window = window

    def __getitem__(self, key: Key) -> dict[str, Tensor] | DoverError:
        """What ``make`` makes, as tensors, and ``overall``, ``technical``, ``aesthetic`` opinions.

        And ``also``, where labels tell more.

        What goes wrong is given as an error, since a worker's exception would lose its type.
        """
        number, index = key
        row = self.labels[index]
        try:
            arrays = self._kept(row, number) if self._draws else self._fresh(row, [number])[0]
        except DoverError as error:
            return error
        except OSError as error:  # the video went away
            return VideoError(f"Cannot read '{row.file}': {error.strerror}. Get it anew.")
        opinions = {name: getattr(row, name) for name in ("overall", *BRANCHES)}
        also = dict(row.also)
        if number != CENTRED:
            rng = np.random.default_rng([self._seed, number + 1, crc32(row.file.name.encode()), 1])
            if row.cut_from > APART * VIEW and "technical_view" in arrays:
                arrays["technical_view"] = _shuffled(arrays["technical_view"], rng)
            arrays = self._varied(arrays, rng)
            if self._spoil_light and rng.random() < 0.5:
                arrays, fault, level, kept = spoil_light(arrays, rng)
                if (step := f"fault_{fault}") in also:
                    also[step] = max(also[step], level)
                opinions = {n: o if n == "technical" else kept * o for n, o in opinions.items()}
        return {
            **{name: torch.from_numpy(array.copy()) for name, array in arrays.items()},
            **{name: torch.tensor(value).float() for name, value in opinions.items()},
            **({"also": torch.tensor(list(also.values())).float()} if also else {}),
        }

    def _varied(
        self, views: dict[str, NDArray[Any]], rng: np.random.Generator
    ) -> dict[str, NDArray[Any]]:
        """A window of each view, whole fragments of the technical one, and perhaps mirrored."""
        if not (self._window < VIEW or self._flip):
            return views
        last = (VIEW - self._window) // FRAGMENT
        top, left = FRAGMENT * rng.integers(0, last + 1, 2)
        step = -1 if self._flip and rng.random() < 0.5 else 1
        return {
            name: view[:, :, top : top + self._window, left : left + self._window][:, :, :, ::step]
            for name, view in views.items()
        }

    def missing(self, number: int) -> list[Key]:
        """Of this draw of each video, those that are not on disk."""
        return [
            (number, index)
            for index, row in enumerate(self.labels)
            if not self._draws or not self._file(row, number).exists()
        ]

    def _fresh(self, row: LabelledVideo, numbers: Sequence[int]) -> list[dict[str, NDArray[Any]]]:
        """What these draws give, from one reading of the video."""
        name = crc32(row.file.name.encode())
        return self._make(
            row,
            [
                None if number == CENTRED else np.random.default_rng([self._seed, number + 1, name])
                for number in numbers
            ],
        )

    def _kept(self, row: LabelledVideo, number: int) -> dict[str, NDArray[Any]]:
        number = number if number == CENTRED else number % self._draws
        file = self._file(row, number)
        found = _read(file)
        if found is None:
            numbers = [CENTRED] if number == CENTRED else list(range(self._draws))
            file.parent.mkdir(parents=True, exist_ok=True)
            for each, arrays in zip(numbers, self._fresh(row, numbers), strict=True):
                self._write(self._file(row, each), arrays)
            found = _read(file)
        if found is None:
            raise cannot_write(file, OSError("what was written cannot be read"))
        return found

    @staticmethod
    def _write(file: Path, arrays: dict[str, NDArray[Any]]) -> None:
        part = file.with_suffix(f".{os.getpid()}.part")
        try:
            with part.open("wb") as stream:
                np.savez(stream, allow_pickle=False, **arrays)
            part.replace(file)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise cannot_write(file, error) from None

    def _file(self, row: LabelledVideo, number: int) -> Path:
        seen = row.file.stat()
        key = f"{self._make.name} {row.file.resolve()} {seen.st_size} {seen.st_mtime_ns} {number}"
        key += f" {row.cut_from}" if row.cut_from else ""
        key += f" {__version__}"  # another may make them otherwise
        key += "" if number == CENTRED else f" {self._seed}"
        return self._folder / f"{sha256(key.encode()).hexdigest()[:24]}.npz"


def _read(file: Path) -> dict[str, NDArray[Any]] | None:
    """What is kept there; None if there is nothing, or nothing whole."""
    try:
        with np.load(file) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, BadZipFile):
        return None


@dataclass(frozen=True)
class MakeViews:
    """Views as uint8: ``technical_view`` and ``aesthetic_view`` (clips, T, 224, 224, 3)."""

    clip_len: int

    @property
    def name(self) -> str:
        """Of what is made."""
        return f"views of {self.clip_len}"

    def __call__(self, row: LabelledVideo, rngs: Sequence[Rng]) -> list[dict[str, NDArray[Any]]]:
        """See Maker."""
        return [
            {f"{branch}_view": getattr(views, branch) for branch in BRANCHES}
            for views in read_views(row, rngs, self.clip_len)
        ]


@dataclass(frozen=True)
class MakeFeatures:
    """Features of frozen backbones as float16: ``technical_features`` ... (clips, T, H, W, C).

    Attributes:
        network: whose backbones run.
        sha256: of its backbones.
        device: where they run.
        clip_len: frames of a clip.
    """

    network: Dover
    sha256: str
    device: torch.device
    clip_len: int

    @property
    def name(self) -> str:
        """Of what is made."""
        return f"features of {self.clip_len} by {self.sha256}"

    def __call__(self, row: LabelledVideo, rngs: Sequence[Rng]) -> list[dict[str, NDArray[Any]]]:
        """See Maker."""
        return [self._features(views) for views in read_views(row, rngs, self.clip_len)]

    def _features(self, views: Views) -> dict[str, NDArray[Any]]:
        found = {}
        with torch.inference_mode():
            for branch in BRANCHES:
                clips = torch.from_numpy(getattr(views, branch)).to(self.device)
                backbone = getattr(self.network, f"{branch}_backbone")
                features = torch.cat([backbone(normalise(clip[None])) for clip in clips])
                found[f"{branch}_features"] = features.half().cpu().numpy()
        return found


def read_views(row: LabelledVideo, rngs: Sequence[Rng], clip_len: int) -> list[Views]:
    """Views of one video, read once: three centred technical clips, or with a generator one."""
    source = open_source(row.file)
    info = source.info
    draws = [
        draw(
            info.num_frames,
            info.height,
            info.width,
            rng,
            num_clips=1 if rng else NUM_CLIPS,
            clip_len=clip_len,
        )
        for rng in rngs
    ]
    found = build_views(source, draws)
    if row.cut_from:
        wanted = {int(index) for drawn in draws for index in drawn.aesthetic}
        for index, frame in source.frames(sorted(wanted)):
            tiled = _tiled(frame, row.cut_from)
            for views, drawn in zip(found, draws, strict=True):
                views.aesthetic[0, drawn.aesthetic == index] = tiled
    return found


def _shuffled(view: Picture, rng: np.random.Generator) -> Picture:
    """A technical view (clips, T, 224, 224, 3) with its fragments elsewhere.

    In a cut-out they touch each other, which those of the whole picture do not: where they meet,
    what lies there does not go on.
    """
    grid = np.stack(np.split(np.stack(np.split(view, GRID, axis=2)), GRID, axis=4))
    order = rng.permutation(GRID * GRID)
    mixed = grid.reshape(GRID * GRID, *grid.shape[2:])[order].reshape(grid.shape)
    shuffled: Picture = np.concatenate(np.concatenate(mixed, axis=4), axis=2)
    return shuffled


def _tiled(frame: Picture, cut_from: int) -> Picture:
    """A cut-out as small as it is in the aesthetic view of the picture that it is cut out of.

    Mirrored tiles fill the view (224, 224, 3), since the rest of the picture is not known.
    """
    sides = (cut_from, cut_from * WIDE)
    height, width = (
        min(VIEW, max(1, round(VIEW * cut / whole)))
        for cut, whole in zip(frame.shape[:2], sides, strict=True)
    )
    tile = aesthetic_picture(frame, height, width)
    return np.pad(tile, ((0, VIEW - height), (0, VIEW - width), (0, 0)), mode="symmetric")
