"""Read options, resource limits, and the views of one video."""

from dataclasses import dataclass
from typing import NamedTuple

from dover_plugin.errors import SettingsError
from dover_plugin.io.open import open_source
from dover_plugin.io.source import Video, VideoInfo
from dover_plugin.preprocessing.sampling import draws
from dover_plugin.preprocessing.views import Views, build_views

GIGABYTE = 2**30
LONGEST = 1e6  # seconds


class VideoViews(NamedTuple):
    """What the networks are to look at.

    Attributes:
        info: of the video.
        views: one per draw.
    """

    info: VideoInfo
    views: list[Views]


@dataclass(frozen=True)
class ReadOptions:
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


def read(video: Video, options: ReadOptions) -> VideoViews:
    """Read one video.

    Raises:
        VideoError: it cannot be read.
    """
    source = open_source(video, options.decoder)
    info = source.info
    chosen = draws(
        info.num_frames, info.height, info.width, seed=options.seed, repeats=options.repeats
    )
    return VideoViews(info, build_views(source, chosen))
