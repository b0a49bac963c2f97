"""Statistics of the panel, aggregated in the database."""

import math
from dataclasses import dataclass
from pathlib import PurePath

import fiftyone as fo
from fiftyone import ViewField as F
from fiftyone.core.collections import SampleCollection
from fiftyone.core.expressions import ViewExpression

from dover_plugin.preprocessing.sampling import BRANCHES
from dover_plugin.scores import SCORES
from fiftyone_plugin.fields import scored, segments_field

MAX_POINTS = 2000  # above this, samples are binned into cells
CELLS = 40  # along each axis
BINS = 24
_SHIFT = 1000  # packs three small numbers into one


@dataclass(frozen=True)
class Counts:
    """Numbers of samples of a view."""

    scored: int
    failed: int
    unscored: int


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
        starts: start of each segment in seconds, or in frames if the frame rate is unknown.
        end: end of the last segment.
        unit: "seconds" or "frames".
        scores: {score: one a segment}.
    """

    starts: tuple[float, ...]
    end: float
    unit: str
    scores: dict[str, tuple[float, ...]]


def counts(samples: SampleCollection, field: str) -> Counts:
    """Count scored, failed and unscored samples."""
    total, good, bad = samples.aggregate(
        [fo.Count(), fo.Count(f"{field}.overall"), fo.Count(f"{field}.error")]
    )
    return Counts(good, bad, total - good - bad)


def histograms(samples: SampleCollection, field: str) -> dict[str, Histogram]:
    """One histogram per score over its range; empty if nothing is scored."""
    paths = [f"{field}.{name}" for name in SCORES]
    bounds = samples.aggregate([fo.Bounds(path) for path in paths])
    if bounds[0][0] is None:
        return {}
    ranges = [_round_outwards(low, high) for low, high in bounds]
    found = samples.aggregate(
        [
            fo.HistogramValues(path, bins=BINS, range=limits)
            for path, limits in zip(paths, ranges, strict=True)
        ]
    )
    return {
        name: Histogram(tuple(edges), tuple(numbers))
        for name, (numbers, edges, _) in zip(SCORES, found, strict=True)
    }


def thirds(samples: SampleCollection, field: str) -> dict[str, tuple[float, float]]:
    """Boundaries of the lowest and highest third of the samples, per branch."""
    found = samples.aggregate(
        [fo.Quantiles(f"{field}.{name}", [1 / 3, 2 / 3]) for name in SCORES[1:]]
    )
    return {name: (low, high) for name, (low, high) in zip(SCORES[1:], found, strict=True)}


def points(samples: SampleCollection, field: str) -> Points:
    """All scored samples, or cells if there are more than MAX_POINTS."""
    view = scored(samples, field)
    if len(view) > MAX_POINTS:
        return _cells(view, field)
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
    [support], *scores = sample.values(paths)
    [fps] = sample.values("metadata.frame_rate") if dataset.has_field("metadata") else [None]
    if not support:
        return None
    scale = 1 / fps if fps else 1
    return Timeline(
        starts=tuple((first - 1) * scale for first, _ in support),
        end=support[-1][1] * scale,
        unit="seconds" if fps else "frames",
        scores={name: tuple(values) for name, [values] in zip(SCORES, scores, strict=True)},
    )


def _cell(field: str) -> ViewExpression:
    columns = [(F(f"{field}.{name}") * CELLS).floor() for name in BRANCHES]
    return columns[0] * _SHIFT + columns[1]


def _cells(view: fo.DatasetView, field: str) -> Points:
    shade = (F(f"{field}.overall") * (_SHIFT - 1)).floor()
    packed = view.aggregate(fo.CountValues(_cell(field) * _SHIFT + shade))
    numbers: dict[int, int] = {}
    shades: dict[int, float] = {}
    for key, count in packed.items():
        cell, level = divmod(int(key), _SHIFT)
        numbers[cell] = numbers.get(cell, 0) + count
        shades[cell] = shades.get(cell, 0.0) + count * level / (_SHIFT - 1)
    places = [divmod(cell, _SHIFT) for cell in numbers]
    return Points(
        tuple(str(cell) for cell in numbers),
        tuple((t + 0.5) / CELLS for t, _ in places),
        tuple((a + 0.5) / CELLS for _, a in places),
        tuple(shades[cell] / number for cell, number in numbers.items()),
        tuple(numbers.values()),
        tuple(f"{number:,} videos" for number in numbers.values()),
    )


def _round_outwards(low: float, high: float) -> tuple[float, float]:
    """Axis limits on multiples of 0.05 that contain [low, high]."""
    return math.floor(low * 20) / 20, math.floor(high * 20 + 1) / 20
