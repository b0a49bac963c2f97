"""Files, folders, patterns, lists and tables that name videos."""

import io
import logging
import os
import sys
from pathlib import Path

import pandas as pd
import pytest

from dover_plugin.errors import SettingsError
from dover_plugin.io.csv_cells import restore_cell, safe_cell
from dover_plugin.io.inputs import expand, read_from, read_list
from dover_plugin.io.pairing import match_folders
from dover_plugin.io.write import check_regular, replacing, write_text


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a.mp4", "b.mov", "x/c.mp4", "x/y/d.mp4", "x/y/e.bin", "x/.h/f.mp4", "n.txt"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (tmp_path / "x/loop").symlink_to(tmp_path)
    (tmp_path / "x/again").symlink_to(tmp_path / "x")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("*.mp4", "a.mp4"),
        ("*", "a.mp4 b.mov x/c.mp4 x/loop/a.mp4 x/loop/b.mov x/y/d.mp4"),
        ("**", "a.mp4 b.mov x/c.mp4 x/y/d.mp4"),
        ("**/*.mp4", "a.mp4 x/c.mp4 x/y/d.mp4"),
        ("**/y/*", "x/y/d.mp4"),
        ("x/**/[cd].mp4", "x/c.mp4 x/y/d.mp4"),
        ("*/**/*.mp4", "x/c.mp4 x/loop/a.mp4 x/y/d.mp4"),
        ("**/*.bin", "x/y/e.bin"),
        ("x/y/*.bin", "x/y/e.bin"),
        ("**/y", "x/y/d.mp4"),
        ("**/x/**/d.mp4", "x/y/d.mp4"),
        ("*.avi", "*.avi"),
        ("**/*.avi", "**/*.avi"),
    ],
)
def test_patterns(pattern: str, wanted: str, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [path.removeprefix(f"{tree}/") for path in expand([f"{tree}/{pattern}"])] == (
        wanted.split()
    )
    monkeypatch.chdir(tree)
    assert list(expand([pattern])) == wanted.split()


def test_a_pattern_says_what_it_leaves_out(tree: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        list(expand([f"{tree}/?.*"]))
    assert caplog.messages == [f"Left out of '{tree}/?.*': 1 without a video suffix (.txt: 1)."]


def test_a_file_whose_name_looks_like_a_pattern(tmp_path: Path) -> None:
    (tmp_path / "[a].mp4").touch()
    assert list(expand([f"{tmp_path}/[a].mp4"])) == [f"{tmp_path}/[a].mp4"]


def test_lists(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(b"\xef\xbb\xbfa.mp4\r\n\n  \nb c.mp4\n\xff.mp4")
    assert read_from(file, "path") == ["a.mp4", "b c.mp4", os.fsdecode(b"\xff.mp4")]
    with pytest.raises(SettingsError, match="Cannot read the list"):
        read_from(tmp_path / "none.txt", "path")


@pytest.mark.parametrize("text", ["\0\0\0 ftypisom", "\x89PNG\n\0IHDR", "x" * 100_000])
def test_a_video_in_place_of_a_list(text: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Standard input holds binary data"):
        list(read_list(io.StringIO(text)))
    (tmp_path / "x.mp4").write_text(text)
    with pytest.raises(SettingsError, match=r"x\.mp4' holds binary data, not a list of paths"):
        read_from(tmp_path / "x.mp4", "path")


def test_a_list_that_never_ends() -> None:
    with pytest.raises(SettingsError, match="binary data"):
        read_from(Path("/dev/zero"), "path")


def test_tables(tmp_path: Path) -> None:
    table = pd.DataFrame({"clip": ["a.mp4", "b.mp4"], "n": [1, 2]})
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_parquet(tmp_path / "t.parquet")
    for suffix in ("csv", "parquet"):
        (tmp_path / f"T.{suffix.upper()}").write_bytes((tmp_path / f"t.{suffix}").read_bytes())
    for file in (tmp_path / name for name in ("t.csv", "t.parquet", "T.CSV", "T.PARQUET")):
        assert read_from(file, "clip") == ["a.mp4", "b.mp4"]
        with pytest.raises(SettingsError, match=r"no column .path.; it has clip, n\. Choose one"):
            read_from(file, "path")
    (tmp_path / "t.csv").write_text("path,n\na.mp4,1\n,2\n")
    with pytest.raises(SettingsError, match=r"empty cell in row 2 \(1 in all\)"):
        read_from(tmp_path / "t.csv", "path")
    (tmp_path / "bad.parquet").write_text("x")
    with pytest.raises(SettingsError, match="Cannot read"):
        read_from(tmp_path / "bad.parquet", "path")


def test_a_table_that_never_ends(tmp_path: Path) -> None:
    (tmp_path / "t.csv").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "p.parquet")
    for name, kind in (("t.csv", "a device"), ("p.parquet", "a named pipe")):
        with pytest.raises(SettingsError, match=f"{name}' is {kind}, not a regular file"):
            read_from(tmp_path / name, "path")


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.parquet").write_text("x")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SettingsError, match=r"pip install 'dover-plugin\[parquet\]'"):
        read_from(tmp_path / "t.parquet", "path")


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''-1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_text_that_spreadsheets_would_run(text: str) -> None:
    assert safe_cell(text) == f"'{text}"
    assert restore_cell(safe_cell(text)) == text


@pytest.mark.parametrize("value", ["a=1", "'a.mp4'", "", "'", -0.5, None, 3, "视频.mp4"])
def test_other_cells_stay(value: object) -> None:
    assert safe_cell(value) is value
    assert restore_cell(value) is value


def test_paths_of_a_csv_table_are_restored(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("path\n'=a.mp4\nb.mp4\n")
    assert read_from(tmp_path / "t.csv", "path") == ["=a.mp4", "b.mp4"]


def test_writes_replace_whole_files(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    write_text(file, "one")
    with pytest.raises(RuntimeError), replacing(file) as part:
        part.write_text("two")
        raise RuntimeError
    assert file.read_text() == "one\n"
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]
    with pytest.raises(SettingsError, match=r"Cannot write .*: No such file or directory"):
        write_text(tmp_path / "none/a.txt", "x")


def test_a_link_in_place_of_the_temporary_file_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("kept")
    (tmp_path / f"a.txt.{os.getpid()}.part").symlink_to(secret)
    write_text(tmp_path / "a.txt", "x")
    assert secret.read_text() == "kept"
    assert not (tmp_path / "a.txt").is_symlink()


def test_only_regular_files_are_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/full")
    for name, kind in (("pipe", "a named pipe"), ("device", "a device"), ("", "a folder")):
        with pytest.raises(SettingsError, match=f"is {kind}, not a regular file"):
            check_regular(tmp_path / name)
        with pytest.raises(SettingsError, match=f"is {kind}, not a regular file"):
            write_text(tmp_path / name, "x")
    check_regular(tmp_path / "none")


def test_pairs_of_folders(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    for file in ("before/a.mov", "before/x/b.mov", "before/c.mp4", "after/a.mp4", "after/x/b.mkv"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    pairs, alone = match_folders(before, after)
    assert pairs == [
        (before / "a.mov", after / "a.mp4"),
        (before / "x/b.mov", after / "x/b.mkv"),
    ]
    assert alone == [before / "c.mp4"]
    (before / "a.avi").touch()
    with pytest.raises(SettingsError, match="holds two videos named 'a'"):
        match_folders(before, after)
    (before / "a.avi").unlink()
    with pytest.raises(SettingsError, match="No video in"):
        match_folders(before, tmp_path / "after/x")
