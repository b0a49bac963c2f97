"""Score a source and its transcodes segment by segment."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from dover_plugin.analysis.comparison import Comparison, NotCompared, Pair
from dover_plugin.analysis.segments import Segment, common_segments, time_code
from dover_plugin.analysis.timeline import Timeline
from dover_plugin.errors import DoverError, EngineError
from dover_plugin.io.source import FrameSource, Video, VideoInfo
from dover_plugin.text import name_of

if TYPE_CHECKING:
    from dover_plugin.scorer import Scorer

SECONDS = 5.0  # of a segment
SAME_LENGTH = 0.5  # seconds; durations that differ by more give a warning

type Progress = Callable[[str, int, int], None]  # whose segments, how many are done, of how many


def compare(
    before: Video,
    after: Video,
    scorer: "Scorer",
    *,
    seconds: float = SECONDS,
    has_source: bool = True,
    progress: Progress = lambda *_: None,
) -> Comparison:
    """Compare one transcode with its source.

    Args:
        before: the source: a path, or any other input of Scorer.score.
        after: the transcode, as the source.
        scorer: scores both.
        seconds: of a segment. A rest shorter than half of it joins the last one.
        has_source: False compares two versions of one content, neither of them the source.
        progress: told of each file how many segments are done.

    Raises:
        VideoError: a file cannot be read.
        SettingsError: a file has no frame rate or is too short.

    Examples:
        >>> from dover_plugin import Scorer
        >>> comparison = compare("good.mp4", "bad.mp4", Scorer(device="cpu"), seconds=1)
        >>> len(comparison.pairs), comparison.overall.difference < -0.3
        (2, True)
    """
    source = scorer.read_options.open(before)
    found = _compare(source, after, scorer, seconds, progress, {})
    return replace(found, has_source=has_source)


def compare_many(
    before: Video,
    afters: Sequence[Video],
    scorer: "Scorer",
    *,
    seconds: float = SECONDS,
    has_source: bool = True,
    progress: Progress = lambda *_: None,
) -> Iterator[Comparison | NotCompared]:
    """Compare transcodes with their source, which is scored once where lengths allow.

    Yields:
        A Comparison each, in order, or what is wrong with a transcode; see compare.

    Raises:
        VideoError: the source cannot be read.
    """
    source = scorer.read_options.open(before)
    known: dict[tuple[Segment, ...], Timeline] = {}
    for after in afters:
        try:
            found = _compare(source, after, scorer, seconds, progress, known)
            yield replace(found, has_source=has_source)
        except EngineError:
            raise
        except DoverError as error:
            yield NotCompared(_name(after), str(error))
        except MemoryError:
            yield NotCompared(_name(after), f"{_name(after)!r} needs more memory than there is.")


def _name(video: Video) -> str:
    """The path of a video; "frames" for a video in memory."""
    return fspath(video) if isinstance(video, str | PathLike) else name_of(None)


def _compare(
    source: FrameSource,
    after: Video,
    scorer: "Scorer",
    seconds: float,
    progress: Progress,
    known: dict[tuple[Segment, ...], Timeline],
) -> Comparison:
    """One transcode; ``known`` holds the source's timelines by their segments."""
    transcode = scorer.read_options.open(after)
    cuts = common_segments(source.info, transcode.info, seconds)

    def timeline(video: FrameSource, segments: Sequence[Segment]) -> Timeline:
        parts = []
        for part in scorer.timeline(video, segments=segments):
            parts.append(part)
            progress(video.info.path or "", len(parts), len(segments))
        return Timeline(video.info, scorer.settings, parts)

    key = tuple(cuts[0])
    if key not in known:
        known[key] = timeline(source, cuts[0])
    return _comparison(known[key], timeline(transcode, cuts[1]))


def _comparison(before: Timeline, after: Timeline) -> Comparison:
    seconds = [t.info.duration for t in (before, after)]
    warnings = [
        f"{name_of(t.info.path)}: {warning}" for t in (before, after) for warning in t.warnings()
    ]
    if abs(seconds[0] - seconds[1]) > SAME_LENGTH:
        warnings.append(
            f"durations differ: {time_code(seconds[0])} before, {time_code(seconds[1])} after; the "
            "seconds that both have are compared"
        )
    before_size, size = (_bytes(each.info.path) for each in (before, after))
    return Comparison(
        before=before,
        after=after,
        pairs=[Pair(b, a) for b, a in zip(before.segments, after.segments, strict=True)],
        before_size=before_size,
        size=size,
        bitrate=8 * size / seconds[1] if size and not _is_part(after.info) else None,
        warnings=list(dict.fromkeys(warnings)),
    )


def _bytes(path: str | None) -> int | None:
    """Size of a file in bytes; None if there is no such file, as for a URL, or a folder."""
    file = Path(path) if path else None
    return file.stat().st_size if file and file.is_file() else None


def _is_part(info: VideoInfo) -> bool:
    """Whether a part of the file was scored, so that its size does not give a bitrate."""
    return info.options is not None and info.options.part != (None, None)
