"""Statistics of the panel, from the scores of all samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

import fiftyone as fo
import numpy as np
from fiftyone import ViewField as F
from fiftyone.core.collections import SampleCollection
from fiftyone.core.expressions import ViewExpression
from numpy.typing import NDArray

from dover_plugin.preprocessing.sampling import BRANCHES
from dover_plugin.scores import SCORES
from fiftyone_plugin.fields import scored, segments_field

COLUMNS = (*SCORES, "error", "warnings")  # fields that are read
MAX_POINTS = 2000  # above this, samples are binned into cells
CELLS = 40  # along each axis
BINS = 20  # a quarter of a grade each
_TOP = 1e-9  # so that a score of 1 is in the last bin
_SHIFT = 1000  # packs two small numbers into one


@dataclass(frozen=True)
class Counts:
    """Numbers of samples of a view."""

    scored: int
    failed: int
    unscored: int
    warned: int = 0


@dataclass(frozen=True)
class Histogram:
    """Counts of one score between ``edges``, one more than the counts."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Points:
    """Samples, or cells of them, by technical and aesthetic score.

    Attributes:
        ids: sample ids, or cell ids for ``in_cells``.
        technical: technical score of each sample, or centre of the cell.
        aesthetic: aesthetic score of each sample, or centre of the cell.
        overall: overall score of each sample, or mean of the cell.
        counts: samples in each cell; None if each point is a sample.
        names: file name of each sample, or number of samples of the cell.
    """

    ids: tuple[str, ...]
    technical: tuple[float, ...]
    aesthetic: tuple[float, ...]
    overall: tuple[float, ...]
    counts: tuple[int, ...] | None
    names: tuple[str, ...]


@dataclass(frozen=True)
class Timeline:
    """Scores of the segments of a sample.

    Attributes:
        title: file name of the video.
        starts: start of each segment in seconds, or in frames if the frame rate is unknown.
        end: end of the last segment.
        unit: "seconds" or "frames".
        scores: {score: one a segment}; without scores that the model does not have.
    """

    title: str
    starts: tuple[float, ...]
    end: float
    unit: str
    scores: dict[str, tuple[float, ...]]


@dataclass(frozen=True)
class ScoreTable:
    """The scores of all samples of a view.

    Attributes:
        scores: (N,) float64 by score; NaN where a sample lacks it.
        failed: (N,) bool, samples that could not be scored.
        warned: (N,) bool, samples whose scores have warnings.
    """

    scores: dict[str, NDArray[np.float64]]
    failed: NDArray[np.bool_]
    warned: NDArray[np.bool_]

    @classmethod
    def read(cls, samples: SampleCollection, field: str) -> "ScoreTable":
        """Read the fields of scores in one pass over the samples."""
        names = [name for name in COLUMNS if samples.has_field(f"{field}.{name}")]
        values = dict(zip(names, samples.values([f"{field}.{n}" for n in names]), strict=True))
        nothing = [None] * len(samples)
        return cls(
            {name: np.array(values.get(name, nothing), np.float64) for name in SCORES},
            np.array([error is not None for error in values.get("error", nothing)], np.bool_),
            np.array([bool(each) for each in values.get("warnings", nothing)], np.bool_),
        )

    def counts(self) -> Counts:
        """Number of scored, failed and unscored samples, and of those with warnings."""
        present = ~np.isnan(self.scores["technical"]) | ~np.isnan(self.scores["aesthetic"])
        good, bad = int(present.sum()), int(self.failed.sum())
        return Counts(good, bad, len(present) - good - bad, int(self.warned.sum()))

    def histograms(self, names: Sequence[str] = SCORES) -> dict[str, Histogram]:
        """One histogram over [0, 1] for each score that some sample has."""
        found = {}
        for name in names:
            numbers, edges = np.histogram(self.scores[name], BINS, (0.0, 1.0 + _TOP))
            if numbers.any():
                found[name] = Histogram(tuple(edges.tolist()), tuple(numbers.tolist()))
        return found

    def complete(self) -> NDArray[np.bool_]:
        """Samples with all three scores."""
        missing = np.isnan(np.stack([self.scores[name] for name in SCORES]))
        kept: NDArray[np.bool_] = ~missing.any(axis=0)
        return kept


def points(samples: SampleCollection, field: str, table: ScoreTable | None = None) -> Points:
    """All samples with all three scores, or cells if there are more than MAX_POINTS.

    Args:
        samples: the samples.
        field: of the scores.
        table: scores of the samples, if they have been read.
    """
    table = table or ScoreTable.read(samples, field)
    kept = table.complete()
    if kept.sum() > MAX_POINTS:
        return _cells({name: values[kept] for name, values in table.scores.items()})
    view = samples
    for name in SCORES:
        view = view.match(F(f"{field}.{name}") != None)  # noqa: E711
    paths = ["id", *(f"{field}.{name}" for name in ("technical", "aesthetic", "overall"))]
    ids, technical, aesthetic, overall, files = view.values([*paths, "filepath"])
    return Points(
        tuple(ids),
        tuple(technical),
        tuple(aesthetic),
        tuple(overall),
        None,
        tuple(PurePath(file).name for file in files),
    )


def in_cells(samples: SampleCollection, field: str, cells: list[str]) -> fo.DatasetView:
    """The samples in the cells of ``points`` with these ids."""
    return scored(samples, field).match(_cell(field).is_in([int(cell) for cell in cells]))


def timeline(dataset: fo.Dataset, sample_id: str, field: str) -> Timeline | None:
    """The segments of a sample; None if it has none."""
    name = segments_field(field)
    if not dataset.has_field(name):
        return None
    sample = dataset.select(sample_id)
    if dataset.media_type == "group":
        sample = sample.select_group_slices(_allow_mixed=True)
    paths = [f"{name}.detections.{p}" for p in ("support", *SCORES)]
    supports, *scores = sample.values(paths)
    if not supports or not supports[0]:  # a clip or patch is no sample of the dataset
        return None
    [support] = supports
    fps, path = sample.values(["metadata.frame_rate", "filepath"])
    scale = 1 / fps[0] if fps[0] else 1
    columns = {name: values for name, [values] in zip(SCORES, scores, strict=True)}
    return Timeline(
        title=PurePath(path[0]).name,
        starts=tuple((first - 1) * scale for first, _ in support),
        end=support[-1][1] * scale,
        unit="seconds" if fps[0] else "frames",
        scores={name: tuple(v) for name, v in columns.items() if v and v[0] is not None},
    )


def _cell(field: str) -> ViewExpression:
    columns = [(F(f"{field}.{name}") * CELLS).floor() for name in BRANCHES]
    return columns[0] * _SHIFT + columns[1]


def _cells(scores: dict[str, NDArray[np.float64]]) -> Points:
    rows, columns = (np.floor(scores[name] * CELLS).astype(int) for name in BRANCHES)
    cells, places, numbers = np.unique(
        rows * _SHIFT + columns, return_inverse=True, return_counts=True
    )
    shades = np.bincount(places, scores["overall"]) / numbers
    technical, aesthetic = ((each + 0.5) / CELLS for each in divmod(cells, _SHIFT))
    return Points(
        tuple(str(cell) for cell in cells),
        tuple(technical.tolist()),
        tuple(aesthetic.tolist()),
        tuple(shades.tolist()),
        tuple(numbers.tolist()),
        tuple(f"{number:,} videos" for number in numbers),
    )
