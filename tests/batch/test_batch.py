"""Many videos: what is named, what comes out, a row for each."""

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from batch_helpers import BROKEN, CLIPS, rows, run, videos
from typer.testing import CliRunner

from dover_plugin import Scorer, score_many, to_frame
from dover_plugin.batch.journal import Journal
from dover_plugin.batch.run import score_batch
from dover_plugin.batch.summary import summarise
from dover_plugin.batch.tables import journal_of, put_aside, write_output
from dover_plugin.cli import app
from dover_plugin.errors import SettingsError
from dover_plugin.io.inputs import expand, read_from


def test_every_file_has_a_row(folder: Path, whole: list[Any]) -> None:
    assert [row["path"] for row in whole] == videos(folder)
    assert sum(row["error"] is not None for row in whole) == BROKEN
    for row in whole:
        seen = Path(row["path"]).stat()
        assert (row["size"], row["modified"]) == (seen.st_size, seen.st_mtime_ns)
        assert (row["overall"] is None) == (row["error"] is not None)


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_outputs(folder: Path, whole: list[Any], tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"scores.{kind}"
    done = run(folder, "-o", file)
    assert done.exit_code == 1
    readers = {"csv": pd.read_csv, "parquet": pd.read_parquet}
    if kind == "jsonl":
        table = pd.DataFrame(rows(file))
    else:
        table = readers[kind](file).sort_values("path", ignore_index=True)
    assert table["path"].tolist() == [row["path"] for row in whole]
    for name in ("overall", "technical_raw"):
        wanted = [float("nan") if row[name] is None else row[name] for row in whole]
        assert table[name].tolist() == pytest.approx(wanted, nan_ok=True)
    assert f"{CLIPS} scored, {BROKEN} failed" in done.stdout
    assert "lowest overall:" in done.stdout


def test_the_summary(whole: list[Any]) -> None:
    found = summarise(whole)
    good = sorted(row["overall"] for row in whole if row["error"] is None)
    assert (found.scored, found.failed) == (CLIPS, BROKEN)
    assert [value for _, value in found.lowest] == good[:10]
    assert found.quantiles["overall"][0.5] == pytest.approx(pd.Series(good).median())
    assert sum(count for _, count in found.kinds) == BROKEN
    assert [kind.split("(")[0] for kind, _ in found.kinds] == [
        "… cannot be read as a video ",
        "… is empty ",
    ]
    assert summarise([]).quantiles == {}


def test_what_users_name(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = [str(folder / f"{i:02}.mp4") for i in range(CLIPS)]
    assert list(expand([str(folder / "0*.mp4")])) == clips
    assert list(expand([str(folder / "**/00.mp4")])) == clips[:1]
    assert list(expand([str(folder / "none*.mp4")])) == [str(folder / "none*.mp4")]
    odd = tmp_path / "[a].mp4"
    odd.write_bytes(b"x")
    assert list(expand([str(odd)])) == [str(odd)], "a file is no pattern"
    (tmp_path / "notes.txt").write_text("x")
    assert list(expand([str(tmp_path / "*")])) == [str(odd)]
    table = tmp_path / "table.csv"
    table.write_text(f"name,clip\na,{clips[0]}\nb,{clips[1]}\n")
    assert read_from(table, "clip") == clips[:2]
    pd.read_csv(table).to_parquet(tmp_path / "table.parquet")
    assert read_from(tmp_path / "table.parquet", "clip") == clips[:2]
    with pytest.raises(SettingsError, match="no column 'path'; it has name, clip"):
        read_from(table, "path")
    command = [sys.executable, "-m", "dover_plugin", "score", "-", "-f", "csv", "--device", "cpu"]
    done = subprocess.run(
        command, input="\n".join(clips[:2]), capture_output=True, text=True, check=False
    )
    assert [row["path"] for row in csv.DictReader(done.stdout.splitlines())] == clips[:2]
    assert "No video was named" in str(run().exception)


def test_from_python(folder: Path, whole: list[Any]) -> None:
    results = list(score_many([folder], model="dover-open", device="cpu"))
    assert [result.path for result in results] == videos(folder)
    table = to_frame(results)
    wanted = [float("nan") if row["overall"] is None else row["overall"] for row in whole]
    assert table["overall"].tolist() == pytest.approx(wanted, abs=1e-9, nan_ok=True)
    assert table["error"].notna().sum() == BROKEN
    assert list(to_frame([]).columns) == list(table.columns)


def test_putting_aside_loses_nothing(tmp_path: Path) -> None:
    output = tmp_path / "a.csv"
    for number in (1, 2):
        output.write_text(str(number))
        journal_of(output).write_text(str(number))
        put_aside(output)
    assert (tmp_path / "a.csv.old1").read_text() == "1"
    assert (tmp_path / "a.csv.jsonl.old2").read_text() == "2"


def test_memory_stays_flat(scorer: Scorer, folder: Path, tmp_path: Path) -> None:
    clips = videos(folder)
    many = []
    for i in range(48):
        many.append(tmp_path / f"{i}.mp4")
        many[-1].symlink_to(clips[i % CLIPS])
    held = []

    def watch(_: object) -> None:
        held.append(psutil.Process().memory_info().rss)

    with Journal(tmp_path / "scores.jsonl", scorer) as journal:
        score_batch(scorer, [str(path) for path in many], journal, progress=watch)
        write_output(journal, tmp_path / "scores.csv")
    assert max(held[28:]) < 1.1 * max(held[12:28])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--timeout 0", "Limits must be above 0"),
        ("--memory 0", "Limits must be above 0"),
        ("--gpus 1", "are of a cluster"),
        ("--scorers 2", "are of a cluster"),
        ("-o out.csv -f json", "--format is of standard output"),
        ("--restart", "are of what --output holds"),
        ("-o nowhere/out.csv", "in a folder that is not there"),
        ("-o out.txt", "none of .jsonl, .csv, .parquet"),
    ],
)
def test_options_that_would_do_nothing(options: str, says: str, folder: Path) -> None:
    done = CliRunner().invoke(app, ["score", videos(folder)[0], *options.split()])
    assert says in str(done.exception)
