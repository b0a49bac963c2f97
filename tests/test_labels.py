"""Tables of labels, and losses, by hand."""

from math import isnan, nan
from pathlib import Path

import numpy as np
import pytest
import torch

from dover_plugin.errors import SettingsError
from dover_plugin.evaluation.label_table import read_labels
from dover_plugin.evaluation.labels import LabelledVideo, check_videos, split
from dover_plugin.training.also import as_met
from dover_plugin.training.data import plan
from dover_plugin.training.losses import (
    Labels,
    plcc_loss,
    quality_loss,
    rank_loss,
    view_biased_loss,
)

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


def test_length_and_frame_rate_are_no_opinions(tmp_path: Path) -> None:
    """As in the reference's files of KoNViD-1k, LIVE-VQC and CVD2014."""
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
    one, two = read_labels(own, VIDEOS, branches=False)  # headers say what is what
    assert (one.technical, two.aesthetic) == (2.0, 4.0)
    assert isnan(one.aesthetic)


def test_ladders_and_cut_outs(tmp_path: Path) -> None:
    head = "file,mos,content,ladder,cut_from\n"
    table = write(tmp_path, head + "a,1,x,x-0,720\nb,2,x,x-1,\nc,3,y,,-7\n")
    rows = read_labels(table, VIDEOS)
    assert [(row.group, row.ladder, row.cut_from) for row in rows] == [
        ("x", "x-0", 720),
        ("x", "x-1", 0),
        ("y", "", 0),
    ]
    with pytest.raises(SettingsError, match="column 'cut_from' that is no number"):
        read_labels(write(tmp_path, head + "a,1,x,x-0,tall\nb,2,x,x-1,\n"), VIDEOS)


def test_other_columns(tmp_path: Path) -> None:
    table = write(tmp_path, "file,mos,Fault_a,fault_b,note\na,1,2,,x\nb,2,0,5,\n")
    one, two = read_labels(table, VIDEOS, also="fault_*, Overall")
    assert list(one.also.values())[::2] == [2.0, 1.0]
    assert isnan(one.also["fault_b"])
    assert two.also == {"fault_a": 0.0, "fault_b": 5.0, "overall": 2.0}
    for wanted, message in (("blur", "no column 'blur'; it has file"), ("note", "no number")):
        with pytest.raises(SettingsError, match=message):
            read_labels(table, VIDEOS, also=wanted)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no labels|Cannot read"),
        ("file,overall\n", "holds no labels"),
        ("file,quality\na,1\n", "no column 'overall'"),
        ("file,mos\na,1\na,2\n", "more than once, as 'a'"),
        ("file,mos\na/b,1\na/./b,2\n", "more than once, as 'a/./b'"),
        ("file,mos\na,1\nb,x\n", "column 'overall' that is no number, as 'b'"),
        ("file,mos\na,1\nb,nan\n", "column 'overall' that is no number"),
        ("file,mos\na,1\nb,\n", "no overall opinion, as 'b'"),
        ("file,mos,technical\na,1,2\nb,2,good\n", "column 'technical' that is no number"),
        ("a,1,2,-1\nb,1,2,3\n", "no overall opinion, as 'a'"),
        ("file,mos,mos \na,1,2\nb,2,3\n", "two columns 'overall'"),
        ("file,mos\na,3\nb,3\n", "every video the opinion 3"),
        ("file,mos,split\na,1,train\nb,2,dev\n", "split 'dev'"),
    ],
)
def test_tables_that_are_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_labels(write(tmp_path, text), VIDEOS, pattern="{name}")


def test_a_table_of_a_spreadsheet(tmp_path: Path) -> None:
    """With a byte order mark, names that look like numbers, quotes, and empty cells."""
    text = '\ufefffile,mos,group,split\n"007",1,,train\n"a, b.mp4",2,,\nNA.mp4,3,x,\nc.mp4,4,x,\n'
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    rows = read_labels(tmp_path / "labels.csv", VIDEOS, pattern="{name}.mp4")
    assert [row.file.name for row in rows] == ["007.mp4", "a, b.mp4", "NA.mp4", "c.mp4"]
    assert [row.group for row in rows] == ["007.mp4", "a, b.mp4", "x", "x"]
    assert [row.split for row in rows] == ["train", None, None, None]
    with pytest.raises(SettingsError, match="1 of 4 rows"):
        split(rows, 0, (0.1, 0.2))


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        read_labels(tmp_path / "none.csv", VIDEOS)


def test_labels_without_videos_and_videos_without_labels(tmp_path: Path) -> None:
    for name in ("a.mp4", "c.mp4"):
        (tmp_path / name).write_bytes(b"x")
    rows = read_labels(write(tmp_path, "file,mos\na.mp4,1\nb.mp4,2\n"), tmp_path)
    with pytest.raises(SettingsError, match=r"1 of 2 labelled videos .*b\.mp4'"):
        check_videos(rows, tmp_path)
    assert check_videos(rows[:1], tmp_path) == [str(tmp_path / "c.mp4")]


def test_a_split_has_no_group_twice() -> None:
    rows = [LabelledVideo(Path(f"{i}.mp4"), i, group=str(i // 5)) for i in range(100)]
    done = split(rows, 1, (0.1, 0.2))
    groups = {name: {r.group for r in done if r.split == name} for name in ("train", "val", "test")}
    assert [len(found) for found in groups.values()] == [14, 2, 4]
    assert len(set.union(*groups.values())) == 20
    assert done == split(rows, 1, (0.1, 0.2)) != split(rows, 2, (0.1, 0.2))


def test_given_splits_are_kept_and_checked() -> None:
    rows = [
        LabelledVideo(Path("a"), 1, group="x", split="train"),
        LabelledVideo(Path("b"), 2, group="y"),
    ]
    with pytest.raises(SettingsError, match="1 of 2 rows"):
        split(rows, 1, (0.1, 0.2))
    leak = [rows[0], LabelledVideo(Path("b"), 2, group="x", split="test")]
    with pytest.raises(SettingsError, match="lies in two splits, train and test"):
        split(leak, 1, (0.1, 0.2))


def test_batches_hold_every_video_once_an_epoch() -> None:
    groups = [str(i // 3) for i in range(10)]
    batches = plan(groups, 4, 3, seed=0)
    assert [len(batch) for batch in batches] == [4, 4, 2] * 3
    for epoch in range(3):
        keys = [key for batch in batches[3 * epoch : 3 * epoch + 3] for key in batch]
        assert sorted(keys) == [(epoch, i) for i in range(10)]
    assert batches[:3] != [[(0, i) for _, i in batch] for batch in batches[3:6]]
    assert [len(batch) for batch in plan(groups[:9], 4, 1, seed=0)] == [4, 4]  # one teaches nothing
    (first, *_), *_ = side_by_side = plan(groups, 3, 2, seed=0, together=3)
    assert [len(batch) for batch in side_by_side] == [3, 3, 3, 3, 3, 3]
    assert first[0] == 0
    assert sum(len({groups[i] for _, i in batch}) == 1 for batch in side_by_side) >= 4


def test_losses_by_their_formulas() -> None:
    rng = np.random.default_rng(0)
    p, y = rng.normal(size=9), rng.normal(size=9)
    zp, zy = ((v - v.mean()) / v.std() for v in (p, y))
    rho = (zp * zy).mean()
    plcc = (((zp - zy) ** 2).mean() / 4 + ((rho * zp - zy) ** 2).mean() / 4) / 2
    pairs = [max(0.0, (p[i] - p[j]) * np.sign(y[j] - y[i])) for i in range(9) for j in range(9)]
    rank = sum(pairs) / 9 / 8 / (1 + max(pairs))
    scores, labels = torch.tensor(p), torch.tensor(y)
    assert float(plcc_loss(scores, labels)) == pytest.approx(plcc, rel=1e-6)
    assert float(rank_loss(scores, labels)) == pytest.approx(rank, rel=1e-6)
    assert float(quality_loss(scores, labels)) == pytest.approx(plcc + 0.3 * rank, rel=1e-6)


def test_the_right_order_costs_nothing() -> None:
    labels = torch.tensor([1.0, 2.0, 5.0])
    assert float(plcc_loss(labels * 3 - 7, labels)) == pytest.approx(0, abs=1e-6)
    assert float(rank_loss(labels, labels)) == 0
    assert float(rank_loss(-labels, labels)) > 0


def test_neighbours_of_a_group_are_compared_with_each_other() -> None:
    scores, overall = torch.randn(8, generator=torch.manual_seed(0)), torch.arange(8.0)
    unknown = torch.full((8,), nan)
    opinions = Labels(overall, unknown, unknown)
    halves = [quality_loss(scores[i : i + 4], overall[i : i + 4]) for i in (0, 4)]
    expected = quality_loss(scores, overall) + (halves[0] + halves[1]) / 2  # both branches, halved
    assert float(view_biased_loss(scores, scores, opinions, 4)) == pytest.approx(float(expected))


def test_a_branchs_own_label_counts_where_it_is_known() -> None:
    scores = torch.tensor([0.1, 0.5, 0.2, 0.9])
    overall = torch.tensor([1.0, 2.0, 3.0, 4.0])
    unknown = torch.full((4,), nan)
    own = torch.tensor([2.0, nan, 1.0, 5.0])
    plain = view_biased_loss(scores, scores, Labels(overall, unknown, unknown))
    assert float(plain) == pytest.approx(2 * float(quality_loss(scores, overall)))
    both = view_biased_loss(scores, scores, Labels(overall, own, unknown))
    known = [0, 2, 3]
    assert float(both - plain) == pytest.approx(
        0.5 * float(quality_loss(scores[known], own[known])), rel=1e-5
    )


def test_what_both_branches_say_together_is_learnt_where_it_is_asked_for() -> None:
    overall = torch.tensor([1.0, 2.0, 3.0, 4.0])
    technical, aesthetic = torch.tensor([0.0, 9.0, 1.0, 8.0]), torch.tensor([9.0, 0.0, 9.0, 2.0])
    unknown = torch.full((4,), nan)
    opinions = Labels(overall, unknown, unknown)
    plain = view_biased_loss(technical, aesthetic, opinions)
    both = view_biased_loss(technical, aesthetic, opinions, fused_weight=2.0)
    standard = [(s - s.mean()) / s.std(correction=0) for s in (technical, aesthetic)]
    fused = 0.6104 * standard[0] + 0.3896 * standard[1]
    assert float(both - plain) == pytest.approx(2 * float(quality_loss(fused, overall)), rel=1e-5)


def test_neighbours_are_compared_with_each_other_whatever_the_others_are() -> None:
    overall = torch.tensor([90.0, 80.0, 20.0, 10.0])
    unknown = torch.full((4,), nan)
    opinions = Labels(overall, unknown, unknown)

    def loss(scores: list[float], together: int) -> float:
        return float(view_biased_loss(torch.tensor(scores), overall, opinions, together))

    right, wrong = [4.01, 4.0, 1.01, 1.0], [4.0, 4.01, 1.0, 1.01]  # but for the order of neighbours
    assert loss(wrong, 1) == pytest.approx(loss(right, 1), abs=0.01)
    assert loss(wrong, 2) > loss(right, 2) + 0.2


def test_neighbours_are_compared_in_a_branchs_own_opinion_where_all_of_them_have_one() -> None:
    overall = torch.tensor([90.0, 80.0, 20.0, 10.0])
    own = torch.tensor([80.0, 90.0, nan, nan])
    scores = torch.tensor([4.0, 4.01, 1.0, 1.01])
    opinions = Labels(overall, own, torch.full((4,), nan))
    plain = view_biased_loss(scores, overall, opinions, 2, own_weight=0)
    both = view_biased_loss(scores, overall, opinions, 2, own_weight=1)
    known = quality_loss(scores[:2], own[:2])  # all that is known is one pair of neighbours
    assert float(both - plain) == pytest.approx(float(known), abs=1e-6)


def test_losses_of_rows_are_those_of_each_row() -> None:
    scores = torch.tensor([[1.0, 3.0, 2.0, 4.0], [4.0, 1.0, 2.0, 3.0], [0.0, 0.0, 0.0, 0.0]])
    labels = torch.tensor([[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]])
    found = quality_loss(scores, labels)
    assert found.shape == (3,)
    for row, one, other in zip(found, scores, labels, strict=True):
        assert float(row) == pytest.approx(float(quality_loss(one, other)), abs=1e-6)
    assert len({round(float(row), 3) for row in found}) == 3


def test_columns_of_light_are_weighed_as_they_are_met() -> None:
    rows = [{"fault_cast": 0.0, "fault_noise": float(i % 6), "grain": 1.0 * i} for i in range(100)]
    assert as_met(rows, spoil_light=False) == [list(row.values()) for row in rows]
    cast, noise, grain = zip(*as_met(rows, spoil_light=True), strict=True)
    assert sum(level > 0 for level in cast) == 10  # a fifth of every other one
    assert set(cast) == {0, 1, 2, 3, 4, 5}
    assert list(noise) == [row["fault_noise"] for row in rows]
    assert list(grain) == [row["grain"] for row in rows]
