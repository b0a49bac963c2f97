"""Processes that read videos, so that a decoder that crashes, hangs or eats memory ends alone.

Each process has a pipe and a thread of its own here: nothing is shared that a dying process could
leave locked.
"""

import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from os import PathLike, fspath
from queue import SimpleQueue
from typing import Any, Self

from dover_plugin.errors import DoverError, SettingsError, VideoError
from dover_plugin.io.source import Video
from dover_plugin.readers.reading import GIGABYTE, Limits, ReadOptions, VideoViews, read

START_SECONDS = 300.0  # in which a process must be ready
END_SECONDS = 10.0
GRACE_SECONDS = 60.0  # beyond its time, after which a process that nobody ended ends itself

type Job = tuple[Future[VideoViews], str]
type ReadVideo = Callable[[str, ReadOptions], VideoViews]


class ProcessPool:
    """A pool of reader processes. Videos must be paths.

    A file whose process died is read once more in a new process, since the machine may have been
    the cause.

    Args:
        options: how videos are read.
        workers: number of processes.
        limits: what a process may use for one video.
        read_video: reads one file inside a process; it must be importable there.
    """

    def __init__(
        self,
        options: ReadOptions,
        workers: int,
        limits: Limits,
        read_video: ReadVideo = read,
    ) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._children = [_Child(options, limits, read_video) for _ in range(workers)]
        self._threads = [
            threading.Thread(target=self._serve, args=(child,), daemon=True, name="dover-read")
            for child in self._children
        ]

    def __enter__(self) -> Self:
        if hasattr(signal, "pthread_sigmask"):  # starting it later would let Ctrl-C through again
            resource_tracker.ensure_running()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        del error
        for child in self._children:
            child.close()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(END_SECONDS)  # of a process that cannot be killed nobody waits for the end

    def submit(self, video: Video) -> Future[VideoViews]:
        """Begin to read a file.

        Raises:
            SettingsError: it is no path.
        """
        if not isinstance(video, str | PathLike):
            raise SettingsError("Only files can be read in processes of their own.")
        future: Future[VideoViews] = Future()
        self._jobs.put((future, fspath(video)))
        return future

    def _serve(self, child: "_Child") -> None:
        if hasattr(signal, "pthread_sigmask"):  # processes inherit it: Ctrl-C is not for them
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        while job := self._jobs.get():
            future, path = job
            if child.closed:
                future.cancel()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(self._read(child, path))
            except Exception as error:
                future.set_exception(error)

    def _read(self, child: "_Child", path: str) -> VideoViews:
        try:
            return child.read(path)
        except _DiedError:  # of what the process read before, or had no memory left for
            pass
        try:
            return child.read(path)
        except _UnreadyError as unready:
            raise SettingsError(str(unready)) from None
        except _DiedError as died:
            raise VideoError(str(died)) from None


class _DiedError(Exception):
    """A process ended without an answer; its text says so for the file."""


class _UnreadyError(_DiedError):
    """A process did not even start, which no file is to blame for."""


class _Child:
    """One process, started on first use."""

    def __init__(self, options: ReadOptions, limits: Limits, read_video: ReadVideo) -> None:
        self._options = options
        self._limits = limits
        self._read_video = read_video
        self._process: Any = None
        self._pipe: Connection | None = None
        self._lock = threading.Lock()  # of ending it, which two threads do
        self.closed = False

    def read(self, path: str) -> VideoViews:
        """What the process answers.

        Raises:
            VideoError: the file cannot be read within the limits.
            _DiedError: the process did.
        """
        pipe = self._pipe or self._start()
        try:
            pipe.send(path)
            if not pipe.poll(self._limits.seconds):
                self._end()
                raise VideoError(
                    f"Reading {path!r} took more than {self._limits.seconds:g} s and was stopped. "
                    "Raise --timeout if it is long, or see what is wrong with it."
                )
            answer = pipe.recv()
        except (EOFError, OSError):
            self._end()
            raise _DiedError(
                f"The process that read {path!r} died twice. The file crashes its decoder: see "
                "what is wrong with it, or try another --decoder."
            ) from None
        except BaseException:
            self._end()  # an answer that is still in the pipe would be taken for the next file's
            raise
        if isinstance(answer, MemoryError):
            self._end()  # what it holds is not to be trusted
            raise _DiedError(
                f"Reading {path!r} took more than {self._limits.memory / GIGABYTE:.1f} GiB of "
                "memory. Raise --memory, or scale the video down."
            )
        if isinstance(answer, Exception):
            raise answer
        return VideoViews(*answer)

    def close(self) -> None:
        """End it, whatever it does."""
        self.closed = True
        self._end()

    def _start(self) -> Connection:
        context = get_context("spawn")
        pipe, theirs = context.Pipe()
        process = context.Process(
            target=_serve,
            args=(theirs, self._options, self._limits, self._read_video),
            daemon=True,
        )
        reason = "it ended at once"
        try:
            with self._lock:
                if self.closed:
                    raise _UnreadyError("Reading was stopped.")
                process.start()
                self._process = process
            theirs.close()  # so that its end is seen here
            ready = pipe.poll(START_SECONDS) and pipe.recv() == "ready"
        except EOFError:
            ready = False
        except OSError as error:
            ready, reason = False, str(error)
        if not ready:
            self._end()
            raise _UnreadyError(
                f"No process that reads videos could be started ({reason}). See what the machine "
                "lacks; a script that starts them needs 'if __name__ == \"__main__\":'."
            )
        self._pipe = pipe
        return pipe

    def _end(self) -> None:
        with self._lock:
            process, self._process, self._pipe = self._process, None, None
        if process is not None:
            process.kill()
            process.join(END_SECONDS)  # one that waits for a dead disk outlives even that


def _serve(pipe: Connection, options: ReadOptions, limits: Limits, read_video: ReadVideo) -> None:
    """Run in the process: read each requested file until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_memory(int(limits.memory))
    pipe.send("ready")
    while True:
        try:
            path = pipe.recv()
        except EOFError:
            return
        if hasattr(signal, "alarm"):
            signal.alarm(round(limits.seconds + GRACE_SECONDS))
        answer = _answer(path, options, read_video)
        try:
            pipe.send(answer)
        except BrokenPipeError:
            return
        if hasattr(signal, "alarm"):
            signal.alarm(0)


def _answer(path: str, options: ReadOptions, read_video: ReadVideo) -> tuple[Any, ...] | Exception:
    try:
        return tuple(read_video(path, options))
    except SettingsError as error:  # of all files, not of this one
        return SettingsError(str(error))
    except DoverError as error:
        return VideoError(str(error))
    except MemoryError:
        return MemoryError()
    except Exception as error:
        return VideoError(f"Cannot read {path!r} ({type(error).__name__}: {error}).")


def _limit_memory(memory: int) -> None:
    try:
        import resource
        from pathlib import Path

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):
        return
    limit = pages * resource.getpagesize() + memory
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
