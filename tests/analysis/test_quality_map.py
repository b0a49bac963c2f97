"""Pictures of local quality."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from clips import number_of, numbered, write_clip
from PIL import Image

from dover_plugin import Maps
from dover_plugin.analysis.quality_map import draw_maps, local_quality, middle_frame
from dover_plugin.io.open import open_source


def test_the_mean_of_a_map_is_the_raw_score() -> None:
    maps = Maps(
        np.random.default_rng(0).normal(size=(3, 16, 7, 7)).astype(np.float32),
        np.zeros((1, 16, 7, 7), np.float32),
    )
    cells = local_quality(maps, "technical")
    assert cells.shape == (7, 7)
    assert cells.mean() == pytest.approx(maps.technical.mean(), abs=1e-6)


def test_the_middle_frame(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=numbered(41), size=(160, 320))
    assert number_of(middle_frame(open_source(clip))) == 20


def test_a_bad_corner_is_dark_in_its_corner() -> None:
    technical = np.ones((3, 16, 7, 7), np.float32)
    technical[..., :2, :2] = -1
    aesthetic = np.ones((1, 16, 7, 7), np.float32)
    aesthetic[..., -2:, -2:] = -1
    frame = np.full((360, 640, 3), 200, np.uint8)
    picture = Image.open(BytesIO(draw_maps(Maps(technical, aesthetic), frame))).convert("RGB")
    pixels = np.asarray(picture).astype(float)
    yellow = pixels[..., 0] - pixels[..., 2]  # blue is worst, yellow best
    inside = np.argwhere(yellow > 60)
    (top, left), (bottom, right) = inside.min(0), inside.max(0)
    quarter = (bottom - top) // 4
    corner = yellow[top : top + quarter]  # the legend's bars lie far below
    assert corner[:, left : left + 40].mean() < 0
    assert corner[:, right - 40 : right].mean() > 60
