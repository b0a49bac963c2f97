"""Processes that a test looks at."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil


def readers_of(process: psutil.Process) -> list[psutil.Process]:
    """Its children that multiprocessing spawned and that live; not a database, nor others."""
    found = []
    for child in process.children():
        with suppress(psutil.NoSuchProcess):  # it ended just now
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


@contextmanager
def ordinary_priority() -> Iterator[None]:
    """Undo the real-time priority that SVT-AV1, run as root, gives to its caller.

    Threads that inherit this priority and spin while they wait can stall the machine.
    """
    try:
        yield
    finally:
        if hasattr(os, "sched_setscheduler") and os.sched_getscheduler(0) != os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def alive_after(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait for processes to end, and return those that are still alive; zombies have ended."""
    deadline = time.monotonic() + seconds
    alive = processes
    while alive and time.monotonic() < deadline:
        time.sleep(0.05)
        alive = [each for each in alive if _is_alive(each)]
    return alive


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
