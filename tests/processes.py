"""Processes that a test looks at."""

from contextlib import suppress

import psutil


def readers_of(process: psutil.Process) -> list[psutil.Process]:
    """Its children that multiprocessing spawned and that live; not a database, nor others."""
    found = []
    for child in process.children():
        with suppress(psutil.NoSuchProcess):  # it ended just now
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found
