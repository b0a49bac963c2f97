"""The result of scoring one video, or of failing to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dover_plugin.io.source import VideoInfo
from dover_plugin.preprocessing.bars import Part
from dover_plugin.preprocessing.sampling import BRANCHES, Branch
from dover_plugin.preprocessing.sampling_rule import DOVER
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
    "branches",
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
    """Local quality, whose mean is the raw score; None for a branch that was not run.

    Attributes:
        technical: (clips, 16, 7, 7) float32, (clips, 8, 4, 4) for fast-vqa-m; each cell of the
            grid is one fragment.
        aesthetic: (1, 16, 7, 7) float32; the grid lies over the whole frame.
        parts: rows and columns of the frames that the map of each branch lies over; all of them if
            it is empty.
    """

    technical: NDArray[np.float32] | None = None
    aesthetic: NDArray[np.float32] | None = None
    parts: Mapping[Branch, Part] = field(default_factory=dict)

    @property
    def branches(self) -> list[Branch]:
        """Branches that were run."""
        return [branch for branch in BRANCHES if getattr(self, branch) is not None]


class Raw(NamedTuple):
    """The networks' mean outputs, without unit or bound; None for a branch that was not run."""

    technical: float | None
    aesthetic: float | None


@dataclass(frozen=True)
class Settings:
    """Everything but the pixels that a score depends on.

    ``reading`` states the options of reading that are not the defaults, such as "stream=1,
    start=10s"; see io.options.OpenOptions. ``branches`` names the branches that were run, such as
    "technical+aesthetic".
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
    branches: str = DOVER.label


@dataclass(frozen=True)
class Scores:
    """The quality of one video.

    The score of a branch that was not run is None, and so is an overall score that needs it. A
    model with one score, such as fast-vqa, gives it as technical and as overall score.

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
    technical: float | None
    aesthetic: float | None
    overall: float | None
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
    def present(self) -> tuple[str, ...]:
        """Names of the scores that are not None, in the order of SCORES."""
        return tuple(name for name in SCORES if getattr(self, name) is not None)

    @property
    def main(self) -> str:
        """Name of the score by which videos are ordered: overall, else that of the one branch."""
        return self.present[0]

    @property
    def fusion(self) -> str:
        """Name of the calibration."""
        return self.settings.fusion

    def ranks(self, against: Sequence[ReferenceSet] | None = None) -> dict[str, dict[Branch, Rank]]:
        """Where the video stands in each set, per branch that was run; see dover_plugin.ranks.

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
