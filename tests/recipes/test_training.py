"""The recipe from rated photographs and ladders to packaged weights, on a few small pictures."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from numpy.typing import NDArray
from PIL import Image

from dover_plugin import Scorer
from dover_plugin.preprocessing.pictures import Picture
from recipes.dover_open import fit as fitting
from recipes.dover_open.__main__ import check_space
from recipes.dover_open.backbone import pretrained_trunk
from recipes.dover_open.config import Recipe, read_recipe
from recipes.dover_open.features import cache_features
from recipes.dover_open.fit import Fit, LadderData, PhotoData
from recipes.dover_open.pack import BRANCHES, pack
from recipes.dover_open.photos import TABLES, cache_views, make_views, read_photos

PHOTOS = 60
CONTENTS = 6


def picture(rng: np.random.Generator, quality: float) -> Picture:
    """Coloured shapes, the blurrier the lower the quality."""
    coarse = rng.integers(0, 256, (12, 12, 3), np.uint8)
    image = Image.fromarray(coarse).resize((160, 160), Image.Resampling.NEAREST)
    side = max(6, int(160 * quality))
    return np.asarray(image.resize((side, side)).resize((160, 160)))


def write_photos(folder: Path) -> None:
    (folder / "Images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    with (folder / TABLES["train"]).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["Image Name", "MOS"])
        for number in range(PHOTOS):
            mos = rng.uniform(0.05, 0.95)
            name = f"P{number}.png"
            Image.fromarray(picture(rng, mos)).save(folder / "Images" / name)
            table.writerow([name, mos])


def write_ladders(folder: Path) -> None:
    """One shard, of rows as ladders.py writes them."""
    folder.mkdir(parents=True)
    lines, views = [], []
    for content in range(CONTENTS):
        for ladder, level in [("reference", 0), ("defocus", 1), ("defocus", 2), ("dither", 1)]:
            frame = picture(np.random.default_rng([1, content]), 0.9 - 0.4 * level)
            views.append(np.asarray(Image.fromarray(frame).resize((224, 224))))
            lines.append(
                {
                    "content": f"c{content}",
                    "split": "val" if content == 0 else "train",
                    "ladder": ladder,
                    "level": level,
                    "expect": "same" if ladder == "dither" else "worse",
                    "branch": "technical",
                }
            )
    for branch in BRANCHES:
        np.save(folder / f"{branch}.npy", np.stack(views))
    with (folder / "table.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    """The real recipe with small batches."""
    real = read_recipe()
    return replace(
        real,
        photos=replace(real.photos, batch=8),
        ladders=replace(real.ladders, batch=4),
        fit=replace(real.fit, epochs=1, warmup=2),
    )


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> Path:
    """Caches of views and features."""
    build = tmp_path_factory.mktemp("recipe")
    write_photos(build / "biq")
    cache_views(build / "biq", build / "photos", "train", 1)
    write_ladders(build / "ladders/000")
    trunk = pretrained_trunk()
    for branch in BRANCHES:
        views = np.load(build / "photos" / f"{branch}.npy", mmap_mode="r")
        for variant in range(recipe.photos.variants):
            target = build / "photo_features" / f"{branch}-{variant}"
            cache_features(views[:, variant], target, trunk, recipe, 1)
        frames = np.load(build / "ladders/000" / f"{branch}.npy")
        cache_features(frames, build / "ladder_features/000" / branch, trunk, recipe, 1)
    return build


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(fitting, "SAVE_EVERY", 2)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make_fit(build: Path, recipe: Recipe, branch: fitting.BranchName, folder: Path) -> Fit:
    photos = PhotoData.open(build / "photos", build / "photo_features", branch, recipe)
    ladders = LadderData.open(build / "ladders", build / "ladder_features", branch)
    return Fit(branch, recipe, photos, ladders, folder)


def weights(folder: Path, branch: str) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(folder / f"{branch}.pt", weights_only=True)
    return state


def test_photographs_inside_bars(tmp_path: Path) -> None:
    """A photograph with bars gives the views of the photograph without them."""
    found: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
    for bar in (0, 40):
        folder = tmp_path / str(bar)
        write_photos(folder)
        file = folder / "Images/P0.png"
        frame = np.maximum(np.asarray(Image.open(file)), 30)
        Image.fromarray(np.pad(frame, ((bar, bar), (0, 0), (0, 0)))).save(file)
        found.append(make_views(read_photos(folder, "train")[0], 1))
    for plain, cut in zip(*found, strict=True):
        np.testing.assert_array_equal(plain, cut)


@pytest.mark.timeout(300)
def test_an_interrupted_fit_gives_the_same_weights(
    build: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make_fit(build, recipe, "technical", tmp_path / "whole")
    assert whole.steps > 5
    whole.run()

    interrupted = make_fit(build, recipe, "technical", tmp_path / "parts")
    step = interrupted._train_step

    def stop() -> float:
        if interrupted.step == 5:  # the last checkpoint is that of step 4
            raise KeyboardInterrupt
        return step()

    monkeypatch.setattr(interrupted, "_train_step", stop)
    with pytest.raises(KeyboardInterrupt):
        interrupted.run()
    assert not (tmp_path / "parts/technical.pt").exists()
    resumed = make_fit(build, recipe, "technical", tmp_path / "parts")
    assert resumed.step == 4
    resumed.run()

    expected, found = (weights(tmp_path / name, "technical") for name in ("whole", "parts"))
    assert expected.keys() == found.keys()
    for name, values in expected.items():
        assert torch.equal(values, found[name]), name
    start = {
        k: v for k, v in pretrained_trunk().state_dict().items() if k.endswith("expand.0.0.weight")
    }
    moved = [not torch.equal(v, expected[f"backbone.trunk.{k}"]) for k, v in start.items()]
    assert any(moved)
    assert not all(moved)  # the first stages keep their ImageNet weights


@pytest.mark.timeout(300)
def test_packed_weights_can_be_used(build: Path, recipe: Recipe, tmp_path: Path) -> None:
    for branch in BRANCHES:
        make_fit(build, recipe, branch, tmp_path / "fit").run()
    report = pack(tmp_path / "fit", build / "photos", tmp_path / "packed")
    assert set(report) == {"srocc", "error", "calibration"}
    scorer = Scorer(
        "dover-open", "cpu", engine="torch", weights=tmp_path / "packed/dover-open.safetensors"
    )
    scores = scorer.score(picture(np.random.default_rng(5), 0.9)[None])
    assert 0 < scores.overall < 1


def test_a_full_disk_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recipes.dover_open.__main__.SPACE", 1.0)
    check_space(tmp_path / "build")
    monkeypatch.setattr("recipes.dover_open.__main__.SPACE", 1e18)
    with pytest.raises(typer.BadParameter, match="GB are missing in"):
        check_space(tmp_path / "build")
