"""Degradation ladders: views of one content at rising severity of one distortion.

Every content has one clean frame (level 0, ladder "reference") that all its ladders start from.
``group`` names the rows of one ladder; its level-0 row is the row of the same ``content`` whose
ladder is "reference". A higher level of a ladder with ``expect`` "worse" is worse; a row with
``expect`` "same" has the quality of the reference. A content whose name ends in "+clean" is the
state before pre-degradation of the content without this ending.

Splits go by the name of the source file, with one rule for all sources, see sources.py; for rated
photos it is the rule of photos.py.
"""

import csv
import shutil
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from recipes.dover_open import sources as files
from recipes.dover_open.ladder_plan import VIEWS, Content, Plan, Row

SHARD = 100  # contents


def contents(folder: Path, seed: int) -> list[Content]:
    """All contents of a folder of sources, in random order, so that shards are alike."""
    found = []
    for source in files.listed():
        names = [source.file] * source.contents
        if source.file == files.RATED:
            photos = files.rated_photos(folder / files.RATED, source.contents, seed)
            names = [photo.file.name for photo in photos]
        for part, name in enumerate(names):
            content = f"{Path(name).stem}-{part}"
            split = files.split_of(name)
            found.append(Content(content, split, name, part, source.contents))
    order = np.random.default_rng(seed).permutation(len(found))
    return [found[i] for i in order]


def make(sources: Path, target: Path, *, workers: int, seed: int) -> list[Path]:
    """Make all shards; a shard that is there is kept, so that a second call resumes.

    Args:
        sources: folder of the files that sources.csv lists.
        target: receives a folder per shard, with technical.npy and aesthetic.npy
            (M, 224, 224, 3) uint8, and table.csv.
        workers: processes.
        seed: of everything random; the rows do not depend on ``workers``.

    Returns:
        The folders of all shards.
    """
    every = contents(sources, seed)
    folders = []
    for number, start in enumerate(range(0, len(every), SHARD)):
        folder = target / f"{number:03}"
        folders.append(folder)
        if not folder.exists():
            _write_shard(every[start : start + SHARD], sources, folder, workers, seed)
    return folders


def _write_shard(
    every: Sequence[Content], sources: Path, folder: Path, workers: int, seed: int
) -> None:
    unfinished = folder.with_name(folder.name + ".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    rows = list(_rows(every, sources, workers, seed))
    for view in VIEWS:
        np.save(unfinished / f"{view}.npy", np.stack([getattr(row, view) for row in rows]))
    with (unfinished / "table.csv").open("w", encoding="utf-8", newline="") as file:
        lines = [row.line(number) for number, row in enumerate(rows)]
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    unfinished.rename(folder)


def _rows(every: Sequence[Content], sources: Path, workers: int, seed: int) -> Iterator[Row]:
    job = partial(rows_of, folder=sources, seed=seed)
    if workers == 1:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # as in the workers: sums depend on it in the last bits
        try:
            for content in every:
                yield from job(content)
        finally:
            torch.set_num_threads(threads)
        return
    with ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        for rows in pool.map(job, every):
            yield from rows


def rows_of(content: Content, folder: Path, seed: int) -> list[Row]:
    """All rows of one content, a function of its files and the seed.

    Args:
        content: what to make.
        folder: of the sources.
        seed: of everything random.
    """
    rng = np.random.default_rng([seed, zlib.crc32(content.name.encode())])
    rated = folder / files.RATED / "Images" / content.source
    path = folder / content.source
    if rated.is_file():
        shot = files.rated_shot(rated, rng)
    elif path.suffix in files.PHOTOS:
        shot = files.photo_shot(path, rng)
    else:
        shot = files.film_shot(path, content.part, content.parts, rng)
    if rng.random() < files.NIGHT:
        shot = files.night_shot(shot, rng)
    if rng.random() < files.BARRED:
        shot = files.barred_shot(shot, rng)
    return Plan(content, shot, rng, rated=rated.is_file()).rows()
