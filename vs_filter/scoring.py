"""The segments of a clip on their way to scores: sampled frames, views, jobs of the network.

Nothing here calls VapourSynth. The network runs in a thread of its own, so that frames leave while
the next segment is scored.
"""

import threading
import weakref
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from dover_plugin.analysis.segments import Segment
from dover_plugin.io.source import VideoInfo
from dover_plugin.preprocessing.bars import Bars, Part
from dover_plugin.preprocessing.pictures import Picture, Sample
from dover_plugin.preprocessing.sampling import Draw, draws
from dover_plugin.preprocessing.views import Assembly, Cuts, Views, samples
from dover_plugin.scores import Scores
from vs_filter.scorers import SegmentScorer

MAX_PARTIAL = 2  # segments whose views are incomplete; the views of one take 19 MB


class Pick(NamedTuple):
    """One sampled frame of a segment, its sample and its repeat."""

    sample: Sample
    draw: Draw
    repeat: int


class Plan:
    """The sampled frames of all segments; every segment has the same number.

    Args:
        segments: they cover the clip.
        height: height of a frame in pixels.
        width: width of a frame in pixels.
        scorer: its seed, repeats and rule choose the samples.
    """

    def __init__(
        self, segments: Sequence[Segment], height: int, width: int, scorer: SegmentScorer
    ) -> None:
        self.segments = segments
        self._height, self._width = height, width
        self._scorer = scorer
        self.draws = cache(self._draws)  # most segments are equally long
        self.picks = cache(self._picks)
        self.per_segment = len(self.of(0))

    def of(self, n: int) -> list[Pick]:
        """The samples of segment ``n``, in the order of their frames."""
        segment = self.segments[n]
        chosen: list[Pick] = self.picks(segment.end - segment.start)
        return chosen

    def pick(self, i: int) -> Pick:
        """The ``i``-th sample of all segments."""
        return self.of(i // self.per_segment)[i % self.per_segment]

    def frames(self) -> list[int]:
        """The frame of each sample of all segments."""
        return [s.start + p.sample.frame for n, s in enumerate(self.segments) for p in self.of(n)]

    def cuts(self) -> Cuts:
        """What the views of a segment show before one of its frames is seen."""
        return Cuts(self._scorer.rule, self._height, self._width)

    def assembly(self, n: int, cuts: Cuts) -> Assembly:
        """Views of segment ``n`` that have no samples yet."""
        segment = self.segments[n]
        return Assembly(self.draws(segment.end - segment.start), cuts)

    def _draws(self, num_frames: int) -> list[Draw]:
        seed, repeats = self._scorer.seed, self._scorer.repeats
        rule = self._scorer.rule
        return draws(num_frames, self._height, self._width, seed=seed, repeats=repeats, rule=rule)

    def _picks(self, num_frames: int) -> list[Pick]:
        chosen = enumerate(self.draws(num_frames))
        every = [Pick(sample, draw, r) for r, draw in chosen for sample in samples(draw)]
        return sorted(every, key=lambda pick: pick.sample.frame)


class Reduced(NamedTuple):
    """A frame of a view, the part of its source frame that it shows, and the bars of that frame."""

    picture: Picture
    part: Part
    bars: Bars | None


class _Partial(NamedTuple):
    """The views of a segment, and the indices of the samples that they lack."""

    assembly: Assembly
    missing: set[int]


class Jobs:
    """Collects the samples of segments and scores each segment once. Safe for threads.

    Args:
        plan: samples of the segments.
        info: metadata of the clip.
        scorer: runs the network.

    Attributes:
        several_decoders: whether the source of the clip reads two places at once without seeking;
            None before its first frame was seen.
    """

    several_decoders: bool | None = None

    def __init__(self, plan: Plan, info: VideoInfo, scorer: SegmentScorer) -> None:
        self._plan, self._info, self._scorer = plan, info, scorer
        self._lock = threading.Lock()
        self._partial: OrderedDict[int, _Partial] = OrderedDict()
        self._cuts: dict[int, Cuts] = defaultdict(plan.cuts)  # of segments that were begun
        self._jobs: dict[int, Future[Scores]] = {}
        self._thread = ThreadPoolExecutor(1, "dover-score")
        # vspipe ends without Python's exit handlers, and a network that runs then would crash. The
        # work of the thread does not refer to this object, which dies with the nodes of the script.
        weakref.finalize(self, self._thread.shutdown, wait=True, cancel_futures=True)

    def known(self, n: int) -> bool:
        """Whether segment ``n`` is scored or being scored. A failure counts as unknown."""
        return n in self._jobs and not self.failed(n)

    def failed(self, n: int) -> bool:
        """Whether the network failed on segment ``n``."""
        job = self._jobs.get(n)
        return job is not None and job.done() and job.exception() is not None

    def placed(self, n: int) -> bool:
        """Whether all samples of segment ``n`` were placed and none has to be made again."""
        return n in self._jobs

    def part(self, i: int, bars: Bars | None) -> Part:
        """The part of its frame that the ``i``-th sample of all segments is to show.

        Args:
            i: index of the sample.
            bars: black bars of its frame.
        """
        pick = self._plan.pick(i)
        with self._lock:
            cuts = self._cuts[i // self._plan.per_segment]
            cuts.see(pick.repeat, pick.sample.branch, bars)
            return cuts.part(pick.repeat, pick.sample.branch)

    def place(self, n: int, made: Iterable[tuple[int, Reduced]]) -> None:
        """Add samples of segment ``n``; the last one starts the network.

        If the views were to show another part of some frames, the segment counts as not placed, and
        all of its samples have to be made and placed again.

        Args:
            n: index of the segment.
            made: index of each sample in the segment, and its frame.
        """
        with self._lock:
            if self.known(n):
                return
            if n not in self._partial:
                assembly = self._plan.assembly(n, self._cuts[n])
                self._partial[n] = _Partial(assembly, set(range(self._plan.per_segment)))
                while len(self._partial) > MAX_PARTIAL:
                    self._partial.popitem(last=False)
            part = self._partial[n]
            picks = self._plan.of(n)
            for i, (picture, shown, bars) in made:
                sample, _, repeat = picks[i]
                self._cuts[n].see(repeat, sample.branch, bars)
                part.assembly.place(repeat, sample, shown, picture)
                part.missing.discard(i)
            if part.missing:
                return
            del self._partial[n]
            if not part.assembly.outdated():
                views, segment = part.assembly.finished(), self._plan.segments[n]
                self._jobs[n] = self._thread.submit(
                    _score, self._scorer, self._info, segment, views
                )

    def result(self, n: int) -> Scores:
        """Wait for the scores of segment ``n``, whose samples are all placed.

        Raises:
            DoverError: the network failed; other errors of the engine pass, too.
        """
        return self._jobs[n].result()

    def finished(self, n: int) -> Scores | None:
        """The scores of segment ``n``, None if there are none yet."""
        job = self._jobs.get(n)
        return job.result() if job is not None and job.done() and not self.failed(n) else None


def _score(
    scorer: SegmentScorer, clip: VideoInfo, segment: Segment, views: Sequence[Views]
) -> Scores:
    """Run the network on the views of a segment."""
    info = replace(
        clip,
        path=f"frames {segment.start} to {segment.end - 1}",
        num_frames=segment.end - segment.start,
    )
    return replace(scorer.score_views(info, views), maps=None)
