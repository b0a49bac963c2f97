"""Ctrl-C: once to finish what is in hand, twice to stop at once."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = signal.signal(signal.SIGINT, handle)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)
