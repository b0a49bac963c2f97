"""The panel's numbers, figures and events."""

import json
from typing import Any

import numpy as np
import pytest
from fo_helpers import operator

from fiftyone_plugin import plots, statistics


def event(method: str, dataset: Any, state: dict[str, Any], **request: Any) -> list[dict[str, Any]]:
    """What a panel's handler asks the App to do; ``state`` is changed as the App would.

    ``state["parts"]`` then names what the panel shows, from top to bottom.
    """
    from fiftyone.operators.executor import ExecutionContext, Executor

    executor = Executor()
    params = {**request.pop("params", {}), "panel_state": state, "panel_id": "p"}
    request = {"dataset_name": dataset.name, "params": params, **request}
    if "view" in request:
        request["view"] = request["view"]._serialize()
    ctx = ExecutionContext(request, executor=executor)
    panel = operator("video_quality")
    getattr(panel, method)(ctx)
    state.update(ctx.panel.state._data)
    state["parts"] = list(panel.render(ctx).to_json()["type"]["properties"])
    assert state["parts"]
    json.dumps(state)  # goes to the browser and back
    requests = executor.to_json()["requests"]
    return [{"operator": r["operator_uri"], **(r["params"] or {})} for r in requests]


def test_counts_and_histograms_are_numpys(scored_once: Any) -> None:
    found = statistics.counts(scored_once, "dover")
    assert (found.scored, found.failed, found.unscored) == (6, 1, 0)
    for name, histogram in statistics.histograms(scored_once, "dover").items():
        values = [v for v in scored_once.values(f"dover.{name}") if v is not None]
        expected, _ = np.histogram(values, histogram.edges)
        assert list(histogram.counts) == expected.tolist()
        assert sum(histogram.counts) == 6
    third, two_thirds = statistics.thirds(scored_once, "dover")["technical"]
    values = sorted(v for v in scored_once.values("dover.technical") if v is not None)
    assert values[1] <= third < two_thirds <= values[4]


def test_points_are_samples(scored_once: Any) -> None:
    found = statistics.points(scored_once, "dover")
    assert found.counts is None
    for i, sample_id in enumerate(found.ids):
        sample = scored_once[sample_id]
        assert (found.technical[i], found.aesthetic[i], found.overall[i]) == (
            sample.dover.technical,
            sample.dover.aesthetic,
            sample.dover.overall,
        )
    data, layout = plots.scatter(found, statistics.thirds(scored_once, "dover"))
    assert data[0]["ids"] == list(found.ids)
    assert len(layout["shapes"]) == 4


def test_the_timeline_is_in_seconds_once_metadata_is_known(scored: Any) -> None:
    sample = scored.match_tags("dover:failed", bool=False).first()
    frames = statistics.timeline(scored, sample.id, "dover")
    assert frames is not None
    assert (frames.unit, frames.starts, frames.end) == ("frames", (0, 25), 50)
    scored.select(sample.id).compute_metadata()
    seconds = statistics.timeline(scored, sample.id, "dover")
    assert seconds is not None
    assert (seconds.unit, seconds.starts, seconds.end) == ("seconds", (0, 1), 2)
    expected = [label.overall for label in sample.dover_segments.detections]
    assert list(seconds.scores["overall"]) == expected
    broken = scored.match_tags("dover:failed").first()
    assert statistics.timeline(scored, broken.id, "dover") is None


def test_cells_where_there_are_many(scored_once: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "MAX_POINTS", 3)
    state: dict[str, Any] = {}
    event("on_load", scored_once, state)
    found = statistics.points(scored_once, "dover")
    assert found.counts is not None
    assert sum(found.counts) == 6
    asked = event("on_point", scored_once, state, params={"id": found.ids[0]})
    [selected] = [a["samples"] for a in asked if a["operator"] == "set_selected_samples"]
    assert len(selected) == found.counts[0]
    inside = statistics.in_cells(scored_once, "dover", [found.ids[0]]).values("id")
    assert sorted(sample["id"] for sample in selected) == sorted(inside)


def test_lasso_narrows_and_back_restores(scored_once: Any) -> None:
    state: dict[str, Any] = {}
    event("on_load", scored_once, state)
    assert state["field"] == "dover"
    assert "**6** scored · **1** failed" in state["summary"]
    ids = scored_once.values("id")[:2]
    asked = event("on_lasso", scored_once, state, params={"data": [{"id": i} for i in ids]})
    assert [a for a in asked if a["operator"] == "set_view"]
    narrowed = scored_once.select(ids)
    summary = state["summary"]
    event("on_change_view", scored_once, state, view=narrowed)
    assert state["summary"] == summary, "the panel goes on to show all"
    asked = event("on_back", scored_once, state, view=narrowed)
    [restored] = [a["view"] for a in asked if a["operator"] == "set_view"]
    assert restored == []
    assert state["base"] is None


def test_a_view_that_comes_before_the_panel_has_loaded(scored_once: Any) -> None:
    state: dict[str, Any] = {}
    event("on_change_view", scored_once, state)
    loaded: dict[str, Any] = {}
    event("on_load", scored_once, loaded)
    assert (state["field"], state["problem"]) == ("dover", None)
    assert (state["summary"], state["parts"]) == (loaded["summary"], loaded["parts"])


def test_the_field_that_is_shown_unasked(scored: Any) -> None:
    scored.rename_sample_field("dover", "other")
    scored.clone_sample_field("other", "dover")  # now the last
    state: dict[str, Any] = {}
    event("on_load", scored, state)
    assert (state["fields"], state["field"]) == (["dover", "other"], "dover")


def test_another_view_is_followed_and_an_unchanged_one_is_not(scored_once: Any) -> None:
    state: dict[str, Any] = {}
    event("on_load", scored_once, state)
    assert event("on_change_view", scored_once, state) == [], "or the App would ask for ever"
    event("on_change_view", scored_once, state, view=scored_once.limit(3))
    assert "**3** scored" in state["summary"]


def test_an_empty_lasso_does_nothing(scored_once: Any) -> None:
    state: dict[str, Any] = {}
    event("on_load", scored_once, state)
    assert event("on_lasso", scored_once, state, params={"data": []}) == []


def test_a_bar_shows_its_samples(scored_once: Any) -> None:
    state: dict[str, Any] = {}
    event("on_load", scored_once, state)
    histogram = statistics.histograms(scored_once, "dover")["technical"]
    bar = int(np.argmax(histogram.counts))
    event("on_bar", scored_once, state, params={"idx": bar, "trace_idx": 1})
    low, high = histogram.edges[bar : bar + 2]
    values = [v for v in scored_once.values("dover.technical") if v is not None]
    assert sum(low <= v < high for v in values) == histogram.counts[bar] > 0
    assert state["base"] is not None


def test_the_selected_sample_has_a_timeline(scored_once: Any) -> None:
    state: dict[str, Any] = {}
    event("on_load", scored_once, state)
    assert not state.get("timeline")
    sample = scored_once.match_tags("dover:failed", bool=False).first()
    event("on_change_selected", scored_once, state, selected=[sample.id])
    assert state["timeline"]
    event("on_change_current_sample", scored_once, state, current_sample=sample.id)
    assert state["timeline"]


def test_all_is_shown_whether_or_not_a_sample_is_open(scored_once: Any) -> None:
    """The App tells late, or not at all, when an open sample is closed."""
    sample = scored_once.match_tags("dover:failed", bool=False).first()
    state: dict[str, Any] = {}
    event("on_load", scored_once, state, current_sample=sample.id)
    assert state["parts"].index("timeline") < state["parts"].index("scatter")
    event("on_load", scored_once, state)
    assert state["parts"].index("scatter") < state["parts"].index("no_timeline")


def test_a_dataset_without_scores_offers_to_score(dataset: Any) -> None:
    state: dict[str, Any] = {}
    event("on_load", dataset, state)
    assert "no scores yet" in state["problem"]
