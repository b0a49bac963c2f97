"""Frames to the two views that are the input of the networks.

Each sampled frame is reduced to a picture of 224x224 (see pictures.py); 32 of them make a clip.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dover_plugin.errors import VideoError
from dover_plugin.io.memory import DeviceSource
from dover_plugin.io.source import FrameSource, VideoInfo
from dover_plugin.preprocessing.pictures import Picture, Sample, picture
from dover_plugin.preprocessing.sampling import Draw, SamplingRule
from dover_plugin.preprocessing.sampling_rule import DOVER


@dataclass(frozen=True)
class Views:
    """Both views of one video or segment (19 MB); a view without a branch has no clips.

    Attributes:
        technical: (num_clips, clip_len, 224, 224, 3) uint8 RGB mosaics; 128x128 for fast-vqa-m.
        aesthetic: (1, clip_len, 224, 224, 3) uint8 RGB frames.
    """

    technical: Picture
    aesthetic: Picture

    @classmethod
    def blank(cls, rule: SamplingRule = DOVER) -> "Views":
        """Empty views to be filled frame by frame."""
        clips = {"technical": rule.num_clips, "aesthetic": 1}
        return cls(
            **{
                branch: np.zeros((count if branch in rule.branches else 0, *rule.clip_shape), "u1")
                for branch, count in clips.items()
            }
        )

    def place(self, sample: Sample) -> Picture:
        """The slot of a sample in its view, (224, 224, 3)."""
        view = self.technical if sample.branch == "technical" else self.aesthetic
        place: Picture = view[sample.clip, sample.position]
        return place


def samples(draw: Draw) -> list[Sample]:
    """All frames of both views, in the order of their source frames."""
    technical = [
        Sample(int(frame), "technical", clip, position)
        for clip, frames in enumerate(draw.technical)
        for position, frame in enumerate(frames)
    ]
    aesthetic = [Sample(int(frame), "aesthetic", 0, i) for i, frame in enumerate(draw.aesthetic)]
    return sorted(technical + aesthetic)


def build_views(source: FrameSource, draws: Sequence[Draw]) -> list[Views]:
    """The views of a whole video, one per sample; see stream_views."""
    (views,) = stream_views(source, [(0, draws)])
    return views


def stream_views(
    source: FrameSource, segments: Sequence[tuple[int, Sequence[Draw]]]
) -> Iterator[list[Views]]:
    """Read each sampled frame once, in one pass, and reduce it to the frames of all views.

    Args:
        source: frames of the video.
        segments: first frame of each segment, and its samples, counted from there.

    Yields:
        For each segment in the order given, once it and those before it are read, one Views per
        draw.

    Raises:
        VideoError: a frame cannot be decoded.
    """
    wanted: dict[int, list[tuple[int, int, Sample]]] = defaultdict(list)
    missing = [0] * len(segments)
    for number, (start, draws) in enumerate(segments):
        for repeat, draw in enumerate(draws):
            for sample in samples(draw):
                wanted[start + sample.frame].append((number, repeat, sample))
                missing[number] += 1
    unfinished: dict[int, list[Views]] = {}
    due = 0  # the segment to yield next; a segment inside another one is complete earlier
    frames, reduce = _reading(source, sorted(wanted))
    for index, frame in frames:
        made: dict[object, Picture] = {}  # short videos and repeats use a frame several times
        for number, repeat, sample in wanted.pop(index):
            draws = segments[number][1]
            if number not in unfinished:
                unfinished[number] = [Views.blank(each.rule) for each in draws]
            technical = sample.branch == "technical"
            same = (number, repeat, sample.clip) if technical else "aesthetic"
            if same not in made:
                made[same] = reduce(frame, sample, draws[repeat])
            unfinished[number][repeat].place(sample)[:] = made[same]
            missing[number] -= 1
        while due < len(segments) and not missing[due]:
            yield unfinished.pop(due)
            due += 1
    if wanted:
        raise VideoError(
            f"The FrameSource of {source.info.path!r} did not yield frame {min(wanted)} of "
            f"{source.info.num_frames}. It must yield every requested frame."
        )


def _reading(source: FrameSource, indices: Sequence[int]) -> tuple[Iterator[tuple[int, Any]], Any]:
    """Frames, and what reduces one to the frame of a view; a DeviceSource does it on its device."""
    if isinstance(source, DeviceSource):
        from dover_plugin.preprocessing import device_views  # imports torch

        return source.device_frames(indices), device_views.picture
    return _checked_frames(source, indices), picture


def _checked_frames(source: FrameSource, indices: Sequence[int]) -> Iterator[tuple[int, Picture]]:
    for index, frame in source.frames(indices):
        _check_frame(frame, index, source.info)
        yield index, frame


def _check_frame(frame: Picture, index: int, info: VideoInfo) -> None:
    expected = (info.height, info.width, 3)
    if frame.shape != expected or frame.dtype != np.uint8:
        raise VideoError(
            f"Frame {index} of {info.path!r} is {frame.shape} {frame.dtype}, but the video starts "
            f"as {expected} uint8. Split the video where its size changes, or scale it."
        )
