"""Statistics of the panel, aggregated in the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

import fiftyone as fo
from fiftyone import ViewField as F
from fiftyone.core.collections import SampleCollection
from fiftyone.core.expressions import ViewExpression

from dover_plugin.preprocessing.sampling import BRANCHES
from dover_plugin.scores import SCORES
from fiftyone_plugin.fields import scored, segments_field, warned

MAX_POINTS = 2000  # above this, samples are binned into cells
CELLS = 40  # along each axis
BINS = 20  # a quarter of a grade each
_TOP = 1e-9  # so that a score of 1 is in the last bin
_SHIFT = 1000  # packs three small numbers into one


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


def counts(samples: SampleCollection, field: str) -> Counts:
    """Count scored, failed and unscored samples, and those with warnings."""
    total, bad = samples.aggregate([fo.Count(), fo.Count(f"{field}.error")])
    good = len(scored(samples, field))
    return Counts(good, bad, total - good - bad, len(warned(samples, field)))


def histograms(
    samples: SampleCollection, field: str, names: Sequence[str] = SCORES
) -> dict[str, Histogram]:
    """One histogram over [0, 1] for each score that some sample has."""
    paths = [f"{field}.{name}" for name in names]
    found = samples.aggregate(
        [fo.HistogramValues(path, bins=BINS, range=(0.0, 1.0 + _TOP)) for path in paths]
    )
    return {
        name: Histogram(tuple(edges), tuple(numbers))
        for name, (numbers, edges, _) in zip(names, found, strict=True)
        if sum(numbers)
    }


def points(samples: SampleCollection, field: str) -> Points:
    """All samples with all three scores, or cells if there are more than MAX_POINTS."""
    view = scored(samples, field)
    for name in SCORES:
        view = view.match(F(f"{field}.{name}") != None)  # noqa: E711
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
