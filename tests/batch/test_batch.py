"""Batches of videos: inputs, output files, a row for every file."""

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from batch_helpers import BROKEN, CLIPS, rows, run, videos

from dover_plugin import Failure, Scorer, score_many, to_frame
from dover_plugin.batch.journal import Journal, stamp_of
from dover_plugin.batch.run import score_batch
from dover_plugin.batch.summary import summarise
from dover_plugin.batch.tables import back_up, journal_of, read_scores, write_output
from dover_plugin.io.inputs import read_from


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
    table = pd.DataFrame(rows(file)) if kind == "jsonl" else readers[kind](file)
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
    assert found.statistics["overall"].median == pytest.approx(pd.Series(good).median())
    assert sum(count for _, count in found.kinds) == BROKEN
    assert [kind.split("(")[0] for kind, _ in found.kinds] == [
        "… cannot be read as a video ",
        "… is empty ",
    ]
    assert summarise([]).statistics == {}


def test_a_list_on_standard_input(folder: Path) -> None:
    clips = [str(folder / f"{i:02}.mp4") for i in range(2)]
    command = [sys.executable, "-m", "dover_plugin", "score", "-", "-f", "csv", "--device", "cpu"]
    done = subprocess.run(
        command, input="\n".join(clips), capture_output=True, text=True, check=False
    )
    assert [row["path"] for row in csv.DictReader(done.stdout.splitlines())] == clips
    assert "There is no input" in str(run().exception)


def test_from_python(folder: Path, whole: list[Any]) -> None:
    results = list(score_many([folder], model="dover-open", device="cpu"))
    assert [result.path for result in results] == videos(folder)
    table = to_frame(results)
    wanted = [float("nan") if row["overall"] is None else row["overall"] for row in whole]
    assert table["overall"].tolist() == pytest.approx(wanted, abs=1e-9, nan_ok=True)
    assert table["error"].notna().sum() == BROKEN
    assert list(to_frame([]).columns) == list(table.columns)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_tables_have_the_order_in_which_videos_were_named(
    scorer: Scorer, folder: Path, tmp_path: Path, suffix: str
) -> None:
    first, second, third, other = videos(folder)[:4]
    output = tmp_path / f"scores{suffix}"
    with Journal(tmp_path / "scores.jsonl", scorer) as journal:
        for path in (third, other, first, second):  # the order in which they finish
            journal.add(path, Failure(path, "damaged", scorer.settings), stamp_of(path))
        write_output(journal, output, [second, first, third, second])
    table = pd.read_csv(output) if suffix == ".csv" else pd.read_parquet(output)
    assert table["path"].tolist() == [second, first, third, other]


def test_backups_lose_nothing(tmp_path: Path) -> None:
    output = tmp_path / "a.csv"
    for number in (1, 2):
        output.write_text(str(number))
        journal_of(output).write_text(str(number))
        back_up(output)
    assert (tmp_path / "a.csv.old1").read_text() == "1"
    assert (tmp_path / "a.csv.jsonl.old2").read_text() == "2"


@pytest.mark.parametrize("name", ["scores.jsonl", "scores.csv", "scores.csv.jsonl"])
def test_only_regular_files_are_written(name: str, folder: Path, tmp_path: Path) -> None:
    """A device may have no end, and a pipe would block the command for ever."""
    output = tmp_path / name.removesuffix(".csv.jsonl")
    output = output if output.suffix else tmp_path / "scores.csv"
    (tmp_path / name).symlink_to("/dev/zero")
    done = run(folder / "00.mp4", "-o", output)
    assert f"{name}' is a device, not a regular file" in str(done.exception)
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    done = run(folder / "00.mp4", "-o", output)
    assert f"{name}' is a named pipe, not a regular file" in str(done.exception)


def test_names_that_spreadsheets_would_run(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["=1+1.mp4", "@SUM(A1).mp4", "'=2.mp4", "plain.mp4"]
    for name in names:
        (tmp_path / name).write_bytes((folder / "00.mp4").read_bytes())
    assert run(*names, "-o", "scores.csv").exit_code == 0
    cells = [row["path"] for row in csv.DictReader((tmp_path / "scores.csv").open())]
    assert cells == ["'=1+1.mp4", "'@SUM(A1).mp4", "''=2.mp4", "plain.mp4"]
    assert [row["path"] for row in rows(tmp_path / "scores.csv.jsonl")] == sorted(names)
    assert read_scores(tmp_path / "scores.csv")["path"].tolist() == names
    assert read_from(tmp_path / "scores.csv", "path") == names


def test_an_unreadable_subfolder_is_a_failed_row(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may list every folder, so the system call fails by hand."""
    locked = tmp_path / "locked"
    locked.mkdir()
    (tmp_path / "a.mp4").write_bytes((folder / "00.mp4").read_bytes())
    listing = os.scandir

    def scandir(path: Any) -> Any:
        if str(path) == str(locked):
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", scandir)
    done = run(tmp_path, "-o", tmp_path / "scores.jsonl")
    assert done.exit_code == 1
    scored, failed = rows(tmp_path / "scores.jsonl")
    assert scored["error"] is None
    assert failed["path"] == str(locked)
    assert str(locked) in failed["error"]


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
        write_output(journal, tmp_path / "scores.csv", [str(path) for path in many])
    assert max(held[28:]) < 1.1 * max(held[12:28])
