"""The filter as a graph of nodes.

No callback requests a frame. SelectEvery gathers the sampled frames, and each is reduced to
224x224. All frames of a segment are inputs of one ModifyFrame, whose callback runs the network.
CopyFrameProps copies the scores to the clip without Python code.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import cache, wraps
from typing import Any, NamedTuple, Unpack

import numpy as np
import vapoursynth as vs

from dover_plugin.analysis.segments import Segment
from dover_plugin.errors import DoverError
from dover_plugin.io.source import VideoInfo
from dover_plugin.options import ModelOptions, check_names
from dover_plugin.preprocessing.sampling import Draw, draws
from dover_plugin.preprocessing.views import Sample, Views, samples
from dover_plugin.scorer import Scorer
from dover_plugin.scores import Scores
from vs_filter.frames import Matrix, Notices, check_clip, gather_pictures, select
from vs_filter.segments import Segmentation, find_segments

PROPS = (
    "DoverOverall",
    "DoverTechnical",
    "DoverAesthetic",
    "DoverTechnicalRaw",
    "DoverAestheticRaw",
    "DoverSegment",
    "DoverSegmentStart",
    "DoverSegmentEnd",
    "DoverModel",
    "DoverFusion",
    "DoverWeights",
)
DIFFERENCES = ("DoverOverall", "DoverTechnical", "DoverAesthetic")
DIFFERENCE_PROPS = tuple(f"{name}Difference" for name in DIFFERENCES)
DEFAULT_SEGMENT = 240
"""Segment length in frames: about ten seconds, as in the training data of DOVER."""


def _vs_errors[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Convert errors of the core into vapoursynth.Error."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (DoverError, ValueError) as error:
            raise vs.Error(f"dover: {error}") from None

    return call


@_vs_errors
def dover(
    clip: vs.VideoNode,
    *,
    segment: Segmentation = DEFAULT_SEGMENT,
    matrix: Matrix = "decord",
    scorer: Scorer | None = None,
    props: Sequence[str] = PROPS,
    **options: Unpack[ModelOptions],
) -> vs.VideoNode:
    """Attach the quality of its segment to every frame.

    Pixels and format are unchanged. A segment is scored once, when one of its frames is requested.

    Args:
        clip: clip of constant format and size.
        segment: frames per segment, "10s", "scenes", a list of first frames, or a file; see
            segments.find_segments. A remainder shorter than half a segment joins the last segment.
        matrix: matrix of frames without _Matrix: "decord" (BT.601) or "resolution" (BT.709 from 720
            rows).
        scorer: scorer to use in place of a new one; filters may share it.
        props: names of the frame properties to write; see PROPS.
        options: settings of dover_plugin.Scorer: model, device, weights, fusion, seed, repeats,
            engine and precision.

    Returns:
        The clip with frame properties; scores are in [0, 1].

    Raises:
        vapoursynth.Error: invalid settings, weights or format.
    """
    props = _check_props(props)
    check_clip(clip, matrix)
    segments = find_segments(clip, segment)
    scorer = scorer or _make_scorer("dover", options)
    return _broadcast(clip, _score(clip, segments, scorer, matrix), segments, props)


@_vs_errors
def dover_segments(
    clip: vs.VideoNode,
    *,
    segment: Segmentation = DEFAULT_SEGMENT,
    matrix: Matrix = "decord",
    scorer: Scorer | None = None,
    **options: Unpack[ModelOptions],
) -> vs.VideoNode:
    """Return one small frame per segment with its properties, at the cost of one decode.

    Args and errors: see dover.

    Returns:
        A 16x16 GRAY8 clip with one frame per segment.
    """
    check_clip(clip, matrix)
    segments = find_segments(clip, segment)
    scorer = scorer or _make_scorer("dover_segments", options)
    return _score(clip, segments, scorer, matrix)


@_vs_errors
def dover_compare(
    before: vs.VideoNode,
    after: vs.VideoNode,
    *,
    segment: Segmentation = DEFAULT_SEGMENT,
    matrix: Matrix = "decord",
    scorer: Scorer | None = None,
    **options: Unpack[ModelOptions],
) -> vs.VideoNode:
    """Score both clips on the segments of ``before``; sizes, crops and formats may differ.

    Args and errors: see dover. Both clips must have the same number of frames.

    Returns:
        ``after`` with its properties and, after minus before, DoverOverallDifference,
        DoverTechnicalDifference and DoverAestheticDifference; negative values are losses.
    """
    for clip in (before, after):
        check_clip(clip, matrix)
    if before.num_frames != after.num_frames:
        raise ValueError(
            f"before has {before.num_frames} frames and after {after.num_frames}. Trim both clips "
            "to equal length with std.Trim."
        )
    segments = find_segments(before, segment)
    scorer = scorer or _make_scorer("dover_compare", options)
    nodes = [_score(clip, segments, scorer, matrix) for clip in (before, after)]

    def subtract(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        del n
        out = f[1].copy()
        for name, difference in zip(DIFFERENCES, DIFFERENCE_PROPS, strict=True):
            out.props[difference] = _number(f[1].props[name]) - _number(f[0].props[name])
        return out

    compared = vs.core.std.ModifyFrame(nodes[1], nodes, subtract)
    return _broadcast(after, compared, segments, (*PROPS, *DIFFERENCE_PROPS))


def _make_scorer(caller: str, options: ModelOptions) -> Scorer:
    check_names(options, ModelOptions, caller)
    return Scorer(**options)


def _check_props(props: Iterable[str]) -> tuple[str, ...]:
    names = (props,) if isinstance(props, str) else tuple(props)
    unknown = [name for name in names if name not in PROPS]
    if unknown or not names:
        got = f"unknown property {unknown[0]!r}" if unknown else "no property"
        raise ValueError(f"props names {got}. Choose from {', '.join(PROPS)}.")
    return names


class _Pick(NamedTuple):
    """One sampled frame of a segment, its sample and its repeat."""

    sample: Sample
    draw: Draw
    repeat: int


def _score(
    clip: vs.VideoNode, segments: Sequence[Segment], scorer: Scorer, matrix: Matrix
) -> vs.VideoNode:
    """One small frame per segment with the scores as properties."""
    core, notice = vs.core, Notices()

    @cache  # most segments are equally long
    def picks(num_frames: int) -> list[_Pick]:
        settings = scorer.settings
        chosen = draws(
            num_frames, clip.height, clip.width, seed=settings.seed, repeats=settings.repeats
        )
        every = [
            _Pick(sample, draw, r) for r, draw in enumerate(chosen) for sample in samples(draw)
        ]
        return sorted(every, key=lambda pick: pick.sample.frame)

    per_segment = len(picks(segments[0].end - segments[0].start))
    frames = [s.start + p.sample.frame for s in segments for p in picks(s.end - s.start)]

    def pick(i: int) -> tuple[Sample, Draw]:
        segment = segments[i // per_segment]
        chosen = picks(segment.end - segment.start)[i % per_segment]
        return chosen.sample, chosen.draw

    gathered = gather_pictures(clip, frames, pick, matrix, notice)
    columns = [
        core.std.SelectEvery(gathered, cycle=per_segment, offsets=[i], modify_duration=False)
        for i in range(per_segment)
    ]
    tiny = core.std.BlankClip(width=16, height=16, format=vs.GRAY8, length=len(segments), keep=True)
    done: dict[int, dict[str, Any]] = {}  # failures are not cached, so that a new request retries
    locks = [threading.Lock() for _ in segments]

    def run(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        with locks[n]:
            if n not in done:
                segment = segments[n]
                views = [Views.blank() for _ in range(scorer.settings.repeats)]
                for chosen, frame in zip(picks(segment.end - segment.start), f[1:], strict=True):
                    place = views[chosen.repeat].place(chosen.sample)
                    for plane in range(3):
                        place[..., plane] = np.asarray(frame[plane])
                info = VideoInfo(
                    f"frames {segment.start} to {segment.end - 1}",
                    segment.end - segment.start,
                    clip.height,
                    clip.width,
                    float(clip.fps) or None,
                    "vapoursynth",
                )
                try:
                    scores = scorer.score_views(info, views)
                except DoverError as error:
                    raise vs.Error(f"dover: {error}") from None
                for warning in scores.warnings:
                    notice(warning)
                done[n] = _props(n, segment, scores)
        return remember(n, f[0])

    def remember(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        out = f.copy()
        for name, value in done[n].items():
            out.props[name] = value
        return out

    heavy = core.std.ModifyFrame(tiny, [tiny, *columns], run)
    light = core.std.ModifyFrame(tiny, tiny, remember)
    # A scored segment must not request its frames again after the cache was emptied.
    return core.std.FrameEval(
        tiny, lambda n: light if n in done else heavy, clip_src=[light, heavy]
    )


def _props(n: int, segment: Segment, scores: Scores) -> dict[str, Any]:
    return {
        "DoverOverall": scores.overall,
        "DoverTechnical": scores.technical,
        "DoverAesthetic": scores.aesthetic,
        "DoverTechnicalRaw": scores.raw.technical,
        "DoverAestheticRaw": scores.raw.aesthetic,
        "DoverSegment": n,
        "DoverSegmentStart": segment.start,
        "DoverSegmentEnd": segment.end,
        "DoverModel": scores.model,
        "DoverFusion": scores.fusion,
        "DoverWeights": scores.settings.weights_sha256,
    }


def _broadcast(
    clip: vs.VideoNode,
    scores: vs.VideoNode,
    segments: Sequence[Segment],
    props: Sequence[str],
) -> vs.VideoNode:
    """Copy the properties of each segment's small frame to all frames of the segment."""
    segment_of_frame = [n for n, s in enumerate(segments) for _ in range(s.start, s.end)]
    return vs.core.std.CopyFrameProps(clip, select(scores, segment_of_frame), props=list(props))


def _number(value: object) -> float:
    return float(value)  # type: ignore[arg-type]
