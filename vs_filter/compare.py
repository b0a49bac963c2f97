"""Quality of encodes against their source."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Unpack, overload

import vapoursynth as vs

from dover_plugin import frame_properties as named
from dover_plugin.options import ModelOptions
from vs_filter.colour import MATRICES, UNKNOWN, Colour, Matrix
from vs_filter.filter import DEFAULT_SEGMENT, nodes_of, segments_of, vs_errors
from vs_filter.graph import SegmentNodes, check_clip
from vs_filter.notices import notice
from vs_filter.scorers import SegmentScorer, choose_scorer
from vs_filter.segments import Segmentation, names_chunks

if TYPE_CHECKING:
    from dover_plugin.scorer import Scorer


@overload
def dover_compare(
    before: vs.VideoNode,
    after: vs.VideoNode,
    *,
    segment: Segmentation = ...,
    matrix: Matrix = ...,
    prefetch: bool | None = ...,
    scorer: "Scorer | None" = ...,
    **options: Unpack[ModelOptions],
) -> vs.VideoNode: ...
@overload
def dover_compare(  # type: ignore[overload-cannot-match] # VideoNode is Any to mypy
    before: vs.VideoNode,
    after: Sequence[vs.VideoNode],
    *,
    segment: Segmentation = ...,
    matrix: Matrix = ...,
    prefetch: bool | None = ...,
    scorer: "Scorer | None" = ...,
    **options: Unpack[ModelOptions],
) -> list[vs.VideoNode]: ...
@vs_errors
def dover_compare(
    before: vs.VideoNode,
    after: vs.VideoNode | Sequence[vs.VideoNode],
    *,
    segment: Segmentation = DEFAULT_SEGMENT,
    matrix: Matrix = "decord",
    prefetch: bool | None = None,
    scorer: "Scorer | None" = None,
    **options: Unpack[ModelOptions],
) -> vs.VideoNode | list[vs.VideoNode]:
    """Score clips on the segments of ``before``; sizes, crops and formats may differ.

    If only one of two clips states a matrix or range in its first frame, the other clip is read
    with it, and a notice says so.

    Args:
        before: the source. It is scored once, however many encodes are compared with it.
        after: an encode or a list of encodes, with the source's number of frames.
        segment: see dover.
        matrix: see dover.
        prefetch: see dover; both clips are scored ahead.
        scorer: see dover.
        options: see dover.

    Returns:
        ``after`` with its properties and, after minus before, DoverOverallDifference,
        DoverTechnicalDifference and DoverAestheticDifference; negative values are losses. A list
        for a list.

    Raises:
        vapoursynth.Error: see dover; or numbers of frames that differ.
    """
    one = isinstance(after, vs.VideoNode)
    clips = [after] if isinstance(after, vs.VideoNode) else after
    chosen = choose_scorer("dover_compare", scorer, options)
    compared = _compare(before, clips, segment, matrix, chosen)
    ahead = not names_chunks(segment) if prefetch is None else prefetch
    props = (*named.ALL, *named.DIFFERENCES.values())
    found = [
        new.broadcast(scores, props, prefetch=ahead, also=[old]) for old, new, scores in compared
    ]
    return found[0] if one else found


@overload
def dover_compare_segments(
    before: vs.VideoNode,
    after: vs.VideoNode,
    *,
    segment: Segmentation = ...,
    matrix: Matrix = ...,
    scorer: "Scorer | None" = ...,
    **options: Unpack[ModelOptions],
) -> vs.VideoNode: ...
@overload
def dover_compare_segments(  # type: ignore[overload-cannot-match]
    before: vs.VideoNode,
    after: Sequence[vs.VideoNode],
    *,
    segment: Segmentation = ...,
    matrix: Matrix = ...,
    scorer: "Scorer | None" = ...,
    **options: Unpack[ModelOptions],
) -> list[vs.VideoNode]: ...
@vs_errors
def dover_compare_segments(
    before: vs.VideoNode,
    after: vs.VideoNode | Sequence[vs.VideoNode],
    *,
    segment: Segmentation = DEFAULT_SEGMENT,
    matrix: Matrix = "decord",
    scorer: "Scorer | None" = None,
    **options: Unpack[ModelOptions],
) -> vs.VideoNode | list[vs.VideoNode]:
    """Return one small frame per segment with the properties of dover_compare.

    Only sampled frames are converted. Args and errors: see dover_compare.

    Returns:
        A clip as from dover_segments; a list for a list.
    """
    one = isinstance(after, vs.VideoNode)
    clips = [after] if isinstance(after, vs.VideoNode) else after
    chosen = choose_scorer("dover_compare_segments", scorer, options)
    found = [scores for _, _, scores in _compare(before, clips, segment, matrix, chosen)]
    return found[0] if one else found


def _compare(
    before: vs.VideoNode,
    afters: Sequence[vs.VideoNode],
    segment: Segmentation,
    matrix: Matrix,
    scorer: SegmentScorer,
) -> list[tuple[SegmentNodes, SegmentNodes, vs.VideoNode]]:
    """For each encode the source's nodes, its own, and one small frame per segment."""
    if not isinstance(afters, Sequence) or not afters:
        raise ValueError(f"after must be a VideoNode or a list of them, got {afters!r}.")
    segments = segments_of(before, segment, matrix)
    sources: dict[Colour, SegmentNodes] = {}  # encodes may add different colours to the source
    compared = []
    for after in afters:
        check_clip(after)
        if before.num_frames != after.num_frames:
            raise ValueError(
                f"before has {before.num_frames} frames and after {after.num_frames}. Trim both "
                "clips to equal length with std.Trim."
            )
        of_before, of_after = _shared_colour(before, after)
        if of_before not in sources:
            sources[of_before] = nodes_of(before, segments, scorer, matrix, of_before)
        new = nodes_of(after, segments, scorer, matrix, of_after)
        old = sources[of_before]
        scores = vs.core.std.ModifyFrame(new.scores, [old.scores, new.scores], _subtract)
        compared.append((old, new, scores))
    return compared


def _subtract(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
    del n
    out = f[1].copy()
    for name, difference in zip(named.SCORES.values(), named.DIFFERENCES.values(), strict=True):
        if name in f[1].props:
            out.props[difference] = _number(f[1].props[name]) - _number(f[0].props[name])
    return out


def _shared_colour(before: vs.VideoNode, after: vs.VideoNode) -> tuple[Colour, Colour]:
    """The colour of frames that state none: what the first frame of the other clip states."""
    first, second = _stated(before), _stated(after)
    for mine, other, name in zip(first, second, Colour._fields, strict=True):
        if mine != other and Colour._field_defaults[name] in (mine, other):
            notice(
                f"only one of the compared clips states its {name.replace('_', ' ')}; the other "
                "is read with the same"
            )
    return (second if first.matrix == UNKNOWN or first.full_range is None else Colour()), first


def _stated(clip: vs.VideoNode) -> Colour:
    with clip.get_frame(0) as frame:
        colour = Colour.of(frame)
    readable = clip.format.color_family == vs.YUV and colour.matrix in (UNKNOWN, *MATRICES)
    return colour if readable else Colour()


def _number(value: object) -> float:
    return float(value)  # type: ignore[arg-type]
