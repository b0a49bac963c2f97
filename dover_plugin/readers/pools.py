"""A pool of reader threads or reader processes behind one function."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol

from dover_plugin.errors import SettingsError
from dover_plugin.io.source import Video
from dover_plugin.readers.reading import Limits, ReadOptions, VideoViews, read


class Submit(Protocol):
    """Takes a video; its reading comes later, or the error of it."""

    def __call__(self, video: Video) -> Future[VideoViews]:
        """Begin to read."""
        ...


@contextmanager
def readers(options: ReadOptions, workers: int, limits: Limits | None) -> Iterator[Submit]:
    """Threads, or with ``limits`` processes, which a broken file cannot harm.

    Raises:
        SettingsError: fewer than one of them.
    """
    if workers < 1:
        raise SettingsError(f"Videos need a reader, got {workers} workers.")
    if limits:
        from dover_plugin.readers.process_pool import ProcessPool

        with ProcessPool(options, workers, limits) as pool:
            yield pool.submit
        return
    with ThreadPoolExecutor(workers, "dover-read") as threads:
        try:
            yield lambda video: threads.submit(read, video, options)
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
