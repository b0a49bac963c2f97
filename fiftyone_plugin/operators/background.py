"""Execute a run of an operator: delegated, in the background of the App, or at once."""

import logging
import os
from collections.abc import Callable, Iterator
from threading import Thread
from time import sleep
from typing import Any

import fiftyone.operators.types as types

from dover_plugin.errors import DoverError
from fiftyone_plugin.operators.refresh import show_fields
from fiftyone_plugin.operators.show import PANEL
from fiftyone_plugin.runs import check_idle, is_active
from fiftyone_plugin.summary import Summary

logger = logging.getLogger(__name__)


def execute(
    ctx: Any, progress: Iterator[Summary], prepare: Callable[[], None], field: str
) -> dict[str, Any] | None:
    """Execute a run.

    In the App the run goes on in a thread of the server: no dialog blocks the App, the panel shows
    the progress, and closing the tab does not end the run.

    Args:
        ctx: context of the operator.
        progress: the run, not started.
        prepare: declares the fields; called in the App before the run starts.
        field: field that the run writes.

    Returns:
        The summary of a run that has ended; None if it goes on in the background.
    """
    if ctx.delegated:
        for summary in progress:
            if summary.total:
                ctx.set_progress(summary.done / summary.total, label=summary.progress())
        failures = [{"path": path, "error": error} for path, error in summary.failures]
        return {**summary.to_dict(), "failures": failures}
    if os.environ.get("FIFTYONE_SERVER") != "1":  # called from Python
        *_, summary = progress
        return summary.to_dict()
    check_idle(ctx.dataset)
    prepare()
    thread = Thread(target=_exhaust, args=(progress,), name="dover-run", daemon=True)
    thread.start()
    while thread.is_alive() and not is_active(ctx.dataset):  # the panel then shows it at once
        sleep(0.02)
    show_fields(ctx, field)
    ctx.ops.open_panel(PANEL, layout="horizontal")
    return None


def show(results: dict[str, Any], outputs: types.Object) -> None:
    """Add the counts of a run that has ended."""
    found = Summary(**results)
    kind = types.Success if found.scored or not found.failed else types.Error
    outputs.view("head", kind(label=found.counts()))


def _exhaust(progress: Iterator[Summary]) -> None:
    """Run in a thread; the state of the run says how it ended."""
    try:
        for _ in progress:
            pass
    except DoverError as error:
        logger.warning("%s", error)
    except Exception:
        logger.exception("The run failed")
