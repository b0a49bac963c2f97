"""Passes of a network over the videos of several threads."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import islice
from queue import Empty, SimpleQueue

from dover_plugin.preprocessing.views import Views
from dover_plugin.scores import Maps

type Pass = Callable[[Sequence[Views]], Sequence[Maps]]


class Passes:
    """Gathers the videos that threads bring while a pass runs, and gives them to the next one.

    No thread waits for others to come: a pass starts as soon as the one before it has ended.

    Args:
        run: computes the maps of 1 to ``size`` videos, in their order.
        size: videos of a pass at most.
    """

    def __init__(self, run: Pass, size: int) -> None:
        self._run, self._size = run, size
        self._waiting: SimpleQueue[tuple[Views, Future[Maps]]] = SimpleQueue()
        self._turn = threading.Lock()

    def run(self, views: Views) -> Maps:
        """The maps of one video; an error of its pass is raised for each video of the pass."""
        result: Future[Maps] = Future()
        self._waiting.put((views, result))
        with self._turn:
            while not result.done():
                self._next()
        return result.result()

    def _next(self) -> None:
        """Run one pass over the videos that wait."""
        taken = list(islice(iter(self._take, None), self._size))
        try:
            maps = self._run([views for views, _ in taken])
        except BaseException as error:
            for _, result in taken:
                result.set_exception(error)
            return
        for (_, result), found in zip(taken, maps, strict=True):
            result.set_result(found)

    def _take(self) -> tuple[Views, Future[Maps]] | None:
        try:
            return self._waiting.get_nowait()
        except Empty:
            return None
