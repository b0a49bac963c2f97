"""Locks between processes, with a message for those that wait and a limit on how long they do."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

NOTICE_SECONDS = 2.0

log = logging.getLogger(__name__)


@contextmanager
def locked(file: Path, task: str, seconds: float) -> Iterator[None]:
    """Hold a lock while the block runs.

    Args:
        file: lock file; it is made if it does not exist.
        task: what the holder of the lock does, for the message; "downloads weights".
        seconds: longest wait for another process.

    Raises:
        TimeoutError: another process held the lock for so long.
        OSError: the lock file cannot be written.
    """
    lock = FileLock(file)
    try:
        lock.acquire(timeout=min(NOTICE_SECONDS, seconds))
    except Timeout:
        log.warning(
            "Waiting up to %.0f s for another process that %s (lock file '%s').",
            seconds,
            task,
            file,
        )
        try:
            lock.acquire(timeout=max(0.0, seconds - NOTICE_SECONDS))
        except Timeout:
            raise TimeoutError(
                f"another process that {task} has held the lock file '{file}' for {seconds:.0f} s"
            ) from None
    try:
        yield
    finally:
        lock.release()
