"""Changes that should leave a score as it is, and the summary of what they do."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from clips import scene, write_clip
from numpy.typing import NDArray

from recipes.dover_open import robustness
from recipes.dover_open.film_ladders import find_films

type Frames = NDArray[np.uint8]


@pytest.fixture(scope="module")
def frames() -> Frames:
    return np.stack(list(scene(64, 96, 128)))


def test_dither_and_ten_bits_change_little(frames: Frames) -> None:
    for change in (robustness.dithered, robustness.ten_bits):
        difference = np.abs(change(frames[:4]).astype(int) - frames[:4])
        assert 0 < difference.mean() < 2
    assert np.abs(robustness.dithered(frames[:4]).astype(int) - frames[:4]).max() == 1


def test_bars_surround_the_picture(frames: Frames) -> None:
    boxed = robustness.letterboxed(frames[:2], 0.25)
    assert boxed.shape == (2, 144, 128, 3)
    assert not boxed[:, :24].any()
    assert (boxed[:, 24:-24] == frames[:2]).all()
    boxed = robustness.pillarboxed(frames[:2], 0.25)
    assert boxed.shape == (2, 96, 192, 3)
    assert (boxed[:, :, 32:-32] == frames[:2]).all()


def test_geometry(frames: Frames) -> None:
    assert (robustness.flipped(robustness.flipped(frames)) == frames).all()
    assert robustness.transposed(frames).shape == (64, 128, 96, 3)
    assert robustness.cropped(frames).shape == (64, 96, 96, 3)
    assert robustness.cropped(robustness.transposed(frames)).shape == (64, 96, 96, 3)


def test_black_frames_and_fades(frames: Frames) -> None:
    black = robustness.black_frames(frames, 8)
    assert not black[:8].any()
    assert (black[8:] == frames[8:]).all()
    faded = robustness.faded_in(frames, 8)
    assert not faded[0].any()
    assert faded[4].mean() == pytest.approx(frames[4].mean() / 2, rel=0.02)
    assert (faded[8:] == frames[8:]).all()


def test_grain_is_static_and_coded_noise_is_not(frames: Frames) -> None:
    still = np.repeat(frames[:1], 4, axis=0)
    grainy = robustness.grainy(still)
    assert (grainy == grainy[:1]).all()
    assert grainy.shape == robustness.coded_noise(still).shape


def test_summary_of_changes(tmp_path: Path) -> None:
    write_clip(tmp_path / "film.mp4", 70, (96, 128))
    (film,) = find_films(tmp_path)
    keys: list[str] = []

    def score(key: str, frames: Callable[[], Frames]) -> dict[str, float]:
        keys.append(key)
        overall = {"flip": 0.4, "dither of 1 level": 0.52, "first 8": 0.7, "static grain": 0.45}
        value = overall.get(key.split("/")[-1], 0.5)
        return {"overall": value, "technical": value, "aesthetic": 0.5}

    result = robustness.check_films([film], score, lambda _: None)
    found = {each.change: each for each in result.changes}
    assert found["flip"].largest == pytest.approx(0.1)
    assert found["flip"].signed == pytest.approx(-0.1)
    assert found["flip"].branches == pytest.approx({"technical": 0.1, "aesthetic": 0})
    assert result.lengths[8] == pytest.approx((0.2, 0.2))
    assert result.grain["film"] == pytest.approx((0.05, 0.0))
    table = robustness.markdown(result)
    assert (
        "| dither of 1 level | 0.020 (film) | 0.020 | +0.020 | 0.020 | 0.000 | <= 0.01: MISSED"
        in table
    )
    assert "| 8 | +0.200 | +0.200 |" in table
    assert len(keys) == len(set(keys))
