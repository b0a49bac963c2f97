"""The panel's numbers, figures and events."""

import json
from pathlib import Path
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


def shown_view(dataset: Any, asked: list[dict[str, Any]]) -> Any:
    """The view that a handler asks the App to show."""
    import fiftyone as fo

    [stages] = [a["view"] for a in asked if a["operator"] == "set_view"]
    return fo.DatasetView._build(dataset, stages)


def test_counts_and_histograms_are_numpys(scored_once: Any) -> None:
    table = statistics.ScoreTable.read(scored_once, "dover")
    found = table.counts()
    assert (found.scored, found.failed, found.unscored) == (6, 1, 0)
    for name, histogram in table.histograms().items():
        values = [v for v in scored_once.values(f"dover.{name}") if v is not None]
        expected, _ = np.histogram(values, histogram.edges)
        assert list(histogram.counts) == expected.tolist()
        assert sum(histogram.counts) == 6


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
    data, layout = plots.scatter(found, found.ids[2])
    assert data[0]["ids"] == list(found.ids)
    assert (data[1]["x"], data[1]["y"]) == ([found.technical[2]], [found.aesthetic[2]])
    for axis, values in (("x", found.technical), ("y", found.aesthetic)):
        low, high = layout[f"{axis}axis"]["range"]
        assert low < min(values) <= max(values) < high
        lines = [shape[f"{axis}0"] for shape in layout["shapes"] if f"{axis}ref" not in shape]
        assert lines == [at for at in (0.2, 0.4, 0.6, 0.8) if low < at < high]


def test_the_timeline_is_in_seconds_if_the_frame_rate_is_known(scored: Any) -> None:
    sample = scored.match_tags("dover:failed", bool=False).first()
    seconds = statistics.timeline(scored, sample.id, "dover")
    assert seconds is not None
    assert (seconds.unit, seconds.starts, seconds.end) == ("seconds", (0, 1), 2)
    assert seconds.title == Path(sample.filepath).name
    expected = [label.overall for label in sample.dover_segments.detections]
    assert list(seconds.scores["overall"]) == expected
    sample.metadata = None
    sample.save()
    frames = statistics.timeline(scored, sample.id, "dover")
    assert frames is not None
    assert (frames.unit, frames.starts, frames.end) == ("frames", (0, 25), 50)
    _, layout = plots.timeline(frames)
    assert layout["yaxis"]["range"] == [0, 1]
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
    view = shown_view(scored_once, asked)
    assert len(view) == found.counts[0]
    inside = statistics.in_cells(scored_once, "dover", [found.ids[0]])
    assert sorted(view.values("id")) == sorted(inside.values("id"))


def test_lasso_narrows_and_back_restores(scored_once: Any) -> None:
    state: dict[str, Any] = {}
    event("on_load", scored_once, state)
    assert state["field"] == "dover"
    assert "**6** scored · **1** failed" in state["summary"]
    ids = scored_once.values("id")[:2]
    asked = event("on_lasso", scored_once, state, params={"data": [{"id": i} for i in ids]})
    assert [a for a in asked if a["operator"] == "set_view"]
    narrowed = shown_view(scored_once, asked)
    scores = narrowed.values("dover.overall")
    assert (sorted(narrowed.values("id")), scores) == (sorted(ids), sorted(scores))
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
    histogram = statistics.ScoreTable.read(scored_once, "dover").histograms()["technical"]
    bar = int(np.argmax(histogram.counts))
    event("on_bar", scored_once, state, params={"idx": bar, "trace_idx": 1})
    low, high = histogram.edges[bar : bar + 2]
    values = [v for v in scored_once.values("dover.technical") if v is not None]
    assert sum(low <= v < high for v in values) == histogram.counts[bar] > 0
    assert state["base"] is not None


def test_the_selected_sample_has_a_timeline(scored_once: Any) -> None:
    state: dict[str, Any] = {}
    event("on_load", scored_once, state)
    assert not state.get("timeline_layout")
    sample = scored_once.match_tags("dover:failed", bool=False).first()
    event("on_change_selected", scored_once, state, selected=[sample.id])
    assert state["timeline_layout"]
    event("on_change_current_sample", scored_once, state, current_sample=sample.id)
    assert state["timeline_layout"]


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
    assert "score" in state["parts"]


def test_warnings_are_counted_and_shown(scored: Any) -> None:
    state: dict[str, Any] = {}
    event("on_load", scored, state)
    assert "warned" not in state["parts"]
    sample = scored.match_tags("dover:failed", bool=False).first()
    sample.dover.warnings = ["only 3 frames, which the model sees repeatedly"]
    sample.save()
    event("on_load", scored, state)
    assert "**1** with warnings" in state["summary"]
    assert state["buttons"] == ["failed", "warned"]
    asked = event("on_warned", scored, state, active_fields=["tags"])
    assert shown_view(scored, asked).values("id") == [sample.id]
    [active] = [each["fields"] for each in asked if each["operator"] == "set_active_fields"]
    assert active == ["tags", "dover.warnings"]


EVENTS = (
    "on_load", "on_tick", "on_change_view", "on_change_dataset", "on_change_current_sample",
    "on_change_selected", "on_point", "on_lasso", "on_bar", "on_worst", "on_failed",
    "on_unscored", "on_warned", "on_back", "on_cancel", "on_dismiss",
)  # fmt: skip


@pytest.mark.parametrize("first", EVENTS)
def test_every_event_may_come_first(scored_once: Any, dataset: Any, first: str) -> None:
    params = {"id": "x", "idx": 0, "trace_idx": 0, "x": 1.0, "data": [{"id": "x"}]}
    for samples in (scored_once, dataset):
        state: dict[str, Any] = {}
        ids = samples.values("id")[:1]
        event(first, samples, state, params=params, selected=ids)
        event("on_load", samples, state)
        assert bool(state["problem"]) == (samples is dataset)


def test_a_clicked_point_is_opened_and_marked(scored_once: Any) -> None:
    state: dict[str, Any] = {}
    event("on_load", scored_once, state)
    sample = scored_once.match_tags("dover:failed", bool=False).first()
    asked = event("on_point", scored_once, state, params={"id": sample.id})
    assert {"operator": "open_sample", "id": sample.id, "group_id": None} in asked
    assert state["active"] == sample.id
    assert state["timeline_layout"]


def test_worst_first(scored_once: Any) -> None:
    state: dict[str, Any] = {}
    event("on_load", scored_once, state)
    view = shown_view(scored_once, event("on_worst", scored_once, state))
    scores = view.values("dover.overall")
    assert scores == sorted(scores)
    assert len(scores) == 6


def test_a_tick_follows_changes_of_other_operators(scored: Any) -> None:
    state: dict[str, Any] = {}
    event("on_load", scored, state)
    assert event("on_tick", scored, state) is not None
    scored.limit(2).set_field("dover", None).save()
    assert "**6** scored" in state["summary"]
    operator("tag_low_quality")(scored, rule="quantile", share=0.5)
    event("on_tick", scored, state)
    assert "**4** scored" in state["summary"]


def test_a_model_without_an_aesthetic_score(scored: Any) -> None:
    for name in ("aesthetic", "aesthetic_raw"):
        scored.set_field(f"dover.{name}", None).save()
    state: dict[str, Any] = {}
    event("on_load", scored, state)
    assert list(state["edges"]) == ["overall", "technical"]
    assert not state["scatter_layout"]
    assert "bars" in state["parts"]
    sample = scored.match_tags("dover:failed", bool=False).first()
    found = operator("explain")(scored, sample.id)
    assert [place.name for place in found.places] == ["overall", "technical"]


def test_a_single_scored_sample_has_axes(scored_once: Any) -> None:
    found = statistics.points(scored_once.match_tags("dover:failed", bool=False).limit(1), "dover")
    _, layout = plots.scatter(found)
    for axis in ("xaxis", "yaxis"):
        low, high = layout[axis]["range"]
        assert high - low >= 0.05
