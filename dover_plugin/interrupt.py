"""Ctrl-C: once to finish what is in hand, twice to stop at once."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import FrameType


@contextmanager
def first_interrupt_waits() -> Iterator[Callable[[], bool]]:
    """Within, the first Ctrl-C only makes the given function return True; the next one stops.

    Elsewhere than in the main thread, where Python takes no signals, Ctrl-C stays as it is.

    Yields:
        Whether Ctrl-C was pressed.
    """
    asked = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            signal.default_int_handler(number, frame)
        asked.set()

    with _handled_by(handle):
        yield asked.is_set


@contextmanager
def started_without_interrupts() -> Iterator[None]:
    """Processes that start within never see Ctrl-C, which reaches all of a terminal.

    The one that started them decides what happens then; it sees a Ctrl-C of this time afterwards.
    """
    if not hasattr(signal, "pthread_sigmask"):
        with _handled_by(signal.SIG_IGN):
            yield
        return
    resource_tracker.ensure_running()  # starting it within would let Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _handled_by(
    handler: Callable[[int, FrameType | None], None] | signal.Handlers,
) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
