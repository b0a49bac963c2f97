"""Measure a model against people's ratings, on ladders of real films, and for robustness.

Every set of photos, videos or films has its own table; sets are never pooled.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from dover_plugin import Calibration, Scorer
from dover_plugin.io.open import open_source
from dover_plugin.weights.registry import DEFAULT_MODEL, MODELS
from dover_plugin.weights.store import cached
from recipes.dover_open import robustness
from recipes.dover_open.baselines import bits_per_pixel
from recipes.dover_open.evaluation_cache import (
    SCORES,
    CachedBaselines,
    CachedScorer,
    Score,
    file_key,
)
from recipes.dover_open.evaluation_ratings import Rated, markdown, rate, read_ratings
from recipes.dover_open.film_ladders import find_films
from recipes.dover_open.film_results import (
    copy_results,
    copy_table,
    fall_table,
    ladder_results,
    order_table,
    score_films,
)

type Frames = NDArray[np.uint8]  # (T, H, W, 3) RGB

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
BITS = "bits per pixel"
SEED = 0


@dataclass(frozen=True)
class Options:
    """What is measured, and with what.

    Attributes:
        photos: folder of rated photos; None leaves them out, with ``labels``.
        labels: their table, with the columns "Image Name" and "MOS".
        videos: folder of rated videos; None leaves them out, with ``ratings``.
        ratings: their table, with the columns "file" and "mos".
        films: folder of real films for ladders and robustness; None leaves them out.
        model: name of the model.
        weights: a file in place of its packaged or published weights.
        calibration: a calibration file for these weights, or the JSON file packaged with them.
        cache: folder for scores and views; it can be deleted at any time.
        json: the file that all results are written to.
        baselines: whether simple metrics are measured beside the models.
        others: whether other models whose weights are on this machine are measured too.
        sample: measure only this many rated photos, chosen at random with a fixed seed.
        engine: see dover_plugin.Scorer.
    """

    photos: Path | None = None
    labels: Path | None = None
    videos: Path | None = None
    ratings: Path | None = None
    films: Path | None = None
    model: str = DEFAULT_MODEL
    weights: Path | None = None
    calibration: Path | None = None
    cache: Path = Path("evaluation-cache")
    json: Path | None = None
    baselines: bool = True
    others: bool = True
    sample: int | None = None
    engine: str = "auto"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to a parser."""
    for name, text in (
        ("photos", "Folder of rated photos."),
        ("labels", "CSV file with the columns 'Image Name' and 'MOS' of the photos."),
        ("videos", "Folder of rated videos."),
        ("ratings", "CSV file with the columns 'file' and 'mos' of the videos."),
        ("films", "Folder of real films that the model was not trained on."),
        ("weights", "Weights file; default: the packaged weights."),
        ("calibration", "Calibration file (JSON); default: the packaged one."),
        ("json", "Write all results to this file."),
    ):
        parser.add_argument(f"--{name}", type=Path, help=text)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="Model name.")
    parser.add_argument("--engine", default="auto", help="auto, torch, openvino or onnxruntime.")
    parser.add_argument(
        "--cache", type=Path, default=Options.cache, help="Folder that keeps scores and views."
    )
    parser.add_argument("--sample", type=int, help="Measure only this many of the rated photos.")
    for name, text in (
        ("baselines", "Measure sharpness, bits per pixel, BRISQUE and NIQE too."),
        ("others", "Measure other models whose weights are on this machine too."),
    ):
        parser.add_argument(
            f"--{name}", action=argparse.BooleanOptionalAction, default=True, help=text
        )


def from_arguments(arguments: argparse.Namespace) -> Options:
    """The options that a parser with ``add_arguments`` has read."""
    return Options(**{name: getattr(arguments, name) for name in Options.__dataclass_fields__})


def evaluate(options: Options, write: Callable[[str], object] = print) -> dict[str, Any]:
    """Measure everything that the options name.

    Args:
        options: see Options.
        write: receives each Markdown section as soon as it is known.

    Returns:
        All results, JSON-ready; also written to ``options.json``.

    Raises:
        SettingsError: a folder or table does not hold what it should.
    """
    models = _models(options)
    baselines = CachedBaselines(options.cache) if options.baselines else None
    results: dict[str, Any] = {"models": [model.about for model in models]}
    write("\n".join([f"## {models[0].name}", "", *(f"- {model.title}" for model in models)]))
    if options.photos and options.labels:
        rated = read_ratings(options.labels, options.photos)
        if options.sample:
            chosen = np.random.default_rng(SEED).permutation(len(rated))[: options.sample]
            rated = [rated[i] for i in sorted(chosen)]
        section, results["photos"] = _rated("Rated photos", rated, models, baselines)
        write(section)
    if options.videos and options.ratings:
        rated = read_ratings(options.ratings, options.videos)
        section, results["videos"] = _rated("Rated videos", rated, models, baselines)
        write(section)
    if options.films:
        section, results["films"] = _films(options.films, models, baselines)
        write(section)
        films = find_films(options.films)
        found = robustness.check_films(films, models[0].score, _progress("robustness"))
        _end_progress()
        results["robustness"] = found.to_dict()
        write(f"### Robustness of {models[0].name}\n\n{robustness.markdown(found)}")
    if options.json:
        options.json.write_text(json.dumps(_without_nan(results), indent=1) + "\n")
    return results


def _models(options: Options) -> list[CachedScorer]:
    """The chosen model first, then the packaged weights and other models that are there."""
    fusion = read_calibration(options.calibration) if options.calibration else None
    chosen = Scorer(
        options.model, "cpu", weights=options.weights, fusion=fusion, engine=options.engine
    )
    name = f"{options.model} ({options.weights.stem})" if options.weights else options.model
    found = [CachedScorer(name, chosen, options.cache)]
    if options.others:
        for other in MODELS:
            if cached(other).is_file() and (options.weights or other != options.model):
                scorer = Scorer(other, "cpu", engine=options.engine)
                found.append(CachedScorer(f"{other} (installed)", scorer, options.cache))
    return found


def read_calibration(path: Path) -> Calibration:
    """The calibration of a calibration file, or of the JSON file beside packaged weights."""
    held = json.loads(path.read_text())
    return Calibration(**{**held.get("calibration", held), "name": path.parent.name or path.stem})


def _rated(
    title: str,
    rated: Sequence[Rated],
    models: Sequence[CachedScorer],
    baselines: CachedBaselines | None,
) -> tuple[str, list[dict[str, object]]]:
    progress = _progress(title)
    scores: dict[str, list[float]] = {}
    for number, each in enumerate(rated, start=1):
        progress(f"{number} of {len(rated)}")
        reader = _Reader(each.path)
        key = f"rated/{file_key(each.path)}"
        for model in models:
            row = model.score(key, reader.frames, keep_views=not reader.photo)
            for name in (name for name in SCORES if name in row):
                scores.setdefault(f"{model.name} {name}", []).append(row[name])
        if baselines:
            for name, value in baselines.score(key, reader.frames).items():
                scores.setdefault(name, []).append(value)
            scores.setdefault(BITS, []).append(reader.bits_per_pixel())
    _end_progress()
    mos = [each.mos for each in rated]
    results = [found for name, values in scores.items() if (found := rate(name, values, mos))]
    return markdown(title, results, mos), [found.to_dict() for found in results]


def _films(
    folder: Path, models: Sequence[CachedScorer], baselines: CachedBaselines | None
) -> tuple[str, dict[str, object]]:
    films = find_films(folder)
    scorers: dict[str, Score] = {model.name: model.score for model in models}
    if baselines:
        scorers["baselines"] = partial(baselines.score, count=1)
    scored = score_films(films, scorers, _progress("ladders"))
    _end_progress()
    names: dict[str, tuple[str, tuple[str, ...]]] = {
        model.name: (model.name, SCORES) for model in models
    }
    if baselines:
        names |= {name: ("baselines", (name,)) for name in baselines.names}
    ladders = {name: ladder_results(scored[by], scores) for name, (by, scores) in names.items()}
    copies = {name: copy_results(scored[by], scores) for name, (by, scores) in names.items()}
    first = ladders[models[0].name]
    section = "\n\n".join(
        [
            f"### Ladders of {len(films)} films",
            order_table(ladders),
            fall_table(first),
            copy_table(copies),
            "Pairs in the wrong order:",
            "\n".join(f"- {each.distortion}: {pair}" for each in first for pair in each.wrong)
            or "None.",
        ]
    )
    return section, {
        "ladders": {name: [each.to_dict() for each in found] for name, found in ladders.items()},
        "copies": {name: [each.to_dict() for each in found] for name, found in copies.items()},
    }


class _Reader:
    """Frames of one photo or video, read once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._frames: Frames | None = None
        self.photo = path.suffix.lower() in PHOTO_SUFFIXES

    def frames(self) -> Frames:
        if self._frames is None:
            self._frames = read_photo(self._path) if self.photo else read_video(self._path)
        return self._frames

    def bits_per_pixel(self) -> float:
        size = self._path.stat().st_size
        if self.photo:
            with Image.open(self._path) as image:
                return bits_per_pixel(size, 1, *image.size)
        info = open_source(self._path).info
        return bits_per_pixel(size, info.num_frames, info.height, info.width)


def read_photo(path: Path) -> Frames:
    """(1, H, W, 3) of a photo, turned upright."""
    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))[None]


def read_video(path: Path) -> Frames:
    """(T, H, W, 3) of a whole video."""
    source = open_source(path)
    frames = source.frames(range(source.info.num_frames))
    return np.stack([np.array(frame) for _, frame in frames])


def _progress(title: str) -> Callable[[str], None]:
    def show(text: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{title}: {text}")
            sys.stderr.flush()

    return show


def _end_progress() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")


def _without_nan(value: Any) -> Any:
    """NaN, which JSON does not know, as None."""
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and value != value else value
