"""Evaluation on labelled videos: measures, intervals, presets, the command, and resuming."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import write_clip
from scipy import stats
from typer.testing import CliRunner

from dover_plugin import Scorer
from dover_plugin.batch.run import score_resumed
from dover_plugin.calibration import Calibration
from dover_plugin.cli import app
from dover_plugin.errors import SettingsError
from dover_plugin.evaluation.datasets import PRESETS, preset
from dover_plugin.evaluation.metrics import correlations, intervals, logistic_fit
from dover_plugin.evaluation.results import MEASURES, evaluate_scores
from dover_plugin.reporting.evaluation_plots import scatter


def table(count: int = 60) -> tuple[list[dict[str, Any]], list[float]]:
    rng = np.random.default_rng(3)
    technical, aesthetic = rng.normal(-0.1, 0.04, count), rng.normal(0.1, 0.07, count)
    z = 0.6 * (technical + 0.1) / 0.04 + 0.4 * (aesthetic - 0.1) / 0.07
    overall = 1 / (1 + np.exp(-z))
    mos = 60 + 12 * z + rng.normal(0, 6, count)
    rows = [
        {"technical_raw": t, "aesthetic_raw": a, "overall": o}
        for t, a, o in zip(technical, aesthetic, overall, strict=True)
    ]
    return rows, mos.tolist()


def test_measures_are_scipys() -> None:
    rows, mos = table()
    found = {each.score: each for each in evaluate_scores(rows, mos)}
    assert list(found) == ["overall", "technical", "aesthetic", "z-scores"]
    raw = [row["technical_raw"] for row in rows]
    values = found["technical"].values
    assert tuple(values) == MEASURES
    assert values["srocc"] == pytest.approx(stats.spearmanr(raw, mos).statistic)
    assert values["plcc"] == pytest.approx(stats.pearsonr(raw, mos).statistic)
    assert values["krocc"] == pytest.approx(stats.kendalltau(raw, mos).statistic)
    z = [stats.zscore([row[f"{b}_raw"] for row in rows]) for b in ("technical", "aesthetic")]
    for weight, each in (
        (0.6104, evaluate_scores(rows, mos)),
        (0.54, evaluate_scores(rows, mos, 0.54)),
    ):
        fused = weight * z[0] + (1 - weight) * z[1]
        expected = stats.pearsonr(fused, mos).statistic
        assert each[3].values["plcc"] == pytest.approx(expected)


def test_the_logistic_fit_straightens_a_curve() -> None:
    x = np.linspace(-3, 3, 200)

    def curve(x: np.ndarray) -> np.ndarray:
        return np.asarray(20 + 60 / (1 + np.exp(-(x - 0.4) / 0.3)))

    mos = curve(x)
    fitted = logistic_fit(x.tolist(), mos.tolist())
    np.testing.assert_allclose(fitted, mos, atol=1e-3)
    between = x[:-1] + 0.01
    drawn = logistic_fit(x.tolist(), mos.tolist(), between)
    np.testing.assert_allclose(drawn, curve(between), atol=1e-3)
    assert correlations(x.tolist(), mos.tolist()).plcc < 0.97


def test_the_logistic_fit_is_never_worse_than_a_line() -> None:
    rng = np.random.default_rng(0)
    for seed in range(20):
        scores, mos = rng.normal(size=5 + seed), rng.normal(size=5 + seed)
        fitted = logistic_fit(scores.tolist(), mos.tolist())
        line = np.poly1d(np.polyfit(scores, mos, 1))(scores)
        assert np.square(fitted - mos).sum() <= np.square(line - mos).sum() * (1 + 1e-9)


def test_intervals_are_scipys_bootstrap() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=80)
    y = 0.8 * x + 0.6 * rng.normal(size=80)
    expected = stats.bootstrap(
        (x, y),
        lambda a, b: stats.pearsonr(a, b).statistic,
        paired=True,
        vectorized=False,
        n_resamples=1000,
        method="percentile",
        rng=2,
    ).confidence_interval
    found = intervals(x.tolist(), y.tolist())
    assert found["plcc"] == pytest.approx((expected.low, expected.high), abs=0.02)
    assert found == intervals(x.tolist(), y.tolist())
    for name, (low, high) in found.items():
        assert low < getattr(correlations(x.tolist(), y.tolist()), name) < high


def test_presets_have_the_weights_of_their_data_sets() -> None:
    sets = json.loads((files("dover_plugin") / "data/reference_scores.json").read_text())
    weights = {name.lower(): each["technical_weight"] for name, each in sets["datasets"].items()}
    assert weights.items() <= {row.name: row.technical_weight for row in PRESETS}.items()
    assert preset("KoNViD-1k").pattern.format(name="123") == "KoNViD_1k_videos/123.mp4"
    assert [row.name for row in PRESETS if row.branches] == ["divide-3k"]
    with pytest.raises(SettingsError, match="Did you mean 'live-vqc'"):
        preset("livevqc")


def test_a_plot(tmp_path: Path) -> None:
    rows, mos = table()
    scatter(rows, mos, "sixty videos", tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SettingsError, match="Cannot write"):
        scatter(rows, mos, "", tmp_path / "no/plot.png")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips and a table of labels."""
    folder = tmp_path_factory.mktemp("set")
    for i in range(4):
        write_clip(folder / f"{i}.mp4", 8, options={"crf": str(20 + 10 * i)})
    (folder / "labels.txt").write_text("".join(f"{i}.mp4, 8.0, 25.0, {4 - i}\n" for i in range(4)))
    return folder


def test_the_command_resumes(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = tmp_path / "scores.jsonl"
    command = (
        f"evaluate {folder}/labels.txt --videos {folder} --set konvid-1k --device cpu "
        f"--scores {journal} --format json --plot {tmp_path}/plot.svg --seed 3 --repeats 2"
    )
    first = CliRunner().invoke(app, command.split())
    assert first.exit_code == 0, first.output
    (overall, *_) = json.loads(first.stdout)
    assert overall["videos"] == 4
    assert "<svg" in (tmp_path / "plot.svg").read_text()[:400]
    lines = journal.read_text().splitlines(keepends=True)
    assert [(row["seed"], row["repeats"]) for row in map(json.loads, lines)] == 4 * [(3, 2)]
    journal.write_text("".join(lines[:2]) + lines[2][:40])  # as a killed process leaves it
    scored: list[Any] = []
    whole = Scorer.score_many

    def watched(self: Scorer, videos: Any, **options: Any) -> Any:
        scored.extend(videos)
        return whole(self, videos, **options)

    monkeypatch.setattr(Scorer, "score_many", watched)
    second = CliRunner().invoke(app, command.split())
    assert second.stdout == first.stdout
    assert [Path(path).name for path in scored] == ["2.mp4", "3.mp4"]
    assert journal.read_text() == "".join(lines)


def test_only_the_rows_of_a_split(folder: Path, seeded: dict[str, Path], tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    splits = ("train", "test", "test", "test")
    rows = [f"{i}.mp4,{4 - i},{split}" for i, split in enumerate(splits)]
    table.write_text("\n".join(["file,mos,split", *rows]))
    command = (
        f"evaluate {table} --videos {folder} -m dover-mobile --weights {seeded['dover-mobile']} "
        f"--device cpu --scores {tmp_path}/scores.jsonl --format json --split"
    ).split()
    done = CliRunner().invoke(app, [*command, "test"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)[0]["videos"] == 3
    journal = (tmp_path / "scores.jsonl").read_text().splitlines()
    assert [Path(json.loads(line)["path"]).name for line in journal] == ["1.mp4", "2.mp4", "3.mp4"]
    with pytest.raises(SettingsError, match=r"No row of .* has the split 'val'; 'test', 'train'"):
        CliRunner().invoke(app, [*command, "val"], catch_exceptions=False)


def test_the_journal_must_have_the_same_settings(
    folder: Path, mobile: Scorer, seeded: dict[str, Path], tmp_path: Path
) -> None:
    journal = tmp_path / "journal.jsonl"
    videos = [folder / "0.mp4", tmp_path / "none.mp4"]
    first, failed = score_resumed(mobile, videos, journal)
    assert first["overall"] == mobile.score(videos[0]).overall
    assert "There is no file" in failed["error"]
    other = Scorer("dover-mobile", "cpu", weights=seeded["dover-mobile"], seed=5)
    with pytest.raises(SettingsError, match="seed None, not 5"):
        list(score_resumed(other, videos, journal))
    own = Calibration("reference", 0.0, 1.0, 0.0, 1.0)
    other = Scorer("dover-mobile", "cpu", weights=seeded["dover-mobile"], fusion=own)
    with pytest.raises(SettingsError, match="other constants of the fusion 'reference'"):
        list(score_resumed(other, videos, journal))
    for foreign in ('{"labels": [1, 2]}', "name,score\na,1\nb,2", "not a score\n"):
        journal.write_text(foreign)
        with pytest.raises(SettingsError, match="is not a row of scores"):
            list(score_resumed(mobile, videos, journal))
        assert journal.read_text() == foreign, "a file of another kind is not changed"
    journal.write_text("not a score\n")
    with pytest.raises(SettingsError, match=r"Line 1 of .* is not a row of scores"):
        list(score_resumed(mobile, videos, journal))


def test_a_changed_file_is_scored_again(mobile: Scorer, tmp_path: Path) -> None:
    video, journal = tmp_path / "a.mp4", tmp_path / "journal.jsonl"
    write_clip(video, 8)
    (before,) = score_resumed(mobile, [video], journal)
    write_clip(video, 9, options={"crf": "45"})
    after, other, twice = score_resumed(mobile, [video, tmp_path / "none.mp4", video], journal)
    assert twice == after
    assert other["error"]
    assert after["overall"] != before["overall"]
    assert len(journal.read_text().splitlines()) == 3
    (again,) = score_resumed(mobile, [video], journal)
    assert again == after


def test_few_videos_are_fitted_with_a_line() -> None:
    fitted = logistic_fit([1.0, 2.0, 3.0], [2.0, 4.0, 6.0])
    assert fitted == pytest.approx([2, 4, 6])


def test_a_constant_score_is_left_out() -> None:
    rows, mos = table()
    saturated = [{**row, "overall": 1.0} for row in rows]
    assert [each.score for each in evaluate_scores(saturated, mos)] == [
        "technical",
        "aesthetic",
        "z-scores",
    ]
    constant = [{**row, "technical_raw": 0.1, "aesthetic_raw": 0.1, "overall": 0.5} for row in rows]
    with pytest.raises(SettingsError, match="All scores of 60 videos are equal"):
        evaluate_scores(constant, mos)
