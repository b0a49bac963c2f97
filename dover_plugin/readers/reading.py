"""Read options, resource limits, and the views of one video."""

from dataclasses import dataclass
from typing import NamedTuple

from dover_plugin.errors import SettingsError
from dover_plugin.io.open import open_source
from dover_plugin.io.source import FrameSource, Video, VideoInfo
from dover_plugin.preprocessing.sampling import draws
from dover_plugin.preprocessing.views import Views, build_views

GIGABYTE = 2**30
LONGEST = 1e6  # seconds


class VideoViews(NamedTuple):
    """The input of the networks.

    Attributes:
        info: metadata of the video.
        views: the views of each sample.
    """

    info: VideoInfo
    views: list[Views]


@dataclass(frozen=True)
class ReadOptions:
    """How a video is read.

    Attributes:
        decoder: "auto", "decord" or "pyav".
        seed: seed of random samples; None for the centred sample.
        repeats: number of samples.
        stream: see open.open_source.
        deinterlace: see open.open_source.
        allow_damaged: see open.open_source.
        hdr: see open.open_source.
    """

    decoder: str
    seed: int | None
    repeats: int
    stream: int | None = None
    deinterlace: bool = False
    allow_damaged: bool = False
    hdr: str = "tonemap"

    def open(self, video: Video) -> FrameSource:
        """Open a video with these options.

        Raises:
            SettingsError: a decoder that is not installed or lacks an option.
            VideoError: the video cannot be read.
        """
        return open_source(
            video,
            self.decoder,
            stream=self.stream,
            deinterlace=self.deinterlace,
            allow_damaged=self.allow_damaged,
            hdr=self.hdr,
        )


@dataclass(frozen=True)
class Limits:
    """What a process may use for one video.

    Attributes:
        seconds: time after which the process is killed.
        memory: bytes beyond those it holds at its start; not limited on Windows and macOS.
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
        VideoError: the video cannot be read.
    """
    source = options.open(video)
    info = source.info
    chosen = draws(
        info.num_frames, info.height, info.width, seed=options.seed, repeats=options.repeats
    )
    views = build_views(source, chosen)
    return VideoViews(source.info, views)  # reading may have added warnings
