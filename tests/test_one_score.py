"""Models with one score, and branches that are run alone: null scores on every surface."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from clips import write_clip
from typer.testing import CliRunner

from dover_plugin import Calibration, Journal, Scorer, Scores, SettingsError, Timeline, compare
from dover_plugin.analysis.divergence import ranks_of
from dover_plugin.analysis.quality_map import draw_maps, middle_frame
from dover_plugin.batch.minimums import Minimums
from dover_plugin.batch.run import score_batch
from dover_plugin.batch.summary import summarise
from dover_plugin.batch.tables import read_scores, rows_to_arrow, write_output
from dover_plugin.cli import app
from dover_plugin.evaluation.results import evaluate_scores
from dover_plugin.io.open import open_source
from dover_plugin.options import comparable_settings
from dover_plugin.ranks import ReferenceSet
from dover_plugin.reporting import comparison_tables, text
from dover_plugin.reporting.evaluation_plots import scatter
from dover_plugin.reporting.html import (
    comparison_report,
    score_report,
    timeline_report,
    write_report,
)
from dover_plugin.reporting.plots import draw_comparisons, draw_timeline
from dover_plugin.scores import SCORES
from dover_plugin.training.settings import resolve_settings
from dover_plugin.weights.registry import TWO_BRANCH_MODELS, registry

CASES = ("fast-vqa-m", "technical", "aesthetic")
PRESENT = {
    "fast-vqa-m": ("overall", "technical"),
    "technical": ("technical",),
    "aesthetic": ("aesthetic",),
}


@pytest.fixture(scope="module")
def scorers(one_score: Scorer) -> dict[str, Scorer]:
    alone = {
        branch: Scorer("dover-open", "cpu", branches=(branch,))
        for branch in ("technical", "aesthetic")
    }
    return {"fast-vqa-m": one_score, **alone}


@pytest.fixture(scope="module")
def scored(scorers: dict[str, Scorer], clip: Path) -> dict[str, Scores]:
    return {case: scorer.score(clip) for case, scorer in scorers.items()}


def test_a_model_with_one_score_gives_it_as_technical_and_overall(
    scored: dict[str, Scores],
) -> None:
    scores = scored["fast-vqa-m"]
    assert scores.technical == scores.overall
    assert scores.aesthetic is None
    assert scores.raw.technical is not None
    z = (scores.raw.technical - 0.023889644) / 0.030781006
    assert scores.technical == pytest.approx(1 / (1 + np.exp(-z)))
    assert scores.raw.aesthetic is None
    assert scores.maps is not None
    assert scores.maps.aesthetic is None
    assert scores.maps.technical is not None
    assert scores.maps.technical.shape == (4, 8, 4, 4)
    assert scores.maps.technical.mean() == pytest.approx(scores.raw.technical, abs=1e-6)
    assert (scores.settings.branches, scores.fusion) == ("technical", "matched")
    assert not scores.warnings


@pytest.mark.parametrize("branch", ["technical", "aesthetic"])
def test_a_branch_alone_scores_as_beside_the_other(
    branch: str, scored: dict[str, Scores], bundled: Scorer, clip: Path, scorers: dict[str, Scorer]
) -> None:
    both = bundled.score(clip)
    assert getattr(scored[branch], branch) == getattr(both, branch)
    assert getattr(scored[branch].raw, branch) == getattr(both.raw, branch)
    assert scored[branch].overall is None
    assert scored[branch].present == (branch,)
    _, (views,) = scorers[branch].read(clip)
    assert len(views.technical) == (3 if branch == "technical" else 0)
    assert len(views.aesthetic) == (1 if branch == "aesthetic" else 0)


def test_repeats_of_one_branch_have_a_deviation(clip: Path) -> None:
    scorer = Scorer("dover-open", "cpu", branches=("aesthetic",), repeats=2, seed=1)
    scores = scorer.score(write_clip(clip.with_name("long.mp4"), 200))
    assert scores.raw_std is not None
    assert scores.raw_std.technical is None
    assert scores.raw_std.aesthetic is not None
    assert scores.raw_std.aesthetic > 0


@pytest.mark.parametrize("case", CASES)
def test_rows_hold_null(
    case: str, scored: dict[str, Scores], scorers: dict[str, Scorer], clip: Path, tmp_path: Path
) -> None:
    row = scored[case].to_dict()
    assert tuple(name for name in SCORES if row[name] is not None) == PRESENT[case]
    assert row["branches"] == scorers[case].settings.branches
    for suffix in (".csv", ".parquet", ".jsonl"):
        output = tmp_path / f"scores{suffix}"
        with Journal(tmp_path / f"{suffix}.jsonl", scorers[case]) as journal:
            score_batch(scorers[case], [str(clip)], journal)
            write_output(journal, output, [str(clip)])
        table = read_scores(output if suffix != ".jsonl" else tmp_path / f"{suffix}.jsonl")
        values = table.loc[0, list(SCORES)].to_dict()
        for name in SCORES:
            if name in PRESENT[case]:
                assert values[name] == pytest.approx(row[name])
            else:
                assert pd.isna(values[name])
    assert rows_to_arrow([{**row, "size": 1, "modified": 1}]).to_pylist()[0]["branches"]


def test_scores_of_other_branches_do_not_mix(
    scorers: dict[str, Scorer], bundled: Scorer, clip: Path, tmp_path: Path
) -> None:
    file = tmp_path / "scores.jsonl"
    with Journal(file, scorers["technical"]) as journal:
        score_batch(scorers["technical"], [str(clip)], journal)
    with Journal(file, scorers["technical"]) as journal:
        assert journal.has(str(clip))
    with pytest.raises(SettingsError, match=r"branches 'technical', not 'technical\+aesthetic'"):
        Journal(file, bundled)


def test_comparable_settings_are_those_of_the_scorer(scorers: dict[str, Scorer]) -> None:
    found = comparable_settings(branches=("technical",))
    assert found == {name: getattr(scorers["technical"].settings, name) for name in found}
    assert found["branches"] == "technical"


@pytest.mark.parametrize("case", CASES)
def test_text_shows_a_dash(case: str, scored: dict[str, Scores]) -> None:
    for write in (text.write_table, text.write_json, text.write_csv):
        stream = io.StringIO()
        write([scored[case]], stream, ranks=False)
        said = stream.getvalue()
        if write is text.write_table:
            missing = len(SCORES) - len(PRESENT[case])
            assert said.splitlines()[1].split()[1:].count("-") == missing
        elif write is text.write_json:
            row = json.loads(said)
            assert [row[name] is None for name in SCORES] == [
                n not in PRESENT[case] for n in SCORES
            ]
        else:
            (csv_row,) = csv.DictReader(io.StringIO(said))
            assert [csv_row[n] == "" for n in SCORES] == [n not in PRESENT[case] for n in SCORES]


@pytest.mark.parametrize("case", CASES)
def test_timeline_comparison_plots_and_reports_cope(
    case: str, scorers: dict[str, Scorer], scored: dict[str, Scores], clip: Path, tmp_path: Path
) -> None:
    scorer, main = scorers[case], PRESENT[case][0]
    source = open_source(clip)
    found = Timeline(source.info, scorer.settings, list(scorer.timeline(source, 1.2)))
    row = found.to_dict()
    assert [name for name in SCORES if row["summary"][name] is not None] == list(PRESENT[case])
    assert row["segments"][0]["aesthetic"] == found.segments[0].scores.aesthetic
    assert found.worst()[0] in found.segments
    assert len(draw_timeline(found).axes[0].patches) == len(PRESENT[case])
    other = write_clip(tmp_path / "other.mp4", 60, (160, 120))
    compared = compare(clip, other, scorer, seconds=1.2)
    assert compared.main.difference == getattr(compared, main).difference
    assert compared.to_dict()["verdict"] == "unsure"
    assert [name for name in SCORES if compared.to_dict()[name]] == list(PRESENT[case])
    assert "side" not in compared.sentence()
    for write in comparison_tables.WRITERS.values():
        write([compared], scorer.settings, io.StringIO())
    draw_comparisons([compared])
    reports = {
        "timeline": timeline_report(found),
        "scores": score_report([scored[case], replace(scored[case], path="again.mp4")]),
        "comparison": comparison_report([compared]),
    }
    for name, report in reports.items():
        write_report(report, tmp_path / f"{name}.html")
        assert [card.name for card in report.cards] in ([], list(PRESENT[case]))
        assert "None" not in json.dumps([report.rows, report.lead])


@pytest.mark.parametrize("case", CASES)
def test_a_map_shows_the_branches_that_were_run(
    case: str, scored: dict[str, Scores], scorers: dict[str, Scorer], clip: Path, tmp_path: Path
) -> None:
    from dover_plugin.analysis.quality_map_video import write_map_video
    from dover_plugin.preprocessing.sampling import draw

    maps, source = scored[case].maps, open_source(clip)
    assert maps is not None
    assert draw_maps(maps, middle_frame(source)).startswith(b"\x89PNG")
    rule, info = scorers[case].read_options.rule, source.info
    plan = draw(info.num_frames, info.height, info.width, rule=rule)
    write_map_video(maps, plan, source, tmp_path / "map.mp4")
    assert open_source(tmp_path / "map.mp4").info.width == 320


def rows_of(scores: Scores, count: int = 12) -> list[dict[str, Any]]:
    """Rows of videos whose scores differ."""
    rows = []
    for i in range(count):
        row = scores.to_dict() | {"path": f"{i}.mp4"}
        for name in (*SCORES, "technical_raw", "aesthetic_raw"):
            if row[name] is not None:
                row[name] = i / count
        rows.append(row)
    return rows


@pytest.mark.parametrize("case", CASES)
def test_summary_and_evaluation_use_the_scores_that_exist(
    case: str, scored: dict[str, Scores], tmp_path: Path
) -> None:
    rows = rows_of(scored[case])
    found = summarise(rows)
    assert tuple(found.statistics) == PRESENT[case]
    assert found.lowest[0] == ("0.mp4", 0.0)
    results = evaluate_scores(rows, list(range(len(rows))))
    assert {each.score for each in results} == set(PRESENT[case])
    assert all(each.values["srocc"] == pytest.approx(1) for each in results)
    scatter(rows, list(range(len(rows))), "title", tmp_path / "plot.png")


@pytest.mark.parametrize("case", CASES)
def test_commands_on_tables(case: str, scored: dict[str, Scores], tmp_path: Path) -> None:
    table = tmp_path / "scores.jsonl"
    table.write_text("\n".join(json.dumps(row) for row in rows_of(scored[case])) + "\n")
    runner = CliRunner()
    reference = tmp_path / "set.json"
    ranked = runner.invoke(app, ["rank", str(table), "--save", str(reference)])
    assert ranked.exit_code == 0, ranked.output
    branch = "aesthetic" if case == "aesthetic" else "technical"
    other = "technical" if branch == "aesthetic" else "aesthetic"
    rows = list(csv.DictReader(io.StringIO(ranked.stdout)))
    assert rows[-1][f"{branch}_rank"] == "100.0"
    assert rows[-1][f"{other}_rank"] == ""
    loaded = ReferenceSet.load(reference)
    assert getattr(loaded, other) is None
    assert list(loaded.ranks(0.5, 0.5)) == [branch]
    with pytest.raises(SettingsError, match="Divergence compares both branches"):
        ranks_of(read_scores(table))
    calibrated = runner.invoke(app, ["calibrate", str(table), "-o", str(tmp_path / "mine.json")])
    if case == "fast-vqa-m":
        assert calibrated.exit_code == 0, calibrated.output
        mine = Calibration.load(tmp_path / "mine.json")
        assert mine.apply(mine.technical_mean, None) == (0.5, None, 0.5)
    else:
        assert isinstance(calibrated.exception, SettingsError)
        assert f"the {branch} branch alone" in str(calibrated.exception)


def test_rows_that_lack_a_branch_are_not_mixed_with_others(
    scored: dict[str, Scores], tmp_path: Path
) -> None:
    rows = rows_of(scored["technical"])
    rows[3] |= {"aesthetic_raw": 0.5}
    table = tmp_path / "scores.jsonl"
    table.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    result = CliRunner().invoke(app, ["rank", str(table)])
    assert "Some videos in" in str(result.exception)


@pytest.mark.parametrize("row", registry(), ids=lambda row: row.model)
def test_models_with_one_score_are_refused_by_training_alone(row: Any) -> None:
    assert row.one_score == (row.model not in TWO_BRANCH_MODELS)
    assert row.one_score <= row.commercial
    if not row.one_score:
        assert resolve_settings({"init": row.model}).model == row.model
        return
    for options in ({"init": row.model}, {"init": "mine.pth", "model": row.model}):
        with pytest.raises(SettingsError, match=f"cannot train {row.model}, which has one branch"):
            resolve_settings(options)


def test_the_wrong_branch_or_calibration_is_one_error(fast_vqa_m: Path) -> None:
    weights = {"weights": fast_vqa_m}
    with pytest.raises(SettingsError, match="'fast-vqa-m' has no branch 'aesthetic'"):
        Scorer("fast-vqa-m", "cpu", branches=("aesthetic",), **weights)
    with pytest.raises(SettingsError, match="has no 'reference' fusion"):
        Scorer("fast-vqa-m", "cpu", fusion="reference", **weights)
    with pytest.raises(SettingsError, match="fuses two scores, but fast-vqa-m has one"):
        Scorer("fast-vqa-m", "cpu", fusion=Calibration("mine", 0, 1, 0, 1), **weights)


def test_minimums_of_missing_scores_are_refused(scorers: dict[str, Scorer]) -> None:
    assert {case: scorer.present for case, scorer in scorers.items()} == PRESENT
    Minimums(technical=0.5).check(scorers["fast-vqa-m"].present)
    with pytest.raises(SettingsError, match=r"--min-aesthetic needs .* Use --min-overall"):
        Minimums(aesthetic=0.5).check(scorers["fast-vqa-m"].present)


def test_the_command_scores_one_branch(clip: Path) -> None:
    arguments = ["score", str(clip), "-f", "json", "--branch", "technical"]
    result = CliRunner().invoke(app, [*arguments, "--device", "cpu"])
    assert result.exit_code == 0, result.output
    row = json.loads(result.stdout)
    assert row["technical"] is not None
    assert (row["aesthetic"], row["overall"], row["branches"]) == (None, None, "technical")
