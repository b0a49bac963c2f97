"""Frames to the two views that are the input of the networks.

The seam for every surface is one frame in, one 224x224 picture out, uint8 RGB both:
technical_mosaic and aesthetic_picture. 32 of them make a clip. NumPy alone
does it, so that processes which read videos start at once.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dover_plugin.errors import VideoError
from dover_plugin.io.memory import DeviceSource
from dover_plugin.io.source import FrameSource, VideoInfo
from dover_plugin.preprocessing.geometry import corners, enlarged_size, taps
from dover_plugin.preprocessing.sampling import (
    CLIP_LEN,
    FRAGMENT,
    GRID,
    NUM_CLIPS,
    VIEW,
    Branch,
    Draw,
)

type Picture = NDArray[np.uint8]


class Sample(NamedTuple):
    """One frame of a view.

    Attributes:
        frame: index of the source frame.
        branch: branch that the view belongs to.
        clip: index of the clip in the view.
        position: index of the frame in the clip.
    """

    frame: int
    branch: Branch
    clip: int
    position: int


@dataclass(frozen=True)
class Views:
    """Both views of one video or segment (19 MB).

    Attributes:
        technical: (num_clips, clip_len, 224, 224, 3) uint8 RGB mosaics.
        aesthetic: (1, clip_len, 224, 224, 3) uint8 RGB frames.
    """

    technical: Picture
    aesthetic: Picture

    @classmethod
    def blank(cls, num_clips: int = NUM_CLIPS, clip_len: int = CLIP_LEN) -> "Views":
        """Empty views to be filled frame by frame."""
        shape = (clip_len, VIEW, VIEW, 3)
        return cls(np.zeros((num_clips, *shape), np.uint8), np.zeros((1, *shape), np.uint8))

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


def picture(frame: Picture, sample: Sample, draw: Draw) -> Picture:
    """Reduce a frame (H, W, C) to the frame of the view (224, 224, C)."""
    if sample.branch == "technical":
        return technical_mosaic(frame, draw.offsets[sample.clip])
    return aesthetic_picture(frame)


def technical_mosaic(frame: Picture, offsets: NDArray[np.int64]) -> Picture:
    """Splice 7x7 fragments of 32x32 pixels at native resolution into one mosaic.

    Args:
        frame: (H, W, C); enlarged first if its short side is below 224.
        offsets: (7, 7, 2), see sampling.Draw.

    Returns:
        (224, 224, C).

    Raises:
        VideoError: the frame is too narrow a strip to enlarge.
    """
    height, width = enlarged_size(*frame.shape[:2])
    if (height, width) != frame.shape[:2]:
        frame = _bilinear(frame, height, width).astype(np.uint8)  # truncated, as in the reference
    mosaic = np.empty((VIEW, VIEW, frame.shape[2]), np.uint8)
    fragments = corners(height, width, offsets)
    for i in range(GRID):
        for j in range(GRID):
            top, left = fragments[i, j]
            mosaic[i * FRAGMENT : (i + 1) * FRAGMENT, j * FRAGMENT : (j + 1) * FRAGMENT] = frame[
                top : top + FRAGMENT, left : left + FRAGMENT
            ]
    return mosaic


def aesthetic_picture(frame: Picture, height: int = VIEW, width: int = VIEW) -> Picture:
    """Resize the whole frame: bilinear, **not** antialiased, as in training.

    Only the pixels that the 224x224 samples touch are read, so a 4K frame costs no more than a
    small one. Equal to ``torch.nn.functional.interpolate`` in float32, rounded to uint8.

    Args:
        frame: (H, W, C).
        height: height of the result in pixels.
        width: width of the result in pixels.

    Returns:
        (height, width, C).
    """
    return np.rint(_bilinear(frame, height, width)).astype(np.uint8)


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
                unfinished[number] = [Views.blank(*each.technical.shape) for each in draws]
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


def _bilinear(frame: Picture, height: int, width: int) -> NDArray[np.float32]:
    """Equal to torch's interpolate on several threads, whatever the number of threads.

    On one thread torch takes another way, and a pixel in some thousands then differs by one.

    Returns:
        (height, width, C).
    """
    top, bottom, down = taps(frame.shape[0], height)
    left, right, across = taps(frame.shape[1], width)

    def row(index: NDArray[np.int64]) -> NDArray[np.float32]:
        line = frame[index]
        near, far = line[:, left].astype(np.float32), line[:, right].astype(np.float32)
        return _blend(near, far, across[None, :, None])

    return _blend(row(top), row(bottom), down[:, None, None])


def _blend(
    near: NDArray[np.float32], far: NDArray[np.float32], weight: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Linear interpolation, rounded as torch's kernels do: one product to float32, one fused."""
    product = near.astype(np.float64) * (np.float32(1) - weight)
    blended: NDArray[np.float32] = (product + far * weight).astype(np.float32)
    return blended
