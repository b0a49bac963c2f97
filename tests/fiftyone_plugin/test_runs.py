"""Runs that the App shows and cancels: state, heartbeat, cancellation, background."""

import time
from threading import Event
from typing import Any

import pytest
from fo_helpers import execute, form, operator, problem, text

from dover_plugin.errors import DoverError, SettingsError
from fiftyone_plugin import runs
from fiftyone_plugin.summary import Summary


def wait_for_the_end(dataset: Any) -> runs.RunState:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        state = runs.latest(dataset)
        if state is not None and not state.active:
            return state
        time.sleep(0.1)
    raise AssertionError(state)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "BEAT_SECONDS", 0.05)


def test_a_run_ends_with_its_counts(dataset: Any, weights: str) -> None:
    assert runs.latest(dataset) is None
    before = runs.change(dataset)
    operator("score_videos")(dataset, weights=weights)
    state = runs.latest(dataset)
    assert state is not None
    assert (state.status, state.severity, state.share) == ("finished", "warning", 1)
    assert state.in_words() == "6 scored, 1 failed"
    assert runs.change(dataset) != before, "panels are told"


def test_in_the_app_a_run_goes_on_in_the_background(
    dataset: Any, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fiftyone.operators.executor import ExecutionContext, Executor

    monkeypatch.setenv("FIFTYONE_SERVER", "1")
    params = {"advanced": True, "weights": weights, "segments": True, "seconds": 1}
    executor = Executor()
    context = ExecutionContext({"dataset_name": dataset.name, "params": params}, executor=executor)
    assert operator("score_videos").execute(context) is None, "no dialog stays open"
    asked = [request["operator_uri"] for request in executor.to_json()["requests"]]
    assert "open_panel" in asked
    assert "reload_dataset" in asked
    assert "@dover/quality/place_fields" in asked
    assert "A run is in progress" in problem(form("score_videos", dataset))
    assert wait_for_the_end(dataset).in_words() == "6 scored, 1 failed"
    dataset.reload()
    assert dataset.count("dover_segments.detections") == 12


def test_stop_scoring_cancels_the_run(dataset: Any) -> None:
    assert "No run is in progress" in problem(form("stop_scoring", dataset))
    with runs.reported(dataset, "dover") as reporter:
        reporter.update(Summary(total=47, skipped=0, scored=10, failed=2))
        time.sleep(0.2)
        shown = text(form("stop_scoring", dataset)["state"])
        assert shown.startswith("12 of 47: 10 scored, 2 failed")
        execute("stop_scoring", dataset)
        time.sleep(0.3)
        assert reporter.cancelled()
        state = runs.latest(dataset)
        assert state is not None
        assert state.cancelling
    state = runs.latest(dataset)
    assert state is not None
    assert state.in_words().startswith("Cancelled after 12 of 47: 10 scored, 2 failed")


def test_a_second_run_is_refused(dataset: Any, weights: str) -> None:
    with (
        runs.reported(dataset, "dover"),
        pytest.raises(SettingsError, match="A run is in progress"),
    ):
        operator("score_videos")(dataset, weights=weights)


def test_a_run_whose_process_died_does_not_block(
    dataset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with runs.reported(dataset, "dover"):
        monkeypatch.setattr(runs, "LOST_SECONDS", -1.0)
        state = runs.latest(dataset)
        assert state is not None
        assert (state.status, state.severity) == ("interrupted", "error")
        runs.check_idle(dataset)


def test_the_state_is_written_while_one_video_takes_long(dataset: Any) -> None:
    with runs.reported(dataset, "dover"):
        first = runs.latest(dataset)
        Event().wait(0.3)
        second = runs.latest(dataset)
    assert first is not None
    assert second is not None
    assert second.beat > first.beat


def test_the_state_survives_an_error_of_the_database(
    dataset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with runs.reported(dataset, "dover") as reporter:
        write, failed = reporter._write, Event()

        def fail_once() -> None:
            if not failed.is_set():
                failed.set()
                raise ConnectionError("the database is away")
            write()

        monkeypatch.setattr(reporter, "_write", fail_once)
        assert failed.wait(10)
        runs.cancel(dataset)
        assert reporter._cancelled.wait(10)


def test_a_failed_run_says_why(dataset: Any) -> None:
    with pytest.raises(DoverError, match="There is no weights file"):
        operator("score_videos")(dataset, weights="/nowhere.pth")
    state = runs.latest(dataset)
    assert state is not None
    assert (state.status, state.severity) == ("failed", "error")
    assert "There is no weights file" in state.in_words()


def test_nothing_scored_is_not_called_scored() -> None:
    summary = Summary(total=47, skipped=0, failed=4)
    assert summary.progress() == "4 of 47: 0 scored, 4 failed"
