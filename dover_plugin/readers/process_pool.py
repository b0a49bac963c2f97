"""Reader processes, which confine a decoder that crashes, hangs or exhausts memory.

Each process has its own pipe and its own thread in the parent process, so that a process that dies
leaves no shared lock behind.
"""

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection
from os import PathLike, fspath
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self

from dover_plugin.errors import DoverError, SettingsError, VideoError
from dover_plugin.io.source import Video
from dover_plugin.readers.reading import GIGABYTE, Limits, ReadOptions, VideoViews, read
from dover_plugin.text import described

START_SECONDS = 300.0  # limit for the start of a process
END_SECONDS = 10.0  # limit for the end of a process that was killed
GRACE_SECONDS = 60.0  # beyond the time limit of a video, after which a process ends itself

type Job = tuple[Future[VideoViews], str]
type ReadVideo = Callable[[str, ReadOptions], VideoViews]


class ProcessPool:
    """A pool of reader processes. Videos must be paths.

    If a process dies, its file is read once more in a new process, since the machine may have been
    the cause.

    Args:
        options: options for reading a video.
        workers: number of processes.
        limits: time and memory that a process may use for one video.
        read_video: function that reads one file inside a process; it must be importable there.
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
        if hasattr(signal, "pthread_sigmask"):  # a later start would unblock Ctrl-C in a thread
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
            thread.join(END_SECONDS)  # a process that cannot be killed is not waited for

    def submit(self, video: Video) -> Future[VideoViews]:
        """Start to read a file.

        Raises:
            SettingsError: the video is not a path.
        """
        if not isinstance(video, str | PathLike):
            raise SettingsError(
                f"Reader processes read files only, got {type(video).__name__}. Omit the limits, "
                "or pass a path."
            )
        future: Future[VideoViews] = Future()
        self._jobs.put((future, fspath(video)))
        return future

    def _serve(self, child: "_Child") -> None:
        if hasattr(signal, "pthread_sigmask"):  # processes inherit it, so Ctrl-C skips them
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
        except _DiedError:  # an earlier file or a shortage of memory may be the cause
            pass
        try:
            return child.read(path)
        except _UnreadyError as unready:
            raise SettingsError(str(unready)) from None
        except _DiedError as died:
            raise VideoError(str(died)) from None


class _DiedError(Exception):
    """A process ended without an answer; the message names the file."""


class _UnreadyError(_DiedError):
    """A process did not start; the cause is not the file."""


class _Child:
    """A reader process, started at the first file."""

    def __init__(self, options: ReadOptions, limits: Limits, read_video: ReadVideo) -> None:
        self._options = options
        self._limits = limits
        self._read_video = read_video
        self._process: Any = None
        self._pipe: Connection | None = None
        self._folder = ""  # of the process, for copies of videos that are not files
        self._lock = threading.Lock()  # two threads may end the process
        self.closed = False

    def read(self, path: str) -> VideoViews:
        """Read a file in the process.

        Raises:
            VideoError: the file cannot be read within the limits.
            _DiedError: the process died.
        """
        pipe = self._pipe or self._start()
        try:
            pipe.send(path)
            if not pipe.poll(self._limits.seconds):
                self._end()
                raise VideoError(
                    f"Reading {path!r} took more than {self._limits.seconds:g} s and was stopped. "
                    "Raise --timeout if the video is long; otherwise the file may be damaged."
                )
            answer = pipe.recv()
        except (EOFError, OSError):
            self._end()
            raise _DiedError(
                f"The process that read {path!r} died twice. The file crashes its decoder; it may "
                "be damaged. Try another --decoder."
            ) from None
        except BaseException:
            self._end()  # else the next file would receive the answer in the pipe
            raise
        if isinstance(answer, MemoryError):
            self._end()  # its state is unreliable now
            raise _DiedError(
                f"Reading {path!r} took more than {self._limits.memory / GIGABYTE:.1f} GiB of "
                "memory. Raise --memory, or scale the video down."
            )
        if isinstance(answer, Exception):
            raise answer
        return VideoViews(*answer)

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self.closed = True
        self._end()

    def _start(self) -> Connection:
        folder = tempfile.mkdtemp(prefix="dover-")
        context = get_context("spawn")
        pipe, theirs = context.Pipe()
        process = context.Process(
            target=_serve,
            args=(theirs, self._options, self._limits, self._read_video, folder),
            daemon=True,
        )
        reason = "it ended immediately"
        try:
            with self._lock:
                if self.closed:
                    Path(folder).rmdir()
                    raise _UnreadyError("Reading was stopped.")
                process.start()
                self._process, self._folder = process, folder
            theirs.close()  # so that the end of the process closes the pipe
            ready = pipe.poll(START_SECONDS) and pipe.recv() == "ready"
        except EOFError:
            ready = False
        except OSError as error:
            ready, reason = False, str(error)
        if not ready:
            self._end()
            shutil.rmtree(folder, ignore_errors=True)
            raise _UnreadyError(
                f"No reader process could be started ({reason}). Check free memory and process "
                "limits; a script that starts them needs 'if __name__ == \"__main__\":'."
            )
        self._pipe = pipe
        return pipe

    def _end(self) -> None:
        with self._lock:
            process, self._process, self._pipe = self._process, None, None
            folder, self._folder = self._folder, ""
        if process is not None:
            process.kill()
            process.join(END_SECONDS)  # a process that waits for a dead disk outlives even a kill
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _serve(
    pipe: Connection, options: ReadOptions, limits: Limits, read_video: ReadVideo, folder: str
) -> None:
    """Run in the process: read each requested file until the pipe closes."""
    tempfile.tempdir = folder  # which the parent process deletes, also after a kill
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True, name="dover-parent").start()
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
        except MemoryError as error:  # the views are copied to send them
            pipe.send(error)
        if hasattr(signal, "alarm"):
            signal.alarm(0)


def _end_with_parent() -> None:
    """End this process as soon as its parent process is gone, even in the middle of a file."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _answer(path: str, options: ReadOptions, read_video: ReadVideo) -> tuple[Any, ...] | Exception:
    try:
        return tuple(read_video(path, options))
    except SettingsError as error:  # concerns all files
        return SettingsError(str(error))
    except DoverError as error:
        return VideoError(str(error))
    except MemoryError:
        return MemoryError()
    except Exception as error:
        return VideoError(f"Cannot read {path!r} ({described(error)}).")


def _limit_memory(memory: int) -> None:
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):
        return
    limit = pages * resource.getpagesize() + memory
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
