"""Command line of the recipe: one command per step, and all of them."""

import argparse
import logging
import multiprocessing
import shutil
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from recipes.dover_open import evaluate as evaluation
from recipes.dover_open import ladders as ladder_maker
from recipes.dover_open.backbone import pretrained_trunk
from recipes.dover_open.config import read_recipe
from recipes.dover_open.features import cache_features
from recipes.dover_open.fit import fit_branch
from recipes.dover_open.ladder_groups import shards
from recipes.dover_open.pack import BRANCHES
from recipes.dover_open.pack import pack as pack_weights
from recipes.dover_open.photos import cache_views

SPACE = 23e9  # bytes of all caches

app = typer.Typer(help="Train dover-open from rated photographs and degradation ladders.")
log = logging.getLogger(__name__)

Build = Annotated[Path, typer.Option(help="Folder for caches and results.")]
Biq = Annotated[Path, typer.Option(help="Folder of BIQ2021.")]
Sources = Annotated[Path, typer.Option(help="Folder of the free videos and photographs.")]
Workers = Annotated[int, typer.Option(help="Processes or threads.")]
DEFAULT_BUILD, DEFAULT_BIQ, DEFAULT_SOURCES = (
    Path("build/dover-open"), Path("sources/biq2021"), Path("sources"),
)  # fmt: skip


@app.command()
def photos(build: Build = DEFAULT_BUILD, biq: Biq = DEFAULT_BIQ, workers: Workers = 2) -> None:
    """Cache the view frames of the rated photographs."""
    cache_views(biq, build / "photos", "train", workers)


@app.command()
def ladders(
    build: Build = DEFAULT_BUILD, sources: Sources = DEFAULT_SOURCES, workers: Workers = 2
) -> None:
    """Make the degradation ladders."""
    ladder_maker.make(sources, build / "ladders", workers=workers, seed=read_recipe().seed)


@app.command()
def features(build: Build = DEFAULT_BUILD, workers: Workers = 2) -> None:
    """Cache the outputs of the frozen stages."""
    recipe, trunk = read_recipe(), pretrained_trunk()
    for branch in BRANCHES:
        views = np.load(build / "photos" / f"{branch}.npy", mmap_mode="r")
        for variant in range(recipe.photos.variants):
            target = build / "photo_features" / f"{branch}-{variant}"
            cache_features(views[:, variant], target, trunk, recipe, workers)
        for shard in shards(build / "ladders"):
            frames = np.load(shard / f"{branch}.npy", mmap_mode="r")
            target = build / "ladder_features" / shard.name / branch
            cache_features(frames, target, trunk, recipe, workers)


@app.command()
def fit(build: Build = DEFAULT_BUILD) -> None:
    """Fine-tune both branches, each in a process of its own with one thread."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=fit_branch, args=(branch, build)) for branch in BRANCHES]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise typer.Exit(1)


@app.command()
def pack(build: Build = DEFAULT_BUILD) -> None:
    """Write the weights and their calibration."""
    report = pack_weights(build / "fit", build / "photos", build / "packed")
    log.info("%s", report)


@app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    }
)
def evaluate(context: typer.Context) -> None:
    """Compare models and baselines on rated videos, rated photographs and degraded videos."""
    parser = argparse.ArgumentParser(prog="python -m recipes.dover_open evaluate")
    evaluation.add_arguments(parser)
    options = evaluation.from_arguments(parser.parse_args(context.args))
    evaluation.evaluate(options, typer.echo)


@app.command(name="all")
def all_steps(
    build: Build = DEFAULT_BUILD,
    biq: Biq = DEFAULT_BIQ,
    sources: Sources = DEFAULT_SOURCES,
    workers: Workers = 2,
) -> None:
    """Run every step from the data to the weights; resumes where an earlier call stopped."""
    check_space(build)
    photos(build, biq, workers)
    ladders(build, sources, workers)
    features(build, workers)
    fit(build)
    pack(build)


def check_space(build: Path) -> None:
    """Raise BadParameter unless the caches fit: memory-mapped files end the process on a full disk.

    Args:
        build: folder of the caches; what it holds already counts.
    """
    build.mkdir(parents=True, exist_ok=True)
    # st_blocks counts what is written; the files of a stopped run are sparse.
    used = sum(512 * file.stat().st_blocks for file in build.rglob("*") if file.is_file())
    missing = SPACE - used - shutil.disk_usage(build).free
    if missing > 0:
        raise typer.BadParameter(
            f"The caches need {SPACE / 1e9:.0f} GB, and {missing / 1e9:.1f} GB are missing in "
            f"'{build}'. Free disk space, or pass another folder with --build."
        )


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(message)s")
    logging.getLogger("recipes").setLevel(logging.INFO)  # not those of the exporter
    log.setLevel(logging.INFO)
    app()
