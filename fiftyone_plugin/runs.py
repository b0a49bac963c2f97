"""Scoring runs that every tab of the App can see and cancel.

The state of the latest run of a dataset is in the dataset's execution store. The process that
scores writes it every BEAT_SECONDS, also while one long video is read; a state that nobody writes
any more is reported as interrupted.
"""

import dataclasses
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from threading import Event, Thread
from time import time
from typing import Any, Literal
from uuid import uuid4

import fiftyone as fo
from fiftyone.operators.store import ExecutionStore

from dover_plugin.errors import SettingsError
from fiftyone_plugin.summary import Summary

logger = logging.getLogger(__name__)
STORE = "dover"
RUN, CANCEL, CHANGE = "run", "cancel", "change"  # keys in the store
BEAT_SECONDS = 1.0
LOST_SECONDS = 30.0  # without a beat

type Status = Literal["running", "finished", "cancelled", "failed", "interrupted"]


@dataclass(frozen=True)
class RunState:
    """A run as the App shows it.

    Attributes:
        key: identifies the run.
        field: field of scores.
        status: what became of the run.
        started: time of the start, in seconds since 1970.
        beat: time of the last sign of life.
        summary: counts so far; None while the model is loaded.
        error: why the run failed.
        cancelling: whether it was asked to stop.
    """

    key: str
    field: str
    status: Status = "running"
    started: float = dataclasses.field(default_factory=time)
    beat: float = dataclasses.field(default_factory=time)
    summary: Summary | None = None
    error: str | None = None
    cancelling: bool = False

    @property
    def active(self) -> bool:
        """Whether the run is going on."""
        return self.status == "running"

    @property
    def severity(self) -> Literal["success", "info", "warning", "error"]:
        """How the App should show the run."""
        if self.status in ("failed", "interrupted"):
            return "error"
        if self.summary and self.summary.failed:
            return "warning" if self.summary.scored else "error"
        return "success" if self.status == "finished" else "info"

    @property
    def share(self) -> float:
        """Share of the samples that are done, in [0, 1]."""
        found = self.summary
        return found.done / found.total if found and found.total else 0.0

    def in_words(self) -> str:
        """One line about the run."""
        if self.status == "failed":
            return f"The run failed: {self.error}"
        if self.summary is None:
            return (
                "Loading the model" if self.active else f"{self.status.capitalize()} at the start"
            )
        if self.active:
            return f"{'Stopping after ' if self.cancelling else ''}{self.summary.progress()}"
        if self.status == "finished":
            return self.summary.counts()
        return f"{self.status.capitalize()} after {self.summary.progress()}. Run again to resume"


def store(dataset: fo.Dataset) -> ExecutionStore:
    """The execution store of a dataset for this plugin."""
    return ExecutionStore.create(STORE, dataset._doc.id)


def latest(dataset: fo.Dataset) -> RunState | None:
    """The latest run of a dataset; None if there was none."""
    kept = store(dataset)
    row = kept.get(RUN)
    if row is None:
        return None
    summary = row.pop("summary")
    state = RunState(**row, summary=Summary(**summary) if summary else None)
    if state.active and time() - state.beat > LOST_SECONDS:
        return replace(state, status="interrupted")
    return replace(state, cancelling=state.active and kept.get(CANCEL) == state.key)


def is_active(dataset: fo.Dataset) -> bool:
    """Whether a run of the dataset is going on."""
    state = latest(dataset)
    return state is not None and state.active


def cancel(dataset: fo.Dataset) -> bool:
    """Ask the run of a dataset to stop; False if none is going on."""
    state = latest(dataset)
    if state is None or not state.active:
        return False
    store(dataset).set(CANCEL, state.key)
    return True


def check_idle(dataset: fo.Dataset) -> None:
    """Raise SettingsError if a run is going on."""
    state = latest(dataset)
    if state is not None and state.active:
        raise SettingsError(
            f"A run is in progress ({state.in_words()}). Wait for it, or stop it with 'DOVER: "
            "stop scoring'."
        )


def tell_change(dataset: fo.Dataset) -> None:
    """Tell open panels that scores, tags or differences have changed."""
    store(dataset).set(CHANGE, uuid4().hex)


def change(dataset: fo.Dataset) -> str | None:
    """A value that differs after each change of the dataset by this plugin."""
    found: str | None = store(dataset).get(CHANGE)
    return found


class Reporter:
    """Writes the state of one run.

    Args:
        dataset: dataset of the run.
        field: field of scores.
    """

    def __init__(self, dataset: fo.Dataset, field: str) -> None:
        self._state = RunState(uuid4().hex, field)
        self._summary: Summary | None = None
        self._dataset = dataset
        self._store = store(dataset)
        self._ended, self._cancelled = Event(), Event()
        self._thread = Thread(target=self._beat, name="dover-beat", daemon=True)

    def start(self) -> None:
        """Write the state from now on."""
        self._write()
        self._thread.start()

    def update(self, summary: Summary) -> None:
        """Set the counts that are written with the next beat."""
        self._summary = summary

    def cancelled(self) -> bool:
        """Whether the run was asked to stop."""
        return self._cancelled.is_set()

    def end(self, status: Status, error: str | None = None) -> None:
        """Write the last state."""
        self._ended.set()
        self._thread.join()
        self._state = replace(self._state, status=status, error=error)
        self._write()
        tell_change(self._dataset)

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            try:
                self._write()
                if self._store.get(CANCEL) == self._state.key:
                    self._cancelled.set()
            except Exception:  # of the database, which may be back at the next beat
                logger.exception("The state of the run could not be written")

    def _write(self) -> None:
        row: dict[str, Any] = asdict(replace(self._state, beat=time(), summary=self._summary))
        del row["cancelling"]
        self._store.set(RUN, row)


@contextmanager
def reported(dataset: fo.Dataset, field: str) -> Iterator[Reporter]:
    """Report a run from its start to its end.

    Yields:
        A reporter; call ``update`` with the counts, and stop if it is ``cancelled``.

    Raises:
        SettingsError: another run is going on.
    """
    check_idle(dataset)
    reporter = Reporter(dataset, field)
    reporter.start()
    try:
        yield reporter
    except GeneratorExit:
        reporter.end("cancelled")
        raise
    except BaseException as error:
        reporter.end("failed", str(error) or type(error).__name__)
        raise
    reporter.end("cancelled" if reporter.cancelled() else "finished")
