"""Distortions of a clip, by the diagnosis of the core."""

from collections.abc import Iterator, Sequence

import vapoursynth as vs
from av import VideoFrame

from dover_plugin.analysis.diagnosis import Diagnosis
from dover_plugin.analysis.diagnosis import diagnose as diagnose_source
from dover_plugin.io.source import Frame, VideoInfo
from vs_filter.colour import (
    Matrix,
    as_stored,
    checker,
    default_colour,
    readable,
    to_rgb,
    transfer_of,
)
from vs_filter.filter import DEFAULT_SEGMENT, segments_of, vs_errors
from vs_filter.notices import notice
from vs_filter.segments import Segmentation
from vs_filter.selection import select


class ClipSource:
    """The frames of a clip as a FrameSource of the core.

    Args:
        clip: clip of constant format and size.
        matrix: as for dover.
    """

    def __init__(self, clip: vs.VideoNode, matrix: Matrix) -> None:
        fps = float(clip.fps) or None
        self.info = VideoInfo(None, clip.num_frames, clip.height, clip.width, fps, "vapoursynth")
        self._clip, self._default = readable(clip), default_colour(clip, matrix)

    def frames(self, indices: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        """See dover_plugin.FrameSource."""
        for index, frame in self._rendered(indices):
            yield index, to_rgb(frame, self._default)

    def stored(self, indices: Sequence[int]) -> Iterator[tuple[int, VideoFrame]]:
        """See io.stored.StoredSource; HDR frames are tone mapped."""
        for index, frame in self._rendered(indices):
            if transfer_of(frame) is None:
                yield index, as_stored(frame, self._default)
            else:
                rgb = to_rgb(frame, self._default)
                yield index, VideoFrame.from_ndarray(rgb, format="rgb24")

    def _rendered(self, indices: Sequence[int]) -> Iterator[tuple[int, vs.VideoFrame]]:
        if not indices:
            return
        check = checker(notice)
        whole = len(indices) == self._clip.num_frames
        chosen = self._clip if whole else select(self._clip, indices)
        for index, frame in zip(indices, chosen.frames(close=True), strict=True):
            check(frame)
            yield index, frame


@vs_errors
def diagnose(
    clip: vs.VideoNode,
    *,
    segment: Segmentation = DEFAULT_SEGMENT,
    matrix: Matrix = "decord",
) -> Diagnosis:
    """Detect and measure the distortions of a clip; for use from Python, not in a vspipe script.

    All frames are rendered once and measured in the format of the clip, as ``dover diagnose``
    measures those of a file; HDR clips are tone mapped first.

    Args:
        clip: clip of constant format and size.
        segment: as for dover.
        matrix: as for dover.

    Returns:
        The findings of the clip and of its segments; see dover_plugin.diagnose.

    Raises:
        vapoursynth.Error: invalid settings or format, or a frame that cannot be read.
    """
    segments = segments_of(clip, segment, matrix)
    return diagnose_source(ClipSource(clip, matrix), segments=segments)
