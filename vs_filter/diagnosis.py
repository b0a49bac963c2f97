"""Distortions of a clip, by the diagnosis of the core."""

from collections.abc import Iterator, Sequence

import vapoursynth as vs

from dover_plugin.analysis.diagnosis import Diagnosis
from dover_plugin.analysis.diagnosis import diagnose as diagnose_source
from dover_plugin.io.source import Frame, VideoInfo
from vs_filter.colour import Matrix, checker, default_colour, readable, to_rgb
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
        if not indices:
            return
        check = checker(notice)
        whole = len(indices) == self._clip.num_frames
        chosen = self._clip if whole else select(self._clip, indices)
        for index, frame in zip(indices, chosen.frames(close=True), strict=True):
            check(frame)
            yield index, to_rgb(frame, self._default)


@vs_errors
def diagnose(
    clip: vs.VideoNode,
    *,
    segment: Segmentation = DEFAULT_SEGMENT,
    matrix: Matrix = "decord",
) -> Diagnosis:
    """Detect and measure the distortions of a clip; for use from Python, not in a vspipe script.

    All frames are rendered once. They are measured as RGB, so values of files may differ slightly
    from those of ``dover diagnose``, which measures the planes that are stored.

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
