"""Read videos in threads or processes, in advance, and finish them in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Protocol

from dover_plugin.errors import SettingsError
from dover_plugin.io.source import Video
from dover_plugin.readers.reading import Limits, ReadOptions, VideoViews, read


class Submit(Protocol):
    """Starts to read a video."""

    def __call__(self, video: Video) -> Future[VideoViews]:
        """Return a future of the views, or of the error."""
        ...


@contextmanager
def readers(options: ReadOptions, workers: int, limits: Limits | None) -> Iterator[Submit]:
    """Start reader threads or, with ``limits``, reader processes, and end them after the block.

    Args:
        options: options for reading a video.
        workers: number of threads or processes.
        limits: time and memory that a process may use for one video; None reads in threads.

    Yields:
        A function that starts to read a video.

    Raises:
        SettingsError: fewer than one worker.
    """
    if workers < 1:
        raise SettingsError(f"The number of workers must be at least 1, got {workers}.")
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


def in_order[V: Video](
    videos: Iterable[V], submit: Submit, ahead: int
) -> Iterator[tuple[V, Future[VideoViews]]]:
    """Videos in order; ``ahead`` of them are read in advance."""
    queue: deque[tuple[V, Future[VideoViews]]] = deque()
    for video in videos:
        queue.append((video, submit(video)))
        if len(queue) > ahead:
            yield queue.popleft()
    yield from queue


def as_read[V: Video](
    videos: Iterable[V], submit: Submit, ahead: int
) -> Iterator[tuple[V, Future[VideoViews]]]:
    """Videos in the order in which they are read, ``ahead`` at a time."""
    pending: dict[Future[VideoViews], V] = {}

    def finished() -> Iterator[tuple[V, Future[VideoViews]]]:
        done, _ = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            yield pending.pop(future), future

    for video in videos:
        pending[submit(video)] = video
        if len(pending) > ahead:
            yield from finished()
    while pending:
        yield from finished()


def finish_all[V: Video, R](
    readings: Iterator[tuple[V, Future[VideoViews]]],
    finish: Callable[[V, Future[VideoViews]], R],
    parallel: int,
) -> Iterator[tuple[V, R]]:
    """The result of each reading, in the order of ``readings``.

    Args:
        readings: videos and the futures of their views.
        finish: makes the result of one video.
        parallel: number of videos that are finished at a time, such as one per device.
    """
    if parallel == 1:
        for video, reading in readings:
            yield video, finish(video, reading)
        return
    with ThreadPoolExecutor(parallel, "dover-score") as pool:
        running: deque[tuple[V, Future[R]]] = deque()
        try:
            for video, reading in readings:
                wait([reading])  # here, where Ctrl-C ends it, and not in a thread
                running.append((video, pool.submit(finish, video, reading)))
                if len(running) > parallel:
                    done, result = running.popleft()
                    yield done, result.result()
            for done, result in running:
                yield done, result.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
