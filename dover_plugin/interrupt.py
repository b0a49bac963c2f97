"""Ctrl-C and the signals that ask a process to end."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from types import FrameType

# A service manager, a scheduler or a closed terminal sends these.
ENDING_SIGNALS = ("SIGTERM", "SIGHUP")

type Handler = Callable[[int, FrameType | None], None] | signal.Handlers


class Terminated(SystemExit):
    """A signal asked the process to end. The exit code is 128 + the number of the signal.

    Attributes:
        name: name of the signal, for example "SIGTERM".
    """

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.name = signal.Signals(number).name


@contextmanager
def ending_signals_raise() -> Iterator[None]:
    """Raise Terminated in the main thread when SIGTERM or SIGHUP arrives.

    The stack unwinds, so that reader processes end and files are closed. A second signal has its
    default effect. A signal that the process ignores, as SIGHUP under nohup, stays ignored.
    """

    def handle(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise Terminated(number)

    with ExitStack() as handled:
        for name in ENDING_SIGNALS:
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                handled.enter_context(_handled_by(number, handle))
        yield


@contextmanager
def first_interrupt_waits() -> Iterator[Callable[[], bool]]:
    """Inside the block, the first Ctrl-C is only noted; the second raises KeyboardInterrupt.

    Outside the main thread, which Python signals do not reach, Ctrl-C is not changed.

    Yields:
        A function that returns whether Ctrl-C was pressed.
    """
    pressed = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if pressed.is_set():
            signal.default_int_handler(number, frame)
        pressed.set()

    with _handled_by(signal.SIGINT, handle):
        yield pressed.is_set


@contextmanager
def started_without_interrupts() -> Iterator[None]:
    """Start processes inside the block so that Ctrl-C, which a terminal sends to all, skips them.

    The parent process decides how they end. It receives a Ctrl-C of this time after the block.
    """
    if not hasattr(signal, "pthread_sigmask"):
        with _handled_by(signal.SIGINT, signal.SIG_IGN):
            yield
        return
    resource_tracker.ensure_running()  # its start inside the block would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _handled_by(number: int, handler: Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)
