"""Before and after: what a transcode did to the quality of a video.

Both are cut into segments of the same seconds, so that sizes, frame rates, crops and containers may
differ; each pair of segments gives one difference, and those of all give the mean and its interval.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any

import numpy as np

from dover_plugin.analysis.change import INTERVAL, SMALL, Change
from dover_plugin.analysis.segments import SegmentScores, time_code
from dover_plugin.analysis.statistics import Statistics
from dover_plugin.analysis.timeline import Timeline, segment_row
from dover_plugin.scores import SCORES
from dover_plugin.text import name_of

RUNGS = 3  # of a ladder with a knee
VERDICTS = {  # of a version against another one, neither of them the source
    "gains": "is better than",
    "loses": "is worse than",
    "keeps": "is as good as",
    "unsure": "may differ from",
}


@dataclass(frozen=True)
class Pair:
    """The same seconds of both videos."""

    before: SegmentScores
    after: SegmentScores

    def difference(self, score: str) -> float | None:
        """After minus before, of "overall", "technical" or "aesthetic"; None without the score."""
        before, after = getattr(self.before.scores, score), getattr(self.after.scores, score)
        return None if before is None else float(after - before)

    @property
    def main(self) -> float:
        """Difference of the main score; see Scores.main."""
        difference = self.difference(self.after.scores.main)
        assert difference is not None
        return difference


@dataclass(frozen=True)
class Comparison:
    """What one transcode did.

    Attributes:
        before: the source.
        after: the transcode, cut to the same seconds.
        pairs: of their segments, in order.
        before_size: of the source's file in bytes; None for frames in memory.
        size: size of the transcode file in bytes; None if unknown.
        bitrate: bitrate of the transcode in bits per second, all streams; None if unknown.
        warnings: what may surprise, as durations that differ.
        has_source: whether ``before`` is the source; otherwise both are versions of one content.
        metrics: full-reference ones by name, a number each segment; full_reference.measured adds
            them.
    """

    before: Timeline
    after: Timeline
    pairs: Sequence[Pair]
    before_size: int | None
    size: int | None
    bitrate: float | None
    warnings: Sequence[str]
    has_source: bool = True
    metrics: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def change(self, score: str) -> Change | None:
        """Change of the score "overall", "technical" or "aesthetic"; None without the score."""
        values = [pair.difference(score) for pair in self.pairs]
        known = [value for value in values if value is not None]
        return Change.of(known) if known else None

    def statistics(self, score: str | None = None) -> Statistics:
        """Statistics over the segments of the differences of a score; None is the main score."""
        values = [pair.difference(score) if score else pair.main for pair in self.pairs]
        return Statistics.of([value for value in values if value is not None])

    @property
    def main(self) -> Change:
        """How the main score changed: overall, else that of the one branch that was run."""
        return Change.of([pair.main for pair in self.pairs])

    @property
    def overall(self) -> Change | None:
        """How the overall score changed."""
        return self.change("overall")

    @property
    def technical(self) -> Change | None:
        """How the technical score changed."""
        return self.change("technical")

    @property
    def aesthetic(self) -> Change | None:
        """How the aesthetic score changed."""
        return self.change("aesthetic")

    def worst(self) -> Pair:
        """The seconds that lost most."""
        return min(self.pairs, key=lambda pair: pair.main)

    def sentence(self) -> str:
        """What happened, for people."""
        name = name_of(self.after.info.path)
        change = self.main
        if not self.has_source:
            other = name_of(self.before.info.path)
            return f"{name} {VERDICTS[change.verdict]} {other}: {change.text}"
        count = f"{len(self.pairs)} segment{'s' if len(self.pairs) > 1 else ''}"
        if change.low is None:
            what = f"{name}: {change.text} over {count}, too few for an interval"
        elif change.verdict == "unsure":
            what = f"{name} may have changed: {change.text}"
        elif change.verdict == "keeps":
            return f"{name} keeps the source's quality: {change.text}"
        else:
            what = f"{name} {change.verdict} {change.text}"
        if abs(change.difference) < SMALL:
            return what
        where = ""
        if change.difference < 0 and len(self.pairs) > 1:
            where = f", worst at {time_code(self.worst().after.start_seconds or 0)[:8]}"
        return f"{what}{self._side()}{where}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: the transcode, its changes, its segments beside those of the source."""
        return {
            "path": self.after.info.path,
            "size": self.size,
            "bitrate": self.bitrate,
            "sentence": self.sentence(),
            **{
                score: asdict(change) if (change := self.change(score)) else None
                for score in SCORES
            },
            "interval": INTERVAL,
            "statistics": {
                score: asdict(self.statistics(score)) if self.change(score) else None
                for score in SCORES
            },
            "has_source": self.has_source,
            "verdict": self.main.verdict,
            **{name: fmean(values) for name, values in self.metrics.items()},
            "segments": [
                {
                    "before": segment_row(pair.before),
                    "after": segment_row(pair.after),
                    **{score: pair.difference(score) for score in SCORES},
                    **{name: values[number] for name, values in self.metrics.items()},
                }
                for number, pair in enumerate(self.pairs)
            ],
            "warnings": list(self.warnings),
        }

    def _side(self) -> str:
        """Which score moved, in the direction of the overall one; empty with one branch."""
        if not (self.technical and self.aesthetic):
            return ""
        sign = 1 if self.main.difference > 0 else -1
        technical = sign * self.technical.difference
        aesthetic = sign * self.aesthetic.difference
        if technical > 2 * max(aesthetic, 0):
            return ", mostly technical"
        if aesthetic > 2 * max(technical, 0):
            return ", mostly aesthetic"
        return ", on both sides"


@dataclass(frozen=True)
class NotCompared:
    """A transcode that could not be compared.

    Attributes:
        path: of its file.
        error: why, in one sentence.
    """

    path: str
    error: str


def by_loss(found: Sequence[Comparison]) -> list[Comparison]:
    """The transcodes in order, the one that keeps most first."""
    return sorted(found, key=lambda each: -each.main.difference)


def knee(found: Sequence[Comparison]) -> Comparison | None:
    """Where a ladder bends: beyond it, more bits bring little.

    The transcode whose quality lies farthest above the line from the cheapest to the dearest, over
    the logarithm of bitrates. None with fewer than three bitrates, with several sources, or where
    nothing bends upwards.
    """
    if len({each.before.info.path for each in found}) > 1:
        return None
    ladder = sorted((each for each in found if each.bitrate), key=lambda each: each.bitrate or 0)
    if len({each.bitrate for each in ladder}) < RUNGS:
        return None
    x = np.log([each.bitrate or 1 for each in ladder])
    y = np.array([each.main.difference for each in ladder])
    if y[-1] <= y[0]:
        return None
    above = (y - y[0]) / (y[-1] - y[0]) - (x - x[0]) / (x[-1] - x[0])
    return ladder[int(above.argmax())] if above.max() > 0 else None
