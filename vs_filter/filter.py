"""The functions of the filter: quality as frame properties."""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import wraps
from typing import TYPE_CHECKING, Any, Unpack

import vapoursynth as vs

from dover_plugin import frame_properties as named
from dover_plugin.analysis.segments import Segment
from dover_plugin.errors import DoverError
from dover_plugin.options import ModelOptions
from dover_plugin.scores import Scores
from vs_filter.colour import Colour, Matrix, default_colour
from vs_filter.graph import SegmentNodes, check_clip
from vs_filter.scorers import SegmentScorer, choose_scorer
from vs_filter.segments import Segmentation, find_segments, names_chunks

if TYPE_CHECKING:
    from dover_plugin.scorer import Scorer

SHORT_HASH = 12  # characters of the SHA-256 in DoverWeights
DEFAULT_SEGMENT = 240
"""Segment length in frames: about ten seconds, as in the training data of DOVER."""


def vs_errors[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Convert errors of the core into vapoursynth.Error."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (DoverError, ValueError) as error:
            raise vs.Error(f"dover: {error}") from None

    return call


@vs_errors
def dover(
    clip: vs.VideoNode,
    *,
    segment: Segmentation = DEFAULT_SEGMENT,
    overlap: int | str = 0,
    matrix: Matrix = "decord",
    prefetch: bool | None = None,
    scorer: "Scorer | None" = None,
    props: Sequence[str] = named.ALL,
    **options: Unpack[ModelOptions],
) -> vs.VideoNode:
    """Attach the quality of its segment to every frame.

    Pixels and format are unchanged. A segment is scored once, when one of its frames is requested.

    Args:
        clip: clip of constant format and size.
        segment: frames per segment, "10s", "scenes", a list of first frames, or a file; see
            segments.find_segments. A remainder shorter than half a segment joins the last segment.
        overlap: frames or seconds ("1s") that segments of a fixed length share. Scores then change
            from frame to frame: they are interpolated between the centres of the segments.
        matrix: matrix of frames without _Matrix: "decord" (BT.601) or "resolution" (BT.709 from 720
            rows).
        prefetch: score the next segment in the background while frames of this one leave. By
            default it is on, but off for an av1an scenes file, whose chunks are processes of their
            own.
        scorer: scorer to use in place of a new one. Filters with equal settings share one anyway.
        props: names of the frame properties to write; see vs_filter.PROPS.
        options: settings of dover_plugin.Scorer: model, device, weights, fusion, seed, repeats,
            engine and precision.

    Returns:
        The clip with frame properties; scores are in [0, 1].

    Raises:
        vapoursynth.Error: invalid settings, weights or format.
    """
    props = _check_props(props)
    segments = segments_of(clip, segment, matrix, overlap)
    ahead = not names_chunks(segment) if prefetch is None else prefetch
    nodes = nodes_of(clip, segments, choose_scorer("dover", scorer, options), matrix)
    return nodes.broadcast(nodes.scores, props, prefetch=ahead)


@vs_errors
def dover_segments(
    clip: vs.VideoNode,
    *,
    segment: Segmentation = DEFAULT_SEGMENT,
    overlap: int | str = 0,
    matrix: Matrix = "decord",
    scorer: "Scorer | None" = None,
    **options: Unpack[ModelOptions],
) -> vs.VideoNode:
    """Return one small frame per segment with its properties, at the cost of about one decode.

    Args and errors: see dover.

    Returns:
        A 16x16 GRAY8 clip with one frame per segment. Its frame rate is that of the clip; the
        properties _AbsoluteTime and _DurationNum / _DurationDen are the time of the segment.
    """
    segments = segments_of(clip, segment, matrix, overlap)
    return nodes_of(clip, segments, choose_scorer("dover_segments", scorer, options), matrix).scores


def segments_of(
    clip: vs.VideoNode, segment: Segmentation, matrix: str, overlap: int | str = 0
) -> list[Segment]:
    """The segments of a clip, after checks of its format and of the settings."""
    check_clip(clip)
    if matrix not in ("decord", "resolution"):
        raise ValueError(f"Invalid matrix {matrix!r}; use 'decord' or 'resolution'.")
    return find_segments(clip, segment, overlap)


def nodes_of(
    clip: vs.VideoNode,
    segments: Sequence[Segment],
    scorer: SegmentScorer,
    matrix: Matrix,
    colour: Colour | None = None,
) -> SegmentNodes:
    """The nodes of a clip; ``colour`` is that of frames that state none, before the rule."""
    default = (colour or Colour()).or_else(default_colour(clip, matrix))
    rate = clip.fps

    def props(n: int, segment: Segment, scores: Scores) -> dict[str, Any]:
        return _props(n, segment, scores) | _times(segment, rate)

    return SegmentNodes(clip, segments, scorer, default, props)


def _check_props(props: Iterable[str]) -> tuple[str, ...]:
    if not isinstance(props, Iterable):
        raise ValueError(f"props must be names of properties, got {props!r}.")
    wanted = (props,) if isinstance(props, str) else tuple(props)
    unknown = [name for name in wanted if name not in named.ALL]
    if unknown or not wanted:
        got = f"unknown property {unknown[0]!r}" if unknown else "no property"
        raise ValueError(f"props names {got}. Choose from {', '.join(named.ALL)}.")
    return wanted


def _props(n: int, segment: Segment, scores: Scores) -> dict[str, Any]:
    """Properties of a segment; a score that is None has none."""
    values = {
        named.SEGMENT: n,
        named.START: segment.start,
        named.END: segment.end,
        named.MODEL: scores.model,
        named.FUSION: scores.fusion,
        named.WEIGHTS: scores.settings.weights_sha256[:SHORT_HASH],
    }
    values |= {name: getattr(scores, score) for score, name in named.SCORES.items()}
    values |= {name: getattr(scores.raw, branch) for branch, name in named.RAW.items()}
    return {name: value for name, value in values.items() if value is not None}


def _times(segment: Segment, rate: Fraction) -> dict[str, Any]:
    """Time and duration of a small frame; nothing for a clip without a constant frame rate."""
    if not rate:
        return {}
    duration = (segment.end - segment.start) / rate
    return {
        "_AbsoluteTime": float(segment.start / rate),
        "_DurationNum": duration.numerator,
        "_DurationDen": duration.denominator,
    }
