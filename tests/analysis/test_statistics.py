"""Statistics over segments, and the limits that they are held against."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import scene, write_clip
from typer.testing import CliRunner

from dover_plugin import Scorer, SettingsError, VideoError, compare
from dover_plugin.analysis.statistics import Statistics
from dover_plugin.batch.minimums import Minimums
from dover_plugin.cli import app


def test_statistics_are_those_of_the_formulas() -> None:
    found = Statistics.of([0.2, 0.4, 0.4, 1.0])
    assert found.mean == pytest.approx(0.5)
    assert found.harmonic_mean == pytest.approx(4 / (5 + 2.5 + 2.5 + 1))
    assert (found.median, found.minimum) == (pytest.approx(0.4), 0.2)
    assert found.std == pytest.approx(np.std([0.2, 0.4, 0.4, 1.0]))
    many = Statistics.of([i / 100 for i in range(101)])
    assert (many.p1, many.p5, many.p10) == (
        pytest.approx(0.01),
        pytest.approx(0.05),
        pytest.approx(0.1),
    )


def test_the_harmonic_mean_of_zero_and_below() -> None:
    assert Statistics.of([0, 1]).harmonic_mean == 0
    found = Statistics.of([-0.1, 0.1])
    assert found.harmonic_mean is None
    with pytest.raises(SettingsError, match="no harmonic mean"):
        found.gate("harmonic_mean")
    assert found.gate("min") == -0.1


@pytest.fixture(scope="module")
def half_bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds, the last of them without detail."""
    frames = list(scene(100, 240, 320))
    coarse = [
        av.VideoFrame.from_ndarray(frame, "rgb24").reformat(24, 18).reformat(320, 240).to_ndarray()
        for frame in frames[75:]
    ]
    path = tmp_path_factory.mktemp("half") / "bad.mp4"
    return write_clip(path, frames=iter([*frames[:75], *coarse]), options={"crf": "12"})


@pytest.fixture(scope="module")
def good(half_bad: Path) -> Path:
    return write_clip(half_bad.with_name("good.mp4"), 100, options={"crf": "12"})


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [*map(str, arguments)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def test_a_timeline_of_many_videos_is_one_table(good: Path, half_bad: Path) -> None:
    missing = good.with_name("none.mp4")
    code, out, err = run("timeline", good, missing, half_bad, "--segments", "1s", "-f", "csv")
    assert code == 1
    assert "no file" in err
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["path"] for row in rows] == [str(good)] * 4 + [str(missing)] + [str(half_bad)] * 4
    assert "no file" in rows[4]["error"]
    code, out, _ = run("timeline", good, half_bad, "--segments", "1s", "-f", "json")
    found = [json.loads(line) for line in out.splitlines()]
    scores = [part["overall"] for part in found[1]["segments"]]
    assert found[1]["summary"]["overall"] == vars(Statistics.of(scores))


def test_timelines_are_written_as_they_are_scored(
    good: Path, half_bad: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was scored before the command ends is in the file."""
    score, scored = Scorer.timeline, []

    def interrupted(self: Scorer, *arguments: Any, **options: Any) -> Any:
        scored.append(1)
        if len(scored) == 2:
            raise KeyboardInterrupt
        return score(self, *arguments, **options)

    monkeypatch.setattr(Scorer, "timeline", interrupted)
    for kind in ("csv", "json"):
        scored.clear()
        target = tmp_path / f"scores.{kind}"
        command = ["timeline", good, half_bad, "--segments", "1s", "-f", kind, "-o", target]
        CliRunner().invoke(app, [*map(str, command)])
        lines = target.read_text().splitlines()
        assert len(lines) == (5 if kind == "csv" else 1)
        assert all(str(good) in line for line in lines[-1:])


def test_an_error_of_one_video_leaves_no_file(tmp_path: Path) -> None:
    target = tmp_path / "scores.csv"
    with pytest.raises(VideoError):
        run("timeline", tmp_path / "none.mp4", "-o", target)
    assert not target.exists()


def test_the_table_of_many_timelines_shows_statistics(good: Path, half_bad: Path) -> None:
    code, out, _ = run("timeline", good, half_bad, "--segments", "2s")
    assert code == 0
    flat = "".join(line.split()[0] for line in out.splitlines()[:-1])
    assert str(good) in flat
    assert str(half_bad) in flat
    assert "harmonic" in run("timeline", good, "--segments", "2s")[1]


def test_plots_need_one_video(good: Path, half_bad: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="need one video, got 2"):
        run("timeline", good, half_bad, "--plot", tmp_path / "a.png")


def test_a_timeline_fails_on_the_statistic_that_is_named(half_bad: Path) -> None:
    _, out, _ = run("timeline", half_bad, "--segments", "1s", "-f", "json")
    sums = json.loads(out)["summary"]["overall"]
    assert sums["minimum"] < sums["mean"] - 0.02
    between = (sums["minimum"] + sums["mean"]) / 2
    options = ("timeline", half_bad, "--segments", "1s", "--fail-below", between)
    assert run(*options)[0] == 0
    assert run(*options, "--fail-stat", "min")[0] == 3
    assert run(*options, "--fail-stat", "best")[0] == 2


def test_a_comparison_fails_on_its_worst_segment(good: Path, half_bad: Path) -> None:
    found = compare(good, half_bad, Scorer("dover-open", "cpu"), seconds=1)
    sums = found.statistics()
    assert sums.mean == pytest.approx(found.overall.difference)
    assert sums.minimum == found.worst().difference("overall")
    between = (sums.minimum + sums.mean) / 2
    options = ("compare", good, half_bad, "--seconds", 1, "--fail-below", between)
    assert run(*options)[0] == 0
    assert run(*options, "--fail-stat", "min")[0] == 3
    assert run(*options, "--fail-stat", "harmonic_mean")[0] == 2  # differences have none


@pytest.mark.parametrize("limit", ["nan", "inf", "-inf"])
def test_a_limit_that_nothing_can_miss_is_refused(limit: str, good: Path) -> None:
    for command in (("timeline", good), ("compare", good, good)):
        with pytest.raises(SettingsError, match="--fail-below must be a finite number"):
            run(*command, "--fail-below", limit)
        with pytest.raises(SettingsError, match="--fail-stat needs a limit"):
            run(*command, "--fail-stat", "min")


def test_versions_without_a_source(good: Path, half_bad: Path) -> None:
    scorer = Scorer("dover-open", "cpu")
    found = compare(half_bad, good, scorer, seconds=0.5, has_source=False)
    assert found.overall.low is not None
    assert found.sentence().startswith("good.mp4 ")
    assert "bad.mp4: +" in found.sentence()
    assert "source" not in found.sentence()
    back = compare(good, half_bad, scorer, seconds=0.5, has_source=False)
    assert back.overall.difference == -found.overall.difference
    code, out, _ = run("compare", half_bad, good, "--no-source", "--seconds", 0.5, "-f", "json")
    (row,) = json.loads(out)["comparisons"]
    assert (code, row["has_source"], row["sentence"]) == (0, False, found.sentence())
    with pytest.raises(SettingsError, match="omit --no-source"):
        run("compare", half_bad, good, "--no-source", "--metric", "ssim")


def test_minimums_add_what_is_kept_and_why(good: Path, half_bad: Path, tmp_path: Path) -> None:
    missing = good.with_name("none.mp4")
    rows = [json.loads(line) for line in run("score", good, half_bad, "-f", "json")[1].splitlines()]
    assert "keep" not in rows[0]
    limit = (rows[0]["technical"] + rows[1]["technical"]) / 2
    assert rows[1]["technical"] < limit < rows[0]["technical"]
    options = ("--min-technical", limit, "--min-overall", 0)
    out = run("score", good, half_bad, missing, *options, "-f", "json")[1]
    kept = [json.loads(line) for line in out.splitlines()]
    assert [row["keep"] for row in kept] == [True, False, False]
    assert kept[1]["reason"] == f"technical {rows[1]['technical']:.3f} is below {limit:g}"
    assert [row["reason"] for row in kept[::2]] == [None, "not scored"]
    out = run("score", good, half_bad, *options, "-f", "csv")[1]
    assert [row["keep"] for row in csv.DictReader(io.StringIO(out))] == ["True", "False"]
    assert "no: technical" in run("score", good, half_bad, *options)[1]
    output = tmp_path / "scores.parquet"
    run("score", good, half_bad, *options, "-o", output)
    import pandas as pd

    assert pd.read_parquet(output)["keep"].tolist() == [True, False]
    run("score", good, half_bad, "-o", output)  # resumed, without minimums
    assert "keep" not in pd.read_parquet(output)
    with pytest.raises(SettingsError, match=r"cannot be used with a \.jsonl file"):
        run("score", good, *options, "-o", tmp_path / "scores.jsonl")
    with pytest.raises(SettingsError, match=r"must be in \[0, 1\]: 40"):
        run("score", good, "--min-overall", 40)


def test_a_score_that_does_not_exist_is_not_kept() -> None:
    row = {"technical": 0.8, "aesthetic": None, "overall": 0.8, "error": None}
    assert Minimums(technical=0.5).columns(row) == {"keep": True, "reason": None}
    found = Minimums(aesthetic=0.5, overall=0.9).columns(row)
    assert found == {"keep": False, "reason": "no aesthetic score; overall 0.800 is below 0.9"}
