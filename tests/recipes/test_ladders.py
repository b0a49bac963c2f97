from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dover_plugin.preprocessing.bars import without_bars
from dover_plugin.preprocessing.pictures import Picture
from recipes.dover_open import ladders, sources
from recipes.dover_open.degradations import AESTHETIC, CODECS, LEVELS, SAME, TECHNICAL
from recipes.dover_open.ladder_plan import Content, Row
from recipes.dover_open.sources import Source, pan

KINDS = CODECS | TECHNICAL | AESTHETIC


def scene(height: int = 192, width: int = 256) -> Picture:
    """A picture with edges, texture, smooth parts and colour."""
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[0:height, 0:width].astype(np.float64)
    values = 70 + 60 * rows / height + 25 * np.sin(cols / 3) * np.cos(rows / 5)
    values[40:120, 60:150] += 70
    values[np.hypot(rows - 130, cols - 190) < 40] -= 60
    colour = np.stack([values * 1.1, values * 0.9, values * 0.6 + 30], axis=-1)
    return np.clip(colour + 6 * rng.standard_normal((height, width, 1)), 0, 255).astype(np.uint8)


def psnr(frame: Picture, reference: Picture) -> float:
    error = np.mean((frame.astype(np.float64) - reference) ** 2)
    return float(10 * np.log10(255**2 / error))


@pytest.mark.parametrize("kind", KINDS)
def test_each_level_is_farther_from_the_reference(kind: str) -> None:
    shot = pan(scene(), np.random.default_rng(1))
    frames = [
        KINDS[kind].apply(shot.frames, level, np.random.default_rng(2))
        for level in range(1, LEVELS + 1)
    ]
    found = [psnr(each[shot.scored], shot.frames[shot.scored]) for each in frames]
    assert all(each.shape == shot.frames.shape for each in frames)
    assert all(better > worse for better, worse in pairwise(found))


@pytest.mark.parametrize("kind", ["dither", "bits10", "grain"])
def test_invisible_changes_are_small(kind: str) -> None:
    changed = SAME[kind](scene(), np.random.default_rng(3))
    assert changed.shape == scene().shape
    assert psnr(changed, scene()) > 35


def test_dither_changes_values_by_one_at_most() -> None:
    changed = SAME["dither"](scene(), np.random.default_rng(3)).astype(int)
    assert set(np.unique(changed - scene())) == {-1, 0, 1}


def test_flip_and_aspect_show_pixels_of_the_frame() -> None:
    np.testing.assert_array_equal(SAME["flip"](scene(), np.random.default_rng())[:, ::-1], scene())
    height, width = SAME["aspect"](scene(), np.random.default_rng(4)).shape[:2]
    assert (height, width) != scene().shape[:2]
    assert height * width >= 0.69 * 192 * 256


def test_scored_frame_of_a_pan_is_the_picture() -> None:
    shot = pan(scene(), np.random.default_rng(5))
    np.testing.assert_array_equal(shot.frames[shot.scored], scene())
    assert 0 < shot.scored < len(shot.frames) - 1
    assert all((frame != scene()).any() for frame in np.delete(shot.frames, shot.scored, 0))


def test_soft_photos_are_reduced(tmp_path: Path) -> None:
    small = Image.fromarray(scene(270, 360))
    small.resize((1440, 1080), Image.Resampling.BICUBIC).save(tmp_path / "soft.png")
    rng = np.random.default_rng(6)
    for _ in range(3):
        assert min(sources.photo_shot(tmp_path / "soft.png", rng).frames.shape[1:3]) <= 540


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two photos, each a source of one content, and shards of one content."""
    names = ["one.png", "two.png"]
    for number, name in enumerate(names):
        Image.fromarray(np.roll(scene(244, 330), 40 * number, axis=1)).save(tmp_path / name)
    found = [Source(name, "", "someone", "CC0", "nowhere", 1) for name in names]
    monkeypatch.setattr(sources, "listed", lambda: found)
    monkeypatch.setattr(ladders, "SHARD", 1)
    return tmp_path


def test_rows_of_a_content_form_ladders(folder: Path) -> None:
    content = ladders.contents(folder, 0)[0]
    table = _table(ladders.rows_of(content, folder, 0), content)
    for name, rows in table.groupby("content"):
        assert (rows["level"] == 0).sum() == 1, name
        assert (rows.loc[rows["level"] == 0, "ladder"] == "reference").all()
    worse = table[table["expect"] == "worse"]
    assert (worse["level"] > 0).all()
    assert not worse.duplicated(["group", "level"]).any()
    scale = table[table["ladder"] == "scale"]
    assert scale["height"].is_monotonic_decreasing
    assert scale["height"].is_unique


def _table(rows: list[Row], content: Content) -> pd.DataFrame:
    assert all(row.split == content.split for row in rows)
    assert all(row.technical.shape == row.aesthetic.shape == (224, 224, 3) for row in rows)
    return pd.DataFrame([row.line(number) for number, row in enumerate(rows)])


def test_finished_shards_are_kept_and_others_made_alike(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "ladders"
    shards = ladders.make(folder, target, workers=1, seed=0)
    assert [shard.name for shard in shards] == ["000", "001"]
    before = list(_files(target))
    tables = [pd.read_csv(shard / "table.csv") for shard in shards]
    for shard, table in zip(shards, tables, strict=True):
        assert np.load(shard / "technical.npy").shape == (len(table), 224, 224, 3)
        assert np.load(shard / "aesthetic.npy").dtype == np.uint8
    (target / "001.part").mkdir()  # left by a run that was stopped
    shards[1].rename(tmp_path / "removed")
    ladders.make(folder, target, workers=1, seed=0)
    after = list(_files(target))
    assert after[:3] == before[:3]
    assert [name for name, _, _ in after] == [name for name, _, _ in before]
    for name in ("technical.npy", "aesthetic.npy", "table.csv"):
        assert (shards[1] / name).read_bytes() == (tmp_path / "removed" / name).read_bytes()


def _files(target: Path) -> Iterator[tuple[str, int, int]]:
    for path in sorted(target.rglob("*.*")):
        if path.is_file():
            status = path.stat()
            yield str(path.relative_to(target)), status.st_mtime_ns, status.st_size


def test_every_listed_file_names_its_author_and_license() -> None:
    found = sources.listed()
    assert len({source.file for source in found}) == len(found)
    for source in found:
        assert source.author, source.file
        assert source.license, source.file
        assert source.origin, source.file
        assert source.contents > 0
        assert len(source.sha256) == 64 or source.file == sources.RATED


def test_night_is_dark_and_keeps_the_camera() -> None:
    shot = pan(scene(), np.random.default_rng(1))
    seen = [sources.night_shot(shot, np.random.default_rng(seed)) for seed in range(8)]
    for night in seen:
        assert night.frames.shape == shot.frames.shape
        assert night.scored == shot.scored
        assert night.frames.mean() < 0.6 * shot.frames.mean()
    flat = sources.Shot(np.full((2, 64, 64, 3), 60, np.uint8), 1)
    values = np.unique(sources.night_shot(flat, np.random.default_rng(0)).frames)
    assert len(values) >= 4  # noise hides the steps of dark values
    assert min(night.frames.mean() for night in seen) < 0.35 * shot.frames.mean()


def test_bars_are_found_and_cut() -> None:
    shot = pan(scene(), np.random.default_rng(1))
    for seed in range(6):
        barred = sources.barred_shot(shot, np.random.default_rng(seed))
        inside = without_bars(barred.frames[barred.scored])
        height, width = shot.frames.shape[1:3]
        assert inside.shape[0] < height or inside.shape[1] < width
        assert inside.shape[0] > 0.5 * height
        assert inside.shape[1] > 0.5 * width
