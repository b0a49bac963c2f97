"""Reading videos while the networks run, in threads or in processes of their own."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from dover_plugin.errors import SettingsError
from dover_plugin.sampling import draws
from dover_plugin.video import Video, VideoInfo, open_source
from dover_plugin.views import Views, build_views

GIGABYTE = 2**30
LONGEST = 1e6  # seconds


class Reading(NamedTuple):
    """What the networks are to look at.

    Attributes:
        info: of the video.
        views: one per draw.
    """

    info: VideoInfo
    views: list[Views]


@dataclass(frozen=True)
class How:
    """How a video is read.

    Attributes:
        decoder: "auto", "decord" or "pyav".
        seed: of random draws; None for the centred one.
        repeats: draws.
    """

    decoder: str
    seed: int | None
    repeats: int


@dataclass(frozen=True)
class Limits:
    """What a process may take for one video.

    Attributes:
        seconds: after which it is ended.
        memory: bytes beyond what it holds when it starts; not limited on Windows and macOS.
    """

    seconds: float = 600.0
    memory: float = 4 * GIGABYTE

    def __post_init__(self) -> None:
        if not (0 < self.seconds <= LONGEST and 0 < self.memory < 2**62):
            raise SettingsError(
                f"Limits must be above 0 and at most {LONGEST:g} s, got {self.seconds:g} s and "
                f"{self.memory / GIGABYTE:g} GiB."
            )


class Submit(Protocol):
    """Takes a video; its reading comes later, or the error of it."""

    def __call__(self, video: Video) -> Future[Reading]:
        """Begin to read."""
        ...


def read(video: Video, how: How) -> Reading:
    """Read one video.

    Raises:
        VideoError: it cannot be read.
    """
    source = open_source(video, how.decoder)
    info = source.info
    chosen = draws(info.num_frames, info.height, info.width, seed=how.seed, repeats=how.repeats)
    return Reading(info, build_views(source, chosen))


@contextmanager
def readers(how: How, workers: int, limits: Limits | None) -> Iterator[Submit]:
    """Threads, or with ``limits`` processes, which a broken file cannot harm.

    Raises:
        SettingsError: fewer than one of them.
    """
    if workers < 1:
        raise SettingsError(f"Videos need a reader, got {workers} workers.")
    if limits:
        from dover_plugin.isolation import Isolated

        with Isolated(how, workers, limits) as pool:
            yield pool.submit
        return
    with ThreadPoolExecutor(workers, "dover-read") as threads:
        try:
            yield lambda video: threads.submit(read, video, how)
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
