"""compare_transcodes and group_transcodes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fo_helpers import execute, form, operator, problem, text

from dover_plugin.errors import SettingsError


@pytest.fixture
def folders(folder: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Sources and transcodes of two videos, and one source alone; suffixes in both cases."""
    before, after = tmp_path / "before", tmp_path / "after"
    for size in ("320x240", "480x270"):
        for side, crf, suffix in ((before, 18, ".mp4"), (after, 48, ".MP4")):
            file = side / "inner" / f"{size}{suffix}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes((folder / f"{size}_crf{crf}.mp4").read_bytes())
    (before / "alone.mp4").write_bytes((folder / "320x240_crf33.mp4").read_bytes())
    return before, after


@pytest.fixture
def grouped(folders: tuple[Path, Path], weights: str, calibration: str) -> Iterator[Any]:
    """The two folders as a scored grouped dataset."""
    dataset = operator("group_transcodes")(*map(str, folders), "transcodes")
    operator("score_videos")(dataset, weights=weights, fusion=calibration)
    yield dataset
    dataset.delete()


def test_groups_are_compared(grouped: Any) -> None:
    assert (grouped.media_type, grouped.group_slices) == ("group", ["before", "after"])
    shown = form("compare_transcodes", grouped)
    assert text(shown["count"]) == "2 pairs; 1 sample without a counterpart"
    result = execute("compare_transcodes", grouped, {"threshold": 0.01})
    assert (result["pairs"], result["unpaired"], result["unscored"]) == (2, 1, 0)
    grouped.reload()
    after = grouped.select_group_slices("after")
    losses = []
    for sample in after:
        before = grouped.get_group(sample.group.id)["before"]
        found = sample.dover_difference
        assert found.before == before.id
        for name in ("overall", "technical", "aesthetic"):
            expected = sample.dover[name] - before.dover[name]
            assert found[name] == pytest.approx(expected, abs=1e-12)
        losses.append(found.overall)
    assert result["lost"] == sum(loss < -0.01 for loss in losses)
    assert result["worst"] == min(losses)
    assert result["mean"] == pytest.approx(sum(losses) / 2)
    view = grouped.load_saved_view("lost quality")
    assert view.values("dover_difference.overall") == sorted(losses)
    grouped.group_slice = "before"
    assert len(grouped.load_saved_view("lost quality")) == 2
    grouped.group_slice = "after"


def test_pairs_by_name(scored: Any) -> None:
    found = operator("compare_transcodes")(
        scored, pair_by="name", before="{key}_crf18.mp4", after="{key}_crf4*.mp4", threshold=0.0
    )
    assert (found.pairs, found.unpaired) == (2, 0)
    assert found.lost == sum(v < 0 for v in scored.values("dover_difference.overall") if v)
    params = {"pair_by": "name", "before_name": "{key}_crf18.mp4", "after_name": "{key}_crf5.mp4"}
    assert "No pairs" in problem(form("compare_transcodes", scored, params))


def test_pairs_by_field(scored: Any) -> None:
    for sample in scored.match_tags("dover:failed", bool=False):
        size, crf = Path(sample.filepath).stem.split("_")
        sample["content"] = size
        if crf == "crf18":
            sample.tags.append("source")
        sample.save()
    found = operator("compare_transcodes")(scored, pair_by="field", key="content", before="source")
    assert (found.pairs, found.unpaired) == (4, 0), "a source has two transcodes"
    by_size = {s.content: s.dover.overall for s in scored.match_tags("source")}
    for sample in scored.exists("dover_difference.overall"):
        expected = sample.dover.overall - by_size[sample.content]
        assert sample.dover_difference.overall == pytest.approx(expected)


def test_scores_made_differently_are_not_compared(scored: Any, weights: str) -> None:
    first = scored.match({"filepath": {"$regex": "320x240_crf18"}})
    operator("score_videos")(first, weights=weights, overwrite=True)  # with another fusion
    scored.match({"filepath": {"$regex": "480x270_crf33"}}).set_field("dover", None).save()
    found = operator("compare_transcodes")(
        scored, pair_by="name", before="{key}_crf18.mp4", after="{key}_crf33.mp4"
    )
    assert (found.pairs, found.settings_mismatch, found.unscored) == (0, 1, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pair_by": "group"}, "has no groups"),
        ({"pair_by": "field", "key": "nothing"}, "There is no field"),
        ({"pair_by": "field", "key": "filepath"}, "No sample carries the tag"),
        ({"pair_by": "name", "before": "a.mp4", "after": "b.mp4"}, "needs {key} once"),
        ({"pair_by": "name", "before": "{key}.mkv", "after": "{key}_*.mp4"}, "No pairs"),
    ],
)
def test_what_is_refused(scored: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        operator("compare_transcodes")(scored, **arguments)


def test_two_sources_of_one_name_are_unclear(
    make_dataset: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    from fiftyone_plugin.pairs import pairs_by_name

    dataset = make_dataset([tmp_path / "a/x.mov", tmp_path / "b/x.mov", tmp_path / "x_1.mp4"])
    with pytest.raises(SettingsError, match="share the key 'x'"):
        pairs_by_name(dataset, "{key}.mov", "{key}_1.mp4")


def test_folders_that_cannot_be_grouped(folders: tuple[Path, Path], grouped: Any) -> None:
    group = operator("group_transcodes")
    with pytest.raises(SettingsError, match="named 'transcodes' already"):
        group(*map(str, folders), "transcodes")
    with pytest.raises(SettingsError, match="not a folder that holds videos"):
        group("/nowhere", str(folders[1]), "other")
    (folders[0] / "alone.mkv").write_bytes(b"x")
    with pytest.raises(SettingsError, match="two videos named 'alone'"):
        group(*map(str, folders), "other")


def test_tags_reach_every_slice_of_a_group(grouped: Any) -> None:
    from fiftyone_plugin.fields import every_sample

    mark, undo = operator("tag_low_quality"), operator("undo_low_quality")
    every = every_sample(grouped)
    assert mark(grouped, rule="quantile", share=1.0) == 5
    assert every.count_sample_tags()["low_quality"] == 5
    grouped.group_slice = "before"
    undo(grouped)
    assert "low_quality" not in every.count_sample_tags()


def test_a_failure_in_another_slice_is_tagged(grouped: Any, weights: str) -> None:
    from fiftyone_plugin.fields import every_sample

    assert grouped.group_slice == "after"
    before = grouped.select_group_slices("before").first()
    Path(before.filepath).write_bytes(b"damaged")
    operator("score_videos")(grouped, weights=weights, overwrite=True)
    assert every_sample(grouped).match_tags("dover:failed").values("id") == [before.id]


def test_a_view_grouped_by_a_field_is_refused(scored: Any) -> None:
    view = scored.group_by("filepath")
    params = {"view_target": "CURRENT_VIEW"}
    assert "Clear the grouping" in problem(form("score_videos", scored, params, view=view))


def test_old_differences_go(scored: Any, weights: str) -> None:
    names = {"pair_by": "name", "before": "{key}_crf18.mp4", "after": "{key}_crf48.mp4"}
    compare = operator("compare_transcodes")
    assert compare(scored, **names).pairs == 2
    first = scored.match({"filepath": {"$regex": "320x240_crf18"}})
    operator("score_videos")(first, weights=weights, overwrite=True)
    assert compare(scored, **names).pairs == 1
    assert scored.count("dover_difference.overall") == 1
    assert scored.count("dover_difference.before") == 2, "the source and its transcode"


def test_the_views_of_the_user_are_not_replaced(scored: Any) -> None:
    scored.save_view("lost quality", scored.limit(2))
    names = {"pair_by": "name", "before": "{key}_crf18.mp4", "after": "{key}_crf48.mp4"}
    with pytest.raises(SettingsError, match="named 'lost quality' already"):
        operator("compare_transcodes")(scored, **names)
    assert len(scored.load_saved_view("lost quality")) == 2


def test_the_view_has_each_source_before_its_transcodes(scored: Any) -> None:
    operator("compare_transcodes")(
        scored, pair_by="name", before="{key}_crf18.mp4", after="{key}_crf48.mp4"
    )
    view = scored.load_saved_view("lost quality")
    names = [Path(path).stem.split("_") for path in view.values("filepath")]
    assert [crf for _, crf in names] == ["crf18", "crf48", "crf18", "crf48"]
    assert names[0][0] == names[1][0] != names[2][0] == names[3][0]
    losses = view.values("dover_difference.largest_loss")
    assert losses == sorted(losses)
    scored.match({"filepath": {"$regex": "320x240"}}).set_field("dover_difference", None).save()
    assert len(scored.load_saved_view("lost quality")) == 2, "the view follows the field"


def test_segments_are_compared(scored: Any) -> None:
    operator("compare_transcodes")(
        scored, pair_by="name", before="{key}_crf18.mp4", after="{key}_crf48.mp4"
    )
    by_id = {sample.id: sample for sample in scored}
    compared = scored.exists("dover_difference.overall")
    assert len(compared) == 2
    for sample in compared:
        source = by_id[sample.dover_difference.before]
        parts = zip(source.dover_segments.detections, sample.dover_segments.detections, strict=True)
        for before, after in parts:
            assert after.difference == pytest.approx(after.overall - before.overall)
