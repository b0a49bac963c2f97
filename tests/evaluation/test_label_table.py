"""Tables of labels, valid and invalid."""

from math import isnan
from pathlib import Path

import pandas as pd
import pytest

from dover_plugin.errors import SettingsError
from dover_plugin.evaluation.label_table import read_labels
from dover_plugin.evaluation.labels import LabelledVideo, assign_splits

VIDEOS = Path("videos")


def write(folder: Path, text: str, name: str = "labels.csv") -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_the_references_files_have_no_header(tmp_path: Path) -> None:
    table = write(tmp_path, "a.mp4, 3.1, 4.2, 4.4\nsub/b.mp4, -1, -1, 2.5\n", "labels.txt")
    one, two = read_labels(table, VIDEOS)
    assert one == LabelledVideo(VIDEOS / "a.mp4", 4.4, technical=4.2, aesthetic=3.1, group="a.mp4")
    assert (two.file, two.overall) == (VIDEOS / "sub/b.mp4", 2.5)
    assert isnan(two.technical)
    assert isnan(two.aesthetic)


def test_length_and_frame_rate_are_not_labels(tmp_path: Path) -> None:
    """The reference's files of KoNViD-1k, LIVE-VQC and CVD2014 hold them."""
    table = write(tmp_path, "a.mp4, 8.0, 25.0, 3.2\nb.mp4, 8.0, 30.0, 2.3\n", "labels.txt")
    for row in read_labels(table, VIDEOS, branches=False):
        assert isnan(row.technical)
        assert isnan(row.aesthetic)


def test_a_table_with_headers(tmp_path: Path) -> None:
    table = write(tmp_path, "flickr_id, MOS, content, split\n12, 3, x, train\n13, 4, y, test\n")
    one, two = read_labels(table, VIDEOS, branches=False, pattern="set/{name}.mp4")
    assert one == LabelledVideo(VIDEOS / "set/12.mp4", 3.0, group="x", split="train")
    assert two.split == "test"
    own = write(tmp_path, "file,overall,technical,aesthetic\na.mp4,1,2,-1\nb.mp4,2,3,4\n")
    one, two = read_labels(own, VIDEOS, branches=False)  # headers identify the columns
    assert (one.technical, two.aesthetic) == (2.0, 4.0)
    assert isnan(one.aesthetic)


def test_other_columns_are_ignored(tmp_path: Path) -> None:
    table = write(tmp_path, "file,mos,note,group\na,1,tall,x\nb,2,,\n")
    one, two = read_labels(table, VIDEOS)
    assert one == LabelledVideo(VIDEOS / "a", 1.0, group="x")
    assert two == LabelledVideo(VIDEOS / "b", 2.0, group="b")


def test_a_parquet_table(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    file = tmp_path / "labels.parquet"
    pd.DataFrame(
        {"path": ["a.mp4", "b.mp4"], "mos": [1.5, 2.5], "technical": [3.0, None]}
    ).to_parquet(file)
    one, two = read_labels(file, VIDEOS)
    assert (one.overall, one.technical, two.overall) == (1.5, 3.0, 2.5)
    assert isnan(two.technical)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no labels|Cannot read"),
        ("file,overall\n", "holds no labels"),
        ("file,quality\na,1\n", "no column 'overall'"),
        ("file,mos\na,1\na,2\n", "more than once, for example 'a'"),
        ("file,mos\na/b,1\na/./b,2\n", "more than once, for example 'a/./b'"),
        ("file,mos\na,1\nb,x\n", "column 'overall' that are not numbers, for example of 'b'"),
        ("file,mos\na,1\nb,nan\n", "column 'overall' that are not numbers"),
        ("file,mos\na,1\nb,\n", "no overall MOS for 1 videos, for example 'b'"),
        ("file,mos,technical\na,1,2\nb,2,good\n", "column 'technical' that are not numbers"),
        ("a,1,2,-1\nb,1,2,3\n", "no overall MOS for 1 videos, for example 'a'"),
        ("file,mos,mos \na,1,2\nb,2,3\n", "two columns 'overall'"),
        ("file,mos\na,3\nb,3\n", "every video the MOS 3"),
        ("file,mos,split\na,1,train\nb,2,dev\n", "invalid split 'dev'"),
    ],
)
def test_invalid_tables(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_labels(write(tmp_path, text), VIDEOS, pattern="{name}")


def test_a_table_of_a_spreadsheet(tmp_path: Path) -> None:
    """It has a byte order mark, names that look like numbers, quotes, and empty cells."""
    text = '\ufefffile,mos,group,split\n"007",1,,train\n"a, b.mp4",2,,\nNA.mp4,3,x,\nc.mp4,4,x,\n'
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    rows = read_labels(tmp_path / "labels.csv", VIDEOS, pattern="{name}.mp4")
    assert [row.file.name for row in rows] == ["007.mp4", "a, b.mp4", "NA.mp4", "c.mp4"]
    assert [row.group for row in rows] == ["007.mp4", "a, b.mp4", "x", "x"]
    assert [row.split for row in rows] == ["train", None, None, None]
    with pytest.raises(SettingsError, match="1 of 4 rows"):
        assign_splits(rows, 0, 0.1, 0.2)


def test_a_missing_table(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        read_labels(tmp_path / "none.csv", VIDEOS)
