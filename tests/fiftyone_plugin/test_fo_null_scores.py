"""Null scores in fields, panel, explanation, marks and comparisons."""

from pathlib import Path
from typing import Any

import pytest

from dover_plugin import Scorer
from dover_plugin.options import COMPARABLE
from dover_plugin.scores import SCORES

PRESENT = {"fast-vqa-m": ("overall", "technical"), "technical": ("technical",)}


@pytest.fixture(scope="module", params=list(PRESENT))
def case(request: pytest.FixtureRequest, fo: Any, folder: Path, one_score: Scorer) -> Any:
    """A dataset of two versions and a broken file, scored with segments."""
    from fiftyone_plugin.scoring import score

    name = request.param
    scorer = (
        one_score if name == "fast-vqa-m" else Scorer("dover-open", "cpu", branches=("technical",))
    )
    dataset = fo.Dataset()
    paths = [folder / f"320x240_crf{crf}.mp4" for crf in (18, 48)] + [folder / "broken.mp4"]
    dataset.add_samples([fo.Sample(str(path)) for path in paths], progress=False)
    *_, summary = score(dataset, scorer, "dover", segment_seconds=1)
    assert (summary.scored, summary.failed) == (2, 1)
    yield name, dataset, scorer
    dataset.delete()


def test_fields_hold_null_and_settings(case: Any) -> None:
    from dover_plugin.grades import GRADES
    from fiftyone_plugin.fields import failed, scored, unscored
    from fiftyone_plugin.targets import waiting

    name, dataset, scorer = case
    document = dataset.first()["dover"]
    assert tuple(s for s in SCORES if document[s] is not None) == PRESENT[name]
    assert document.branches == "technical"
    assert (len(scored(dataset, "dover")), len(unscored(dataset, "dover"))) == (2, 1)
    assert len(failed(dataset, "dover")) == 1
    like = {key: getattr(scorer.settings, key) for key in COMPARABLE}
    assert len(waiting(dataset, "dover", like)) == 1
    (segment, *_) = dataset.first()["dover_segments"].detections
    assert segment.label in GRADES
    assert segment.aesthetic is None


def test_panel_statistics_leave_null_scores_out(case: Any) -> None:
    from fiftyone_plugin import plots, statistics

    name, dataset, _ = case
    table = statistics.ScoreTable.read(dataset, "dover")
    assert table.counts() == statistics.Counts(2, 1, 0)
    found = table.histograms()
    assert tuple(found) == PRESENT[name]
    assert len(plots.histograms(found)[0]) == len(PRESENT[name])
    assert statistics.points(dataset, "dover").ids == ()
    timeline = statistics.timeline(dataset, dataset.first().id, "dover")
    assert timeline is not None
    assert tuple(timeline.scores) == PRESENT[name]
    assert len(plots.timeline(timeline)[0]) == len(PRESENT[name])


def test_explanation_marks_and_comparison(case: Any) -> None:
    from fiftyone_plugin.explanation import explain
    from fiftyone_plugin.low_quality import Low
    from fiftyone_plugin.operators.explain import in_markdown
    from fiftyone_plugin.transcodes import Pair, compare

    name, dataset, _ = case
    found = explain(dataset, dataset.first(), "dover")
    assert tuple(place.name for place in found.places) == PRESENT[name]
    assert "The quality is" in in_markdown(found)
    assert len(found.worst_segments) == 2
    assert len(Low(rule="threshold", by="technical", below=1.0).find(dataset, "dover")) == 2
    assert len(Low(rule="disagreement", by="technical").find(dataset, "dover")) == 0
    before, after, _ = dataset.values("id")
    result = compare(dataset, "dover", [Pair(before, after)], view=f"lost {name}")
    assert (result.pairs, result.unscored) == (1, 0)
    assert result.mean == pytest.approx(
        dataset[after]["dover"].technical - dataset[before]["dover"].technical
    )
    difference = dataset[after]["dover_difference"]
    assert [s for s in SCORES if difference.to_dict().get(s) is not None] == list(PRESENT[name])
