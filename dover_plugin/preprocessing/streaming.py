"""Frames of a video to the views of its segments, in one pass."""

from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from dover_plugin.errors import VideoError
from dover_plugin.io.memory import DeviceSource
from dover_plugin.io.source import FrameSource, VideoInfo
from dover_plugin.preprocessing.bars import Bars, Part, bars_of
from dover_plugin.preprocessing.pictures import Picture, Sample, picture
from dover_plugin.preprocessing.sampling import Draw
from dover_plugin.preprocessing.views import Assembly, Cuts, Views, samples

type Span = tuple[int, Sequence[Draw]]  # first frame of a segment, and its samples


def build_views(source: FrameSource, draws: Sequence[Draw]) -> list[Views]:
    """The views of a whole video, one per sample; see stream_views."""
    (views,) = stream_views(source, [(0, draws)])
    return views


def stream_views(source: FrameSource, segments: Sequence[Span]) -> Iterator[list[Views]]:
    """Read the sampled frames in one pass, and reduce them to the frames of all views.

    Frames whose part in the view changes while others are read (see views.Cuts) are read again.

    Args:
        source: frames of the video.
        segments: first frame of each segment, and its samples, counted from there.

    Yields:
        For each segment in the order given, once it and those before it are read, one Views per
        draw.

    Raises:
        VideoError: a frame cannot be decoded.
    """
    reader = _reader(source)
    cut_bars = any(draw.rule.cut_bars for _, draws in segments for draw in draws)
    wanted: dict[int, list[tuple[int, int, Sample]]] = defaultdict(list)
    missing = [0] * len(segments)
    for number, (start, draws) in enumerate(segments):
        for repeat, draw in enumerate(draws):
            for sample in samples(draw):
                wanted[start + sample.frame].append((number, repeat, sample))
                missing[number] += 1
    unfinished: dict[int, tuple[Assembly, Cuts]] = {}
    due = 0  # the segment to yield next; a segment inside another one is complete earlier
    frames = reader.frames(sorted(wanted))
    for index, frame in frames:
        made: dict[object, Picture] = {}  # short videos and repeats use a frame several times
        bars = reader.bars_of(frame) if cut_bars else None
        for number, repeat, sample in wanted.pop(index):
            draws = segments[number][1]
            if number not in unfinished:
                cuts = Cuts(draws[0].rule, source.info.height, source.info.width)
                unfinished[number] = Assembly(draws, cuts), cuts
            assembly, cuts = unfinished[number]
            cuts.see(repeat, sample.branch, bars)
            part = cuts.part(repeat, sample.branch)
            same = (number, repeat, sample.clip) if sample.branch == "technical" else None
            if (same, part) not in made:
                made[same, part] = reader.reduce(frame, sample, draws[repeat], part)
            assembly.place(repeat, sample, part, made[same, part])
            missing[number] -= 1
        if not wanted:
            frames.close()  # so that no two decoders are open
        while due < len(segments) and not missing[due]:
            assembly, cuts = unfinished.pop(due)
            _make_again(reader, assembly, cuts, segments[due])
            yield assembly.finished()
            due += 1


def _make_again(reader: "_Reader", assembly: Assembly, cuts: Cuts, segment: Span) -> None:
    """Make the outdated pictures of a segment from frames that are read a second time."""
    start, draws = segment
    wanted: dict[int, list[tuple[int, Sample]]] = defaultdict(list)
    for repeat, sample in assembly.outdated():
        wanted[start + sample.frame].append((repeat, sample))
    for index, frame in reader.frames(sorted(wanted)) if wanted else ():
        made: dict[object, Picture] = {}
        for repeat, sample in wanted[index]:
            part = cuts.part(repeat, sample.branch)
            same = (repeat, sample.branch, sample.clip)
            if same not in made:
                made[same] = reader.reduce(frame, sample, draws[repeat], part)
            assembly.place(repeat, sample, part, made[same])


class _Reader(NamedTuple):
    """How frames are read and reduced.

    Attributes:
        frames: yields (index, frame) for ascending indices.
        bars_of: see bars.bars_of.
        reduce: see pictures.picture.
    """

    frames: Callable[[Sequence[int]], Generator[tuple[int, Any]]]
    bars_of: Callable[[Any], Bars | None]
    reduce: Callable[[Any, Sample, Draw, Part], Picture]


def _reader(source: FrameSource) -> _Reader:
    """A DeviceSource reduces its frames on its device."""
    if isinstance(source, DeviceSource):
        from dover_plugin.preprocessing import device_views  # imports torch

        return _Reader(source.device_frames, device_views.bars_of, device_views.picture)
    return _Reader(partial(_checked_frames, source), bars_of, picture)


def _checked_frames(source: FrameSource, indices: Sequence[int]) -> Generator[tuple[int, Picture]]:
    missing = set(indices)
    for index, frame in source.frames(indices):
        _check_frame(frame, index, source.info)
        missing.discard(index)
        yield index, frame
    if missing:
        raise VideoError(
            f"The FrameSource of {source.info.path!r} did not yield frame {min(missing)} of "
            f"{source.info.num_frames}. It must yield every requested frame."
        )


def _check_frame(frame: Picture, index: int, info: VideoInfo) -> None:
    expected = (info.height, info.width, 3)
    if frame.shape != expected or frame.dtype != np.uint8:
        raise VideoError(
            f"Frame {index} of {info.path!r} is {frame.shape} {frame.dtype}, but the video starts "
            f"as {expected} uint8. Split the video where its size changes, or scale it."
        )
