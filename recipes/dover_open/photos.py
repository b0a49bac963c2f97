"""Rated photographs of BIQ2021: reading, splitting and view frames.

A photograph is scored as a video of one frame. Each gets its centred view frames, as in scoring,
and variants for training: fragments at random offsets, and random crops of the whole frame.
"""

import csv
import hashlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from PIL import Image

from dover_plugin.preprocessing.bars import without_bars
from dover_plugin.preprocessing.pictures import aesthetic_picture, technical_mosaic
from dover_plugin.preprocessing.sampling import VIEW, SamplingRule, draw

VALIDATION_SHARE = 10  # one in ten training photographs is held out
SAVE_EVERY = 500  # photographs
VARIANTS = 3  # view frames of each branch per photograph; the first one is centred or whole
SMALLEST_CROP = 0.8  # of each side of a photograph
TABLES = {"train": "Train (Images and MOS).csv", "test": "Test (Images and MOS).csv"}

type Split = Literal["train", "val", "test"]
type Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Photo:
    """A rated photograph.

    Attributes:
        file: path of the image.
        mos: mean opinion score in [0, 1].
        split: "train", "val" (held out of the official training split) or "test".
    """

    file: Path
    mos: float
    split: Split


def read_photos(folder: Path, table: Literal["train", "test"]) -> list[Photo]:
    """Photographs of an official split, in the order of its table.

    Args:
        folder: of the data set, with "Images" and the two tables.
        table: official split; "train" is divided into train and val by a hash of the file name.
    """
    with (folder / TABLES[table]).open(newline="", encoding="utf-8-sig") as file:
        rows = [(row["Image Name"], float(row["MOS"])) for row in csv.DictReader(file)]
    present = {file.name.lower(): file for file in (folder / "Images").iterdir()}
    return [
        Photo(present[name.lower()], mos, "test" if table == "test" else _split(name))
        for name, mos in rows  # one name of the table differs from its file in case
    ]


def _split(name: str) -> Split:
    digest = hashlib.sha256(name.encode()).digest()
    return "val" if int.from_bytes(digest[:4]) % VALIDATION_SHARE == 0 else "train"


def make_views(photo: Photo, variants: int = VARIANTS) -> tuple[Pixels, Pixels]:
    """View frames of a photograph inside its black bars.

    Args:
        photo: to be read.
        variants: view frames per branch.

    Returns:
        Technical and aesthetic frames, (variants, 224, 224, 3) each.
    """
    with Image.open(photo.file) as image:
        frame = np.asarray(image.convert("RGB"))
    frame = without_bars(frame)
    height, width = frame.shape[:2]
    rng = np.random.default_rng(list(photo.file.name.encode()))
    technical, aesthetic = np.empty((2, variants, VIEW, VIEW, 3), np.uint8)
    for variant in range(variants):
        chosen = draw(1, height, width, rng if variant else None, rule=SamplingRule(num_clips=1))
        technical[variant] = technical_mosaic(frame, chosen.offsets[0])
        aesthetic[variant] = aesthetic_picture(_crop(frame, rng) if variant else frame)
    return technical, aesthetic


def cache_views(folder: Path, target: Path, table: Literal["train", "test"], workers: int) -> None:
    """Write the view frames of all photographs of a split; resumes where an earlier call stopped.

    Files: technical.npy and aesthetic.npy, (N, variants, 224, 224, 3) uint8; mos.npy (N,) float32;
    held_out.npy (N,) bool.

    Args:
        folder: of the data set.
        target: folder to write to.
        table: official split; "test" gets centred views only.
        workers: processes.
    """
    photos = read_photos(folder, table)
    progress = target / "progress.txt"
    begin = int(progress.read_text()) if progress.exists() else 0
    if begin == len(photos):
        return
    target.mkdir(parents=True, exist_ok=True)
    np.save(target / "held_out.npy", np.array([photo.split == "val" for photo in photos]))
    np.save(target / "mos.npy", np.array([photo.mos for photo in photos], np.float32))
    variants = VARIANTS if table == "train" else 1
    shape = (len(photos), variants, VIEW, VIEW, 3)
    files = [
        open_memmap(target / f"{branch}.npy", "r+" if begin else "w+", np.uint8, shape)
        for branch in ("technical", "aesthetic")
    ]
    with ProcessPoolExecutor(workers) as pool:
        make = partial(make_views, variants=variants)
        for index, views in enumerate(pool.map(make, photos[begin:], chunksize=16), begin):
            for file, frames in zip(files, views, strict=True):
                file[index] = frames
            if (index + 1) % SAVE_EVERY == 0 or index + 1 == len(photos):
                for file in files:
                    file.flush()
                progress.write_text(str(index + 1))


def _crop(frame: Pixels, rng: np.random.Generator) -> Pixels:
    """A random part of ``frame`` with at least SMALLEST_CROP of each side."""
    height, width = frame.shape[:2]
    rows, cols = (int(side * rng.uniform(SMALLEST_CROP, 1)) for side in (height, width))
    top, left = rng.integers(0, height - rows + 1), rng.integers(0, width - cols + 1)
    return frame[top : top + rows, left : left + cols]
