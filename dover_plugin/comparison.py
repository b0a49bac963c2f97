"""Before and after: what a transcode did to the quality of a video.

Both are cut into segments of the same seconds, so that sizes, frame rates, crops and containers may
differ; each pair of segments gives one difference, and those of all give the mean and its interval.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from dover_plugin.errors import SettingsError
from dover_plugin.scorer import Scorer
from dover_plugin.segments import Segment, SegmentScores, by_seconds, frame_rate, time_code
from dover_plugin.timeline import SCORES, Timeline, segment_row
from dover_plugin.video import VideoInfo, open_source

SECONDS = 5.0  # of a segment
CONFIDENCE = 0.95
RESAMPLES = 2000  # of the bootstrap
FEWEST = 3  # segments of an interval; fewer tell nothing of their spread
SAME_LENGTH = 0.5  # seconds by which durations may differ without a word
SHORTEST = 0.5  # seconds that both must last
KEPT = 0.01  # a mean difference below this is none, whatever its interval

type Progress = Callable[[str, int, int], None]  # whose segments, how many are done, of how many
type Path_ = str | PathLike[str]


@dataclass(frozen=True)
class Change:
    """How one score changed, after minus before.

    Attributes:
        difference: mean over the segments, in [-1, 1].
        low: where 95 % of the means of resampled segments begin; None with fewer than FEWEST.
        high: where they end.
    """

    difference: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, differences: Sequence[float]) -> "Change":
        """The mean, and its percentile interval by the bootstrap over segments, seeded."""
        values = np.asarray(differences)
        if len(values) < FEWEST:
            return cls(float(values.mean()), None, None)
        chosen = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
        levels = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
        low, high = np.quantile(values[chosen].mean(axis=1), levels)
        return cls(float(values.mean()), float(low), float(high))

    @property
    def sure(self) -> bool:
        """Whether the difference is one: beyond KEPT, and an interval without 0."""
        outside = self.low is None or self.high is None or self.low > 0 or self.high < 0
        return outside and abs(self.difference) >= KEPT


@dataclass(frozen=True)
class Pair:
    """The same seconds of both videos."""

    before: SegmentScores
    after: SegmentScores

    def difference(self, score: str) -> float:
        """After minus before, of "overall", "technical" or "aesthetic"."""
        return float(getattr(self.after.scores, score) - getattr(self.before.scores, score))


@dataclass(frozen=True)
class Comparison:
    """What one transcode did.

    Attributes:
        before: the source.
        after: the transcode, cut to the same seconds.
        pairs: of their segments, in order.
        size: of the transcode's file in bytes; None for frames in memory.
        bitrate: of the transcode in bits per second, all streams; likewise.
        warnings: what may surprise, as durations that differ.
    """

    before: Timeline
    after: Timeline
    pairs: Sequence[Pair]
    size: int | None
    bitrate: float | None
    warnings: Sequence[str]

    def change(self, score: str) -> Change:
        """Of "overall", "technical" or "aesthetic"."""
        return Change.of([pair.difference(score) for pair in self.pairs])

    @property
    def overall(self) -> Change:
        """How the overall score changed."""
        return self.change("overall")

    @property
    def technical(self) -> Change:
        """How the technical score changed."""
        return self.change("technical")

    @property
    def aesthetic(self) -> Change:
        """How the aesthetic score changed."""
        return self.change("aesthetic")

    def worst(self) -> Pair:
        """The seconds that lost most."""
        return min(self.pairs, key=lambda pair: pair.difference("overall"))

    def sentence(self) -> str:
        """What happened, for people."""
        name = Path(self.after.info.path or "the transcode").name
        change = self.overall
        number = f"{change.difference:+.3f}{_margin(change)}"
        if not change.sure:
            return f"{name} keeps the source's quality: {number}"
        verb = "loses" if change.difference < 0 else "gains"
        side = self._side()
        where = ""
        if change.difference < 0 and len(self.pairs) > 1:
            where = f", worst at {time_code(self.worst().after.start_seconds or 0)[:8]}"
        return f"{name} {verb} {abs(change.difference):.3f}{_margin(change)}, {side}{where}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: the transcode, its changes, its segments beside those of the source."""
        return {
            "path": self.after.info.path,
            "size": self.size,
            "bitrate": self.bitrate,
            "sentence": self.sentence(),
            **{score: asdict(self.change(score)) for score in SCORES},
            "segments": [
                {
                    "before": segment_row(pair.before),
                    "after": segment_row(pair.after),
                    **{score: pair.difference(score) for score in SCORES},
                }
                for pair in self.pairs
            ],
            "warnings": list(self.warnings),
        }

    def _side(self) -> str:
        technical, aesthetic = (abs(self.change(s).difference) for s in ("technical", "aesthetic"))
        if technical > 2 * aesthetic:
            return "mostly technical"
        if aesthetic > 2 * technical:
            return "mostly aesthetic"
        return "on both sides"


def compare(
    before: Path_,
    after: Path_,
    scorer: Scorer,
    *,
    seconds: float = SECONDS,
    progress: Progress = lambda *_: None,
) -> Comparison:
    """Compare one transcode with its source; see compare_many."""
    (found,) = compare_many(before, [after], scorer, seconds=seconds, progress=progress)
    return found


def compare_many(
    before: Path_,
    afters: Sequence[Path_],
    scorer: Scorer,
    *,
    seconds: float = SECONDS,
    progress: Progress = lambda *_: None,
) -> list[Comparison]:
    """Compare transcodes with their source, which is scored once where lengths allow.

    Args:
        before: the source.
        afters: transcodes of it.
        scorer: scores all of them.
        seconds: of a segment. A rest shorter than half of it joins the last one.
        progress: told of each file how many segments are done.

    Returns:
        One comparison each, in order.

    Raises:
        VideoError: a file cannot be read.
        SettingsError: a file without a frame rate, or too short.
    """
    known: dict[tuple[Segment, ...], Timeline] = {}
    found = []
    for after in afters:
        infos = [open_source(path, scorer.decoder).info for path in (before, after)]
        cuts = common_segments(infos[0], infos[1], seconds)
        timelines = []
        for path, info, segments in zip((before, after), infos, cuts, strict=True):
            key = tuple(segments)
            if path is before and key in known:
                timelines.append(known[key])
                continue
            parts = []
            for part in scorer.timeline(path, segments=segments):
                parts.append(part)
                progress(fspath(path), len(parts), len(segments))
            timelines.append(Timeline(info, scorer.settings, parts))
            if path is before:
                known[key] = timelines[0]
        found.append(_comparison(timelines[0], timelines[1]))
    return found


def common_segments(
    before: VideoInfo, after: VideoInfo, seconds: float
) -> tuple[list[Segment], list[Segment]]:
    """The same seconds of both, as frames of each, as far as both last.

    Raises:
        SettingsError: a video without a frame rate, or too short.
    """
    rates = frame_rate(before), frame_rate(after)
    lengths = [info.num_frames / rate for info, rate in zip((before, after), rates, strict=True)]
    shared = min(lengths)
    if shared < SHORTEST:
        short = before if lengths[0] == shared else after
        raise SettingsError(
            f"{short.path!r} lasts {shared:.2f} s ({short.num_frames} frames), too short to be "
            f"compared. Both must last {SHORTEST:g} s."
        )
    shorter, longer = (before, after) if lengths[0] <= lengths[1] else (after, before)
    cuts = by_seconds(shorter, seconds)
    own, rate = frame_rate(shorter), frame_rate(longer)
    last = min(longer.num_frames, max(1, round(shared * rate)))
    starts = [min(round(segment.start / own * rate), last - 1) for segment in cuts]
    others = [Segment(a, b) for a, b in zip(starts, [*starts[1:], last], strict=True)]
    return (cuts, others) if shorter is before else (others, cuts)


def by_loss(found: Sequence[Comparison]) -> list[Comparison]:
    """The transcodes in order, the one that keeps most first."""
    return sorted(found, key=lambda each: -each.overall.difference)


def knee(found: Sequence[Comparison]) -> Comparison | None:
    """Where a ladder bends: beyond it, more bits bring little.

    The transcode whose quality lies farthest above the line from the cheapest to the dearest, over
    the logarithm of bitrates. None with fewer than three bitrates, or where nothing bends upwards.
    """
    ladder = sorted((each for each in found if each.bitrate), key=lambda each: each.bitrate or 0)
    if len({each.bitrate for each in ladder}) < FEWEST:
        return None
    x = np.log([each.bitrate or 1 for each in ladder])
    y = np.array([each.overall.difference for each in ladder])
    if y[-1] <= y[0]:
        return None
    above = (y - y[0]) / (y[-1] - y[0]) - (x - x[0]) / (x[-1] - x[0])
    return ladder[int(above.argmax())] if above.max() > 0 else None


def match_folders(before: Path, after: Path) -> tuple[list[tuple[Path, Path]], list[Path]]:
    """Videos of two folders that have the same name but for the suffix.

    Returns:
        The pairs, sorted, and what has no counterpart.

    Raises:
        SettingsError: two videos of one name in a folder, or no pair at all.
    """
    from dover_plugin.files import find_videos

    named: list[dict[str, Path]] = []
    for folder in (before, after):
        names: dict[str, Path] = {}
        for file in map(Path, find_videos([str(folder)])):
            if not file.is_file():
                continue
            key = file.relative_to(folder).with_suffix("").as_posix()
            if key in names:
                raise SettingsError(
                    f"'{folder}' holds two videos named '{key}': '{names[key].name}' and "
                    f"'{file.name}'. Rename one."
                )
            names[key] = file
        named.append(names)
    old, new = named
    if not old.keys() & new.keys():
        raise SettingsError(f"No video in '{before}' has the name of one in '{after}'.")
    pairs = [(old[key], new[key]) for key in sorted(old.keys() & new.keys())]
    alone = [(old | new)[key] for key in sorted(old.keys() ^ new.keys())]
    return pairs, alone


def _comparison(before: Timeline, after: Timeline) -> Comparison:
    info = after.info
    seconds = [t.info.num_frames / frame_rate(t.info) for t in (before, after)]
    warnings = [*before.warnings(), *after.warnings()]
    if abs(seconds[0] - seconds[1]) > SAME_LENGTH:
        warnings.append(
            f"durations differ: {time_code(seconds[0])} before, {time_code(seconds[1])} after; the "
            "seconds that both have are compared"
        )
    size = Path(info.path).stat().st_size if info.path else None
    return Comparison(
        before=before,
        after=after,
        pairs=[Pair(b, a) for b, a in zip(before.segments, after.segments, strict=True)],
        size=size,
        bitrate=8 * size / seconds[1] if size else None,
        warnings=list(dict.fromkeys(warnings)),
    )


def _margin(change: Change) -> str:
    if change.low is None or change.high is None:
        return ""
    return f" ± {(change.high - change.low) / 2:.3f}"
