"""Scores drawn over a clip, for previewers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import vapoursynth as vs

from dover_plugin import frame_properties as named
from dover_plugin.analysis.segments import Segment
from dover_plugin.grades import LIMITS
from dover_plugin.options import ModelOptions
from vs_filter.colour import Matrix
from vs_filter.filter import DEFAULT_SEGMENT, nodes_of, segments_of, vs_errors
from vs_filter.graph import SegmentNodes
from vs_filter.scorers import choose_scorer
from vs_filter.segments import Segmentation

if TYPE_CHECKING:
    from dover_plugin.scorer import Scorer

HEIGHT = 1 / 8  # of the timeline, as a share of the frame's height
TEXT_ROWS = 360  # rows of a frame for each step of the size of the text
MAX_TEXT_BITS = 16  # of integers that VapourSynth's text filter draws on
# Brightness, as a share of white.
BACKGROUND, GUIDE, BAR, CURRENT, UNKNOWN = 0.06, 0.3, 0.5, 0.95, 0.15


@vs_errors
def dover_overlay(
    clip: vs.VideoNode,
    *,
    segment: Segmentation = DEFAULT_SEGMENT,
    matrix: Matrix = "decord",
    scorer: "Scorer | None" = None,
    **options: Unpack[ModelOptions],
) -> vs.VideoNode:
    """Draw the scores of the segment and a timeline over every frame, for any previewer.

    The timeline shows the overall score of the segments that were scored so far, from 0 at the
    bottom to 1 at the top; lines mark the grades, and the segment of the frame is bright. It fills
    as frames are shown.

    Args and errors: see dover. The frames also carry its properties.

    Returns:
        The clip with text and timeline; its format and size are unchanged.
    """
    segments = segments_of(clip, segment, matrix)
    nodes = nodes_of(clip, segments, choose_scorer("dover_overlay", scorer, options), matrix)
    scored = nodes.broadcast(nodes.scores, named.ALL, prefetch=False)
    form = clip.format
    if form.sample_type == vs.INTEGER and form.bits_per_sample > MAX_TEXT_BITS:
        raise ValueError(
            f"The overlay needs integers of at most {MAX_TEXT_BITS} bits, got {form.name}. Convert "
            "the clip first, for example with core.resize.Bicubic(clip, format=vs.YUV420P8)."
        )
    drawn = vs.core.std.ModifyFrame(scored, scored, _painter(nodes, segments))
    return vs.core.std.FrameEval(drawn, _writer(drawn), prop_src=scored)


def _writer(clip: vs.VideoNode) -> Any:
    def write(n: int, f: vs.VideoFrame) -> vs.VideoNode:
        del n
        props = f.props
        scores = named.SCORES.items()
        lines = [f"{score} {props[name]:.3f}\n" for score, name in scores if name in props]
        text = "".join(lines) + (
            f"segment {props[named.SEGMENT]}: frames "
            f"{props[named.START]} to {int(props[named.END]) - 1}"
        )
        return clip.text.Text(text, alignment=7, scale=max(1, clip.height // TEXT_ROWS))

    return write


def _painter(nodes: SegmentNodes, segments: Sequence[Segment]) -> Any:
    total = segments[-1].end

    def paint(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        out = f.copy()
        height = max(1, round(out.height * HEIGHT))
        strip = np.full((height, out.width), BACKGROUND, np.float32)
        for number, (start, end) in enumerate(segments):
            left, right = (out.width * frame // total for frame in (start, end))
            score = nodes.main(number)
            rows = 1 if score is None else max(1, round(score * height))
            shade = CURRENT if start <= n < end else BAR if score is not None else UNKNOWN
            strip[height - rows :, left : max(left + 1, right)] = shade
        for line in LIMITS:
            row = height - 1 - round(line * (height - 1))
            strip[row] = (strip[row] + GUIDE) / 2
        now = min(out.width - 1, out.width * n // total)
        strip[:, now] = CURRENT
        integer = f.format.sample_type == vs.INTEGER
        white = 2**f.format.bits_per_sample - 1 if integer else 1.0
        for plane in range(f.format.num_planes):
            pixels = np.asarray(out[plane])
            if plane and f.format.color_family == vs.YUV:  # grey has no colour
                rows = -(-height >> f.format.subsampling_h)
                pixels[-rows:] = (white + 1) / 2 if integer else 0.0
            else:
                pixels[-height:] = (strip * white).astype(pixels.dtype)
        return out

    return paint
