"""The result of scoring one video, or of failing to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dover_plugin.io.source import VideoInfo
from dover_plugin.preprocessing.sampling import BRANCHES, Branch
from dover_plugin.ranks import Rank, ReferenceSet, ranks

SCORES = ("overall", *BRANCHES)
COLUMNS = (
    "path",
    "version",
    "model",
    "weights_sha256",
    "device",
    "engine",
    "precision",
    "fusion",
    "technical",
    "aesthetic",
    "overall",
    "technical_raw",
    "aesthetic_raw",
    "technical_std",
    "aesthetic_std",
    "repeats",
    "seed",
    "reading",
    "decoder",
    "num_frames",
    "width",
    "height",
    "fps",
    "warnings",
    "error",
)


@dataclass(frozen=True)
class Maps:
    """Local quality, whose mean is the raw score.

    Attributes:
        technical: (clips, 16, 7, 7) float32; each cell of the 7x7 grid is one fragment.
        aesthetic: (1, 16, 7, 7) float32; the grid lies over the whole frame.
    """

    technical: NDArray[np.float32]
    aesthetic: NDArray[np.float32]


class Raw(NamedTuple):
    """The networks' mean outputs, without unit or bound."""

    technical: float
    aesthetic: float


@dataclass(frozen=True)
class Settings:
    """Everything but the pixels that a score depends on.

    ``reading`` states the options of reading that are not the defaults, such as "stream=1,
    start=10s"; see io.options.OpenOptions.
    """

    version: str
    model: str
    weights_sha256: str
    device: str
    engine: str
    precision: str
    fusion: str
    repeats: int
    seed: int | None
    reading: str | None = None


@dataclass(frozen=True)
class Scores:
    """The quality of one video.

    Attributes:
        path: the file; None for frames in memory.
        technical: in [0, 1]; blur, noise, compression and the like.
        aesthetic: in [0, 1]; content, composition, light and colour.
        overall: in [0, 1]; both, fused.
        raw: the networks' outputs before calibration; means over the repeats.
        raw_std: their sample standard deviations over the repeats; None with one draw.
        settings: what the score was made with.
        decoder: what read the file.
        num_frames: of the video.
        width: in pixels.
        height: in pixels.
        fps: frames per second; None where unknown.
        warnings: sentences on what may surprise.
        maps: local quality in the first draw.
        info: metadata of the video.
    """

    path: str | None
    technical: float
    aesthetic: float
    overall: float
    raw: Raw
    raw_std: Raw | None
    settings: Settings
    decoder: str
    num_frames: int
    width: int
    height: int
    fps: float | None
    warnings: tuple[str, ...] = ()
    maps: Maps | None = field(default=None, repr=False, compare=False)
    info: VideoInfo | None = field(default=None, repr=False, compare=False)

    error = None

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.settings.model

    @property
    def fusion(self) -> str:
        """Name of the calibration."""
        return self.settings.fusion

    def ranks(self, against: Sequence[ReferenceSet] | None = None) -> dict[str, dict[Branch, Rank]]:
        """Where the video stands in each set; see dover_plugin.ranks.

        Raises:
            SettingsError: a set was scored with another model.
        """
        return ranks(self.model, self.raw.technical, self.raw.aesthetic, against)

    def to_dict(self) -> dict[str, Any]:
        """One JSON-ready row; keys and order are those of COLUMNS."""
        values = {
            **vars(self.settings),
            **vars(self),
            "technical_raw": self.raw.technical,
            "aesthetic_raw": self.raw.aesthetic,
            "technical_std": self.raw_std.technical if self.raw_std else None,
            "aesthetic_std": self.raw_std.aesthetic if self.raw_std else None,
            "warnings": list(self.warnings),
            "error": None,
        }
        return {column: values[column] for column in COLUMNS}


@dataclass(frozen=True)
class Failure:
    """A video that has no score, and why.

    Attributes:
        path: the file; None for frames in memory.
        error: one sentence.
        settings: what it would have been scored with.
    """

    path: str | None
    error: str
    settings: Settings

    def to_dict(self) -> dict[str, Any]:
        """One JSON-ready row with the columns of Scores, unknown ones None."""
        values = {**vars(self.settings), **vars(self), "warnings": []}
        return {column: values.get(column) for column in COLUMNS}


type Result = Scores | Failure
