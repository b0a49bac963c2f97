"""Score videos and their segments in one pass."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dover_plugin.analysis.segments import Segment, SegmentScores
from dover_plugin.errors import DoverError, EngineError, SettingsError
from dover_plugin.io.source import VideoInfo
from dover_plugin.preprocessing.streaming import stream_views
from dover_plugin.preprocessing.views import Views
from dover_plugin.readers.reading import read
from dover_plugin.scores import Failure, Result
from dover_plugin.text import described

if TYPE_CHECKING:
    from dover_plugin.scorer import Scorer

AHEAD = 2  # parts that are read while the networks run

type Cut = Callable[[VideoInfo], Sequence[Segment]]


@dataclass(frozen=True)
class SegmentedResult:
    """A video and its segments.

    Attributes:
        result: result of the whole video; a warning says why segments are missing.
        segments: scored segments, each once, in the order of the cut, with a segment that is the
            whole video at the end; empty if the video or its segments have no scores.
    """

    result: Result
    segments: tuple[SegmentScores, ...]


@dataclass(frozen=True)
class _Part:
    """Views of a segment, or of the whole video if ``segment`` is None."""

    info: VideoInfo  # of the part
    video: VideoInfo
    segment: Segment | None
    views: list[Views]
    is_segment: bool = False  # whether the whole video is one of its segments
    problem: str | None = None


def score_segmented(
    scorer: "Scorer",
    videos: Iterable[tuple[str, Cut]],
    *,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[SegmentedResult]:
    """Score videos and their segments; scores equal those of ``Scorer.score`` and ``timeline``.

    The next parts, also those of the next video, are read while the networks run.

    Args:
        scorer: scorer to use.
        videos: path of each video, and a function that cuts it into segments, in order of their
            ends, so that memory stays flat.
        stop: called between parts; True ends the iteration at once.

    Yields:
        One result per video, in order.

    Raises:
        SettingsError: a setting that no video can be read with.
        EngineError: the network could not be run.
    """
    parts: list[SegmentScores] = []
    problem: str | None = None
    for item in _ahead(_read_all(scorer, videos)):
        if stop():
            return
        if isinstance(item, Failure):
            yield SegmentedResult(item, ())
            parts, problem = [], None
            continue
        problem = item.problem or problem
        try:
            scores = scorer.score_views(item.info, item.views)
        except EngineError:
            raise
        except DoverError as error:
            problem = str(error)
            if item.segment is None:
                yield SegmentedResult(Failure(item.video.path, problem, scorer.settings), ())
                parts, problem = [], None
            continue
        if item.segment is not None:
            parts.append(SegmentScores.of(item.segment, scores, item.video))
            continue
        if item.is_segment:
            parts.append(SegmentScores.of(Segment(0, item.video.num_frames), scores, item.video))
        if problem:
            warning = f"its segments could not be scored: {problem}"
            scores, parts = replace(scores, warnings=(*scores.warnings, warning)), []
        yield SegmentedResult(scores, tuple(parts))
        parts, problem = [], None


def _read_all(scorer: "Scorer", videos: Iterable[tuple[str, Cut]]) -> Iterator[_Part | Failure]:
    """The parts of each video, the whole video last."""
    for path, cut in videos:
        try:
            try:
                yield from _read(scorer, path, cut)
            except (DoverError, MemoryError, OSError) as error:
                info, views = read(path, scorer.read_options)  # an error of the whole video again
                yield _Part(info, info, None, views, problem=str(error))
        except (SettingsError, EngineError):
            raise
        except DoverError as error:
            yield Failure(path, str(error), scorer.settings)
        except Exception as error:
            yield Failure(path, described(error), scorer.settings)


def _read(scorer: "Scorer", path: str, cut: Cut) -> Iterator[_Part]:
    source = scorer.read_options.open(path)
    segments = dict.fromkeys(cut(source.info))  # each once
    whole = Segment(0, source.info.num_frames)
    inner = [segment for segment in segments if segment != whole]

    infos = [replace(source.info, num_frames=end - start) for start, end in inner]
    choices = [(s.start, scorer.draws(info)) for s, info in zip(inner, infos, strict=True)]
    made = stream_views(source, [*choices, (0, scorer.draws(source.info))])
    for segment in inner:
        views = next(made)
        info = source.info  # reading may have added warnings
        part = replace(info, num_frames=segment.end - segment.start)
        yield _Part(part, info, segment, views)
    views = next(made)
    info = source.info
    yield _Part(info, info, None, views, is_segment=whole in segments)


def _ahead(items: Iterator[_Part | Failure]) -> Iterator[_Part | Failure]:
    """The items, read in a thread."""
    with ThreadPoolExecutor(1, "dover-read") as pool:
        queue: deque[Future[_Part | Failure | None]] = deque()
        try:
            while True:
                while len(queue) < AHEAD:
                    queue.append(pool.submit(next, items, None))
                item = queue.popleft().result()
                if item is None:
                    return
                yield item
        finally:
            for future in queue:
                future.cancel()
