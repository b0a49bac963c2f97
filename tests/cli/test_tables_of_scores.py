"""The commands on tables of scores: rank, calibrate, divergence."""

import importlib.util
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from clips import write_clip
from typer.testing import CliRunner

from dover_plugin.analysis.divergence import extreme_pairs, ranks_of
from dover_plugin.cli import app
from dover_plugin.errors import SettingsError

VIDEOS = 30


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("ranked")
    return [write_clip(folder / f"{i:02}.mp4", 4, (64, 64)) for i in range(8)]


@pytest.fixture
def table(clips: list[Path], tmp_path: Path) -> Path:
    """Scores of one model, with a failed row and a video that was scored twice."""
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = [
        {
            "path": str(clips[i]) if i < 8 else f"{i}.mp4",
            "model": "dover",
            "technical_raw": rng.normal(-0.08, 0.04),
            "aesthetic_raw": rng.normal(0.11, 0.07),
            "overall": i / VIDEOS,
            "mos": float(i % 5),
            "error": None,
        }
        for i in range(VIDEOS)
    ]
    rows.append({"path": "bad.mp4", "model": "dover", "error": "cannot be read"})
    rows.append({**rows[5], "overall": 0.9})
    file = tmp_path / "scores.csv"
    pd.DataFrame(rows).to_csv(file, index=False)
    return file


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, list(map(str, arguments)))


def raws(table: Path) -> pd.DataFrame:
    return pd.read_csv(table).drop_duplicates("path", keep="last").dropna(subset="technical_raw")


def test_ranks_within_the_table(table: Path, tmp_path: Path) -> None:
    out, saved = tmp_path / "ranked.parquet", tmp_path / "mine.json"
    done = run("rank", table, "-o", out, "--save", saved)
    assert done.exit_code == 0, done.output
    found = pd.read_parquet(out)
    assert len(found) == VIDEOS, "a video with two rows counts once, a failed video does not count"
    order = found.sort_values("technical_raw")["technical_rank"]
    assert order.is_monotonic_increasing
    assert (order.iloc[0], order.iloc[-1]) == pytest.approx((0, 100), abs=4)
    assert set(found["rank_set"]) == {"scores"}
    again = run("rank", table, "--against", saved)
    assert again.stdout.splitlines()[0] == "path,technical_rank,aesthetic_rank,overall"
    assert len(again.stdout.splitlines()) == VIDEOS + 1


def test_ranks_in_a_published_set(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "ranked.csv"
    assert run("rank", table, "--against", "live-vqc", "-o", out).exit_code == 0
    found = pd.read_csv(out)
    assert found["technical_rank"].between(0, 100).all()
    assert found["technical_rank"].std() > 10
    other = raws(table).assign(model="dover-open")
    other.to_csv(tmp_path / "open.csv", index=False)
    done = run("rank", tmp_path / "open.csv", "--against", "live-vqc")
    assert "were scored with dover, those of" in str(done.exception)
    assert "Score both with one model" in str(done.exception)
    done = run("rank", table, "--against", "imagenet")
    assert re.search(r"Unknown reference 'imagenet'; use .* or .*, or a file", str(done.exception))


def test_calibrate(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.json"
    done = run("calibrate", table, "-o", out)
    assert done.exit_code == 0, done.output
    assert f"calibration fitted to {VIDEOS} videos" in done.stdout
    found, wanted = json.loads(out.read_text()), raws(table)
    for branch in ("technical", "aesthetic"):
        assert found[f"{branch}_mean"] == pytest.approx(wanted[f"{branch}_raw"].mean())
        assert found[f"{branch}_std"] == pytest.approx(wanted[f"{branch}_raw"].std(ddof=0))
    done = run("calibrate", table, "-o", out)
    assert "exists. Choose another file name" in str(done.exception)
    done = run("calibrate", table, "-o", tmp_path / "matched.json")
    assert "The name 'matched' is reserved" in str(done.exception)


def test_divergence(table: Path, tmp_path: Path) -> None:
    picture, pairs, frames = (tmp_path / name for name in ("map.png", "pairs.csv", "pairs.png"))
    done = run("divergence", table, "-o", picture, "--pairs", pairs, "--colour", "mos")
    assert done.exit_code == 0, done.output
    assert picture.stat().st_size > 10_000
    listed = pd.read_csv(pairs)
    assert listed["equal"].tolist() == ["technical"] * 5 + ["aesthetic"] * 5
    assert listed["apart"].between(0.2, 1).all()
    raws(table).iloc[:8].to_csv(tmp_path / "few.csv", index=False)
    few = ["divergence", tmp_path / "few.csv", "--count", 1, "-o"]
    assert run(*few, tmp_path / "f.png", "--pictures", frames).exit_code == 0
    assert frames.stat().st_size > 10_000
    raws(table).iloc[3:11].to_csv(tmp_path / "few.csv", index=False)
    done = run(*few, tmp_path / "h.png", "--pictures", tmp_path / "gone.png", "--count", 4)
    assert "There is no file" in str(done.exception)
    assert (tmp_path / "h.png").exists(), "the map needs no file"
    assert "no column 'noise'" in str(
        run("divergence", table, "-o", tmp_path / "g.png", "--colour", "noise").exception
    )


def test_pairs_are_those_of_a_search_by_hand(table: Path) -> None:
    scores = raws(table).reset_index(drop=True)
    ranks = ranks_of(scores)
    assert ranks["technical"].tolist() == pytest.approx(
        [(scores["technical_raw"] < value).mean() * VIDEOS / (VIDEOS - 1)
         for value in scores["technical_raw"]]
    )  # fmt: skip
    for pair in extreme_pairs(scores, 3):
        other = "aesthetic" if pair.equal == "technical" else "technical"
        paths = scores["path"].tolist()
        high, low = (ranks[other][paths.index(path)] for path in (pair.better, pair.worse))
        assert high - low == pytest.approx(pair.apart)
        level = ranks[pair.equal].sort_values()
        third = next(
            part for part in np.array_split(level.index, 3) if paths.index(pair.better) in part
        )
        assert ranks[other][third].max() - ranks[other][third].min() == pytest.approx(pair.apart)
    with pytest.raises(SettingsError, match="6 videos or more"):
        ranks_of(scores.iloc[:5])


def test_files_that_are_not_tables_of_scores(tmp_path: Path, table: Path) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert "has no column" in str(run("rank", tmp_path / "other.csv").exception)
    assert "Unsupported table type '.txt'; use .jsonl, .csv or .parquet." in str(
        run("rank", tmp_path / "scores.txt").exception
    )
    (tmp_path / "endless.jsonl").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("endless.jsonl", "pipe.csv"):
        assert "not a regular file" in str(run("rank", tmp_path / name).exception)
    assert "Unsupported output type '.txt'; use .csv or .parquet." in str(
        run("rank", table, "-o", tmp_path / "ranked.txt").exception
    )
    mixed = raws(table)
    mixed.loc[3, "model"] = "dover-open"
    mixed.to_csv(tmp_path / "mixed.csv", index=False)
    assert "Split the table" in str(run("rank", tmp_path / "mixed.csv").exception)


def test_parquet_without_pyarrow(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scores.parquet").write_text("x")
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "a.parquet").write_text("x")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for arguments in (
        ["rank", tmp_path / "scores.parquet"],
        ["rank", tmp_path / "shards"],
        ["rank", table, "-o", tmp_path / "ranked.parquet"],
        ["calibrate", tmp_path / "scores.parquet", "-o", tmp_path / "c.json"],
    ):
        assert "pip install 'dover-plugin[parquet]'" in str(run(*arguments).exception)


def test_names_that_spreadsheets_would_run(table: Path, tmp_path: Path) -> None:
    rows = raws(table)
    rows.loc[3, "path"] = "=1+1.mp4"
    rows.loc[4, "path"] = "-2.mp4"
    rows.rename(columns={"mos": "@mos"}).to_json(
        tmp_path / "scores.jsonl", orient="records", lines=True
    )
    out = tmp_path / "ranked.csv"
    assert run("rank", tmp_path / "scores.jsonl", "-o", out).exit_code == 0
    found = pd.read_csv(out)
    assert found["path"].tolist()[3:5] == ["'=1+1.mp4", "'-2.mp4"]
    assert "'@mos" in found.columns
    assert found["technical_raw"].tolist() == pytest.approx(rows["technical_raw"].tolist())
    assert "'=1+1.mp4" in run("rank", tmp_path / "scores.jsonl").stdout
    from dover_plugin.batch.tables import read_scores

    assert read_scores(out)["path"].tolist()[3:5] == ["=1+1.mp4", "-2.mp4"]


def test_without_matplotlib(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "matplotlib" else found(name)
    )
    monkeypatch.setitem(sys.modules, "dover_plugin.reporting.divergence_plots", None)
    done = run("divergence", table, "-o", tmp_path / "map.png")
    assert "dover-plugin[report]" in str(done.exception)
