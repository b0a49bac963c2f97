"""tag_low_quality and its undo."""

from typing import Any

import numpy as np
import pytest
from fo_helpers import execute, form, operator, problem, text

from dover_plugin.errors import SettingsError


def values(dataset: Any, name: str) -> "np.ndarray[Any, np.dtype[np.float64]]":
    return np.array([v for v in dataset.values(f"dover.{name}") if v is not None])


def test_threshold_counts_and_tags(scored: Any) -> None:
    below = float(np.median(values(scored, "overall")))
    expected = int((values(scored, "overall") < below).sum())
    params = {"rule": "threshold", "by": "overall", "below": below}
    shown = form("tag_low_quality", scored, params)
    assert text(shown["count"]).startswith(f"Matches {expected} of 6 scored videos")
    execute("tag_low_quality", scored, params)
    scored.reload()
    hits = scored.match_tags("low_quality")
    assert sorted(hits.values("dover.overall")) == sorted(
        v for v in values(scored, "overall") if v < below
    )


@pytest.mark.parametrize(("share", "expected"), [(0.1, 1), (0.5, 3), (1.0, 6)])
def test_quantile_hits_its_share(scored: Any, share: float, expected: int) -> None:
    shown = form("tag_low_quality", scored, {"rule": "quantile", "by": "technical", "share": share})
    assert text(shown["count"]).startswith(f"Matches {expected} of 6 scored videos")
    assert "histogram" in shown
    count = operator("tag_low_quality")(scored, rule="quantile", by="technical", share=share)
    assert count == expected
    lowest = sorted(values(scored, "technical"))[:expected]
    assert sorted(scored.match_tags("low_quality").values("dover.technical")) == lowest


def test_disagreement_of_the_branches(scored: Any) -> None:
    technical, aesthetic = (np.median(values(scored, n)) for n in ("technical", "aesthetic"))
    rows = zip(values(scored, "technical"), values(scored, "aesthetic"), strict=True)
    expected = sum(t < technical and a >= aesthetic for t, a in rows)
    count = operator("tag_low_quality")(
        scored,
        rule="disagreement",
        by="technical",
        below=float(technical),
        above=float(aesthetic),
    )
    assert count == expected


def test_undo_leaves_what_was_tagged_before(scored: Any) -> None:
    first = scored.match_tags("dover:failed", bool=False).sort_by("dover.overall").first()
    first.tags.append("low_quality")
    first.save()
    operator("tag_low_quality")(scored, rule="quantile", share=0.5)
    assert scored.count_sample_tags()["low_quality"] == 3
    shown = form("undo_low_quality", scored)
    assert "tag 'low_quality' on 3 samples" in str(shown["key"])
    assert execute("undo_low_quality", scored)["done"].startswith("Undone: tag 'low_quality'")
    scored.reload()
    assert scored.count_sample_tags()["low_quality"] == 1
    assert "Nothing to undo" in problem(form("undo_low_quality", scored))


def test_labels_and_views_are_undone_too(scored: Any) -> None:
    mark, undo = operator("tag_low_quality"), operator("undo_low_quality")
    assert mark(scored, rule="quantile", share=0.5, kind="label") == 3
    assert scored.count_values("quality_label.label")["low"] == 3
    assert mark(scored, rule="quantile", share=0.5, kind="view", name="worst") == 3
    assert len(scored.load_saved_view("worst")) == 3
    with pytest.raises(SettingsError, match="named 'worst' already"):
        mark(scored, kind="view", name="worst")
    assert undo(scored) == "view 'worst' on 3 samples"
    assert not scored.has_saved_view("worst")
    undo(scored)
    assert not scored.has_field("quality_label")
    with pytest.raises(SettingsError, match="Nothing to undo"):
        undo(scored)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rule": "worst"}, "Unknown rule"),
        ({"by": "loudness"}, "Unknown score"),
        ({"rule": "disagreement", "by": "overall"}, "Unknown score"),
        ({"rule": "threshold", "below": 2.0}, "'below' must be from 0 to 1, got 2"),
        ({"rule": "quantile", "share": 0.0}, "above 0 and at most 1, got 0"),
        ({"rule": "quantile", "share": 5}, "above 0 and at most 1, got 5"),
        ({"kind": "label", "name": "filepath"}, "holds something else"),
        ({"kind": "label", "name": "a b"}, "cannot name a field"),
        ({"field": "nothing"}, "holds no scores"),
    ],
)
def test_what_is_refused(scored: Any, arguments: dict[str, Any], message: str) -> None:
    before = scored.list_runs()
    with pytest.raises(SettingsError, match=message):
        operator("tag_low_quality")(scored, **arguments)
    assert scored.list_runs() == before


def test_a_dataset_without_scores_says_so(dataset: Any) -> None:
    for name in ("tag_low_quality", "compare_transcodes", "evaluate_scores"):
        assert "no scores yet" in problem(form(name, dataset))


def test_a_mark_that_stays_keeps_its_tags(scored: Any) -> None:
    mark, undo = operator("tag_low_quality"), operator("undo_low_quality")
    mark(scored, rule="quantile", share=0.1)
    mark(scored, rule="quantile", share=0.5)
    first = sorted(scored.list_runs(method="dover_mark"))[0]
    undo(scored, key=first)
    assert scored.count_sample_tags()["low_quality"] == 3, "the second mark still hits them all"
    undo(scored)
    assert "low_quality" not in scored.count_sample_tags()


def test_a_mark_that_stays_keeps_its_labels(scored: Any) -> None:
    mark, undo = operator("tag_low_quality"), operator("undo_low_quality")
    mark(scored, rule="quantile", share=0.1, kind="label", name="low")
    mark(scored, rule="quantile", share=0.5, kind="label", name="low")
    undo(scored, key=sorted(scored.list_runs(method="dover_mark"))[0])
    assert scored.count("low") == 3, "the second mark still hits them all"
    undo(scored)
    assert not scored.has_field("low")


def test_undo_leaves_labels_that_were_changed(scored: Any, fo: Any) -> None:
    operator("tag_low_quality")(scored, rule="quantile", share=0.5, kind="label")
    reviewed = scored.exists("quality_label").first()
    reviewed.quality_label = fo.Classification(label="fine")
    reviewed.save()
    operator("undo_low_quality")(scored)
    assert scored.count_values("quality_label.label") == {"fine": 1, None: 6}


def test_undo_leaves_a_view_that_was_replaced(scored: Any) -> None:
    operator("tag_low_quality")(scored, rule="quantile", share=0.5, kind="view", name="worst")
    scored.delete_saved_view("worst")
    scored.save_view("worst", scored.limit(2), description="mine")
    operator("undo_low_quality")(scored)
    assert len(scored.load_saved_view("worst")) == 2


def test_mistakes_are_answers_not_tracebacks(scored: Any) -> None:
    scored.save_view("low quality", scored.limit(1))
    params = {"kind": "view", "rule": "quantile", "share": None, "below": None}
    assert "named 'low quality' already" in problem(form("tag_low_quality", scored, params))
    folders = {"before": "/nowhere", "after": "/nowhere", "name": "none"}
    result = execute("group_transcodes", scored, folders)
    assert "not a folder that holds videos" in result["problem"]
    from fiftyone.operators.executor import ExecutionContext

    ctx = ExecutionContext({"results": result})
    output = operator("group_transcodes").resolve_output(ctx).to_json()
    assert "not a folder that holds videos" in problem(output["type"]["properties"])
