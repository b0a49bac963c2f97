"""Read options, resource limits, and the views of one video."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from dover_plugin.errors import SettingsError
from dover_plugin.io.open import open_with
from dover_plugin.io.options import OpenOptions
from dover_plugin.io.source import FrameSource, Video, VideoInfo
from dover_plugin.preprocessing.sampling import draws
from dover_plugin.preprocessing.sampling_rule import DOVER_OPEN, SamplingRule
from dover_plugin.preprocessing.streaming import build_views
from dover_plugin.preprocessing.views import Views

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


@dataclass(frozen=True, kw_only=True)
class ReadOptions(OpenOptions):
    """How a video is opened, and which frames and fragments of it are sampled.

    Attributes:
        seed: seed of random samples; None for the centred sample.
        repeats: number of samples.
        rule: what the model sees of a video; that of the default model if none is given.
    """

    seed: int | None = None
    repeats: int = 1
    rule: SamplingRule = DOVER_OPEN

    def open(self, video: Video) -> FrameSource:
        """Open a video with these options.

        Raises:
            SettingsError: a decoder that is not installed or lacks an option.
            VideoError: the video cannot be read.
        """
        return open_with(video, self)


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


def read(video: Video, options: ReadOptions | None = None) -> VideoViews:
    """Read one video: what the networks are to look at, without a network.

    Worker processes read with it, and one process scores: ``scorer.score_views(*read(path,
    scorer.read_options))``. It loads no torch, and works in forked and in spawned processes.

    Args:
        video: see open.open_source.
        options: those of the scorer, ``Scorer.read_options``; None for the centred sample and the
            defaults of open_source.

    Returns:
        Metadata and views (19 MB per sample), which can be pickled.

    Raises:
        VideoError: the video cannot be read.
        SettingsError: a decoder that is not installed or lacks an option.
    """
    options = options or ReadOptions()
    source = options.open(video)
    info = source.info
    chosen = draws(
        info.num_frames,
        info.height,
        info.width,
        seed=options.seed,
        repeats=options.repeats,
        rule=options.rule,
    )
    views = build_views(source, chosen)
    info = source.info  # reading may have added warnings
    if info.path is None and info.options is None:
        info = replace(info, options=options)
    return VideoViews(info, views)
