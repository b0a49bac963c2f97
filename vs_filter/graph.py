"""The filter as a graph of nodes.

No callback requests a frame. SelectEvery gathers the sampled frames, and each is reduced to the
size of the views. All frames of a segment are inputs of one ModifyFrame, which starts the network;
another one waits for it. If the black bars of the segment turn out to be thinner than its first
frames let expect, its frames are requested and reduced once more. CopyFrameProps copies the scores
to the clip without Python code.

The first half of a segment's frames also requests the samples of the next segment. The network
then runs in the background while the second half leaves.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import vapoursynth as vs

from dover_plugin.analysis.segments import Segment
from dover_plugin.errors import DoverError
from dover_plugin.io.source import VideoInfo
from dover_plugin.preprocessing.bars import Bars, bars_of
from dover_plugin.preprocessing.pictures import enlarged_size, picture
from dover_plugin.scores import Scores
from dover_plugin.text import described
from vs_filter.colour import Colour, checker, readable, to_rgb
from vs_filter.curve import interpolate, overlapping, owned_frames
from vs_filter.notices import notice
from vs_filter.scorers import SegmentScorer
from vs_filter.scoring import Jobs, Plan, Reduced
from vs_filter.selection import select

BATCHES = 32  # requests for the samples of the next segment
LATE = 4  # parts of a segment after the batches, in which missing samples are requested
SLOTS = 2 * (BATCHES + 1)  # parts of a segment; the second to the middle one request a batch each
PART, BARS = "DoverPart", "DoverBars"  # of a sample: four bounds; rows and columns
BESTSOURCE = "RepeatField"  # property by which frames of BestSource, with four decoders, are known


def check_clip(clip: vs.VideoNode) -> None:
    """Raise ValueError or VideoError for clips that cannot be scored."""
    if not isinstance(clip, vs.VideoNode):
        raise ValueError(f"clip must be a VideoNode, got {type(clip).__name__}.")
    if clip.format is None or clip.format.id == 0 or not clip.width or not clip.height:
        raise ValueError(
            "The format or size of the clip varies. Make it constant first, for example with "
            "core.resize.Bicubic(clip, 1920, 1080, format=vs.YUV420P8), or score its parts."
        )
    enlarged_size(clip.height, clip.width)


class SegmentNodes:
    """The nodes of one clip.

    No callback refers to an object with nodes: nodes keep their callbacks, and Python cannot
    collect a cycle through VapourSynth.

    Args:
        clip: clip of constant format and size.
        segments: segments that cover it.
        scorer: runs the network.
        default: matrix and range of frames that state none.
        props: properties of a segment, from its index, its frames and its scores.
    """

    def __init__(
        self,
        clip: vs.VideoNode,
        segments: Sequence[Segment],
        scorer: SegmentScorer,
        default: Colour,
        props: Callable[[int, Segment, Scores], dict[str, Any]],
    ) -> None:
        self._clip, self._segments, self._props = clip, segments, props
        self._plan = Plan(segments, clip.height, clip.width, scorer)
        self._side, self._cut_bars = scorer.rule.view, scorer.rule.cut_bars
        fps = float(clip.fps) or None
        info = VideoInfo(None, clip.num_frames, clip.height, clip.width, fps, "vapoursynth")
        self._jobs = Jobs(self._plan, info, scorer)
        self._reduced = self._reduce(default)
        self._again = self._reduce(default, again=True) if self._cut_bars else self._reduced
        self.scores = self._score()

    def broadcast(
        self,
        scores: vs.VideoNode,
        props: Sequence[str],
        *,
        prefetch: bool,
        also: Sequence["SegmentNodes"] = (),
    ) -> vs.VideoNode:
        """The clip with the properties of each segment's small frame on all of its frames.

        Numbers of segments that overlap are interpolated between the centres of the segments.

        Args:
            scores: one small frame per segment, made from ``self.scores``.
            props: names of the properties.
            prefetch: score the next segment while frames leave.
            also: other clips with the same segments to score ahead.
        """
        segments, total = self._segments, self._clip.num_frames
        regions = owned_frames(segments, total)
        small, source = scores, [n for n, frames in enumerate(regions) for _ in frames]
        if prefetch and len(segments) > 1:
            small, source = vs.core.std.Interleave([scores] * SLOTS), _slots(regions)
            for nodes in (*also, self):
                small = nodes._request_ahead(small)
        spread = select(small, source)
        if overlapping(segments):
            spread = interpolate(scores, spread, segments, total)
        return vs.core.std.CopyFrameProps(self._clip, spread, props=list(props))

    def main(self, n: int) -> float | None:
        """The main score of segment ``n``, see Scores.main; None if it is not known yet."""
        scores = self._jobs.finished(n)
        return None if scores is None else float(getattr(scores, scores.main))

    def _reduce(self, default: Colour, *, again: bool = False) -> vs.VideoNode:
        """A node whose frame i is the i-th sample of all segments, in the size of the view.

        Its properties are the part of the source frame that it shows, and the black bars there.

        Args:
            default: matrix and range of frames that state none.
            again: make the samples a second time, with the bars that were found the first time.
        """
        core, plan, jobs, clip = vs.core, self._plan, self._jobs, self._clip
        if getattr(clip, "gpu_resident", False):
            clip = core.std.GPUDownload(clip)
        finds_bars = self._cut_bars and not again
        check = checker(notice)
        frames = plan.frames()
        gathered = readable(select(clip, frames))
        blank = core.std.BlankClip(
            width=self._side,
            height=self._side,
            format=vs.RGB24,
            length=len(frames),
            keep=True,
        )

        def reduced(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
            check(f[0])
            jobs.several_decoders = BESTSOURCE in f[0].props
            pick, rgb = plan.pick(n), to_rgb(f[0], default)
            bars = bars_of(rgb) if finds_bars else None
            part = jobs.part(n, bars)
            small = picture(rgb, pick.sample, pick.draw, part)
            out = f[1].copy()
            out.props[PART] = [end for side in part for end in (side.start, side.stop)]
            if bars is not None:
                out.props[BARS] = list(bars)
            for plane in range(3):
                np.asarray(out[plane])[:] = small[..., plane]
            return out

        def reduce(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
            try:
                return reduced(n, f)
            except vs.Error:
                raise
            except Exception as error:
                raise vs.Error(
                    f"dover: Frame {frames[n]} cannot be converted ({described(error)}). Convert "
                    "the clip first, for example with core.resize.Bicubic(clip, format=vs.RGB24)."
                ) from None

        return core.std.ModifyFrame(blank, [gathered, blank], reduce)

    def _score(self) -> vs.VideoNode:
        """One small frame per segment with its properties."""
        core, jobs, count = vs.core, self._jobs, self._plan.per_segment
        segments, props = self._segments, self._props
        columns, again = (
            [
                core.std.SelectEvery(node, cycle=count, offsets=[i], modify_duration=False)
                for i in range(count)
            ]
            for node in (self._reduced, self._again)
        )
        tiny = core.std.BlankClip(
            width=16,
            height=16,
            format=vs.GRAY8,
            length=len(self._segments),
            fpsnum=self._clip.fps_num,
            fpsden=self._clip.fps_den,
            keep=True,
        )

        def place(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
            jobs.place(n, ((i, _reduced(frame)) for i, frame in enumerate(f[1:])))
            return f[0]

        def wait(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
            out = f.copy()
            for name, value in props(n, segments[n], _result(jobs, n, segments[n])).items():
                out.props[name] = value
            return out

        def run(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
            return wait(n, place(n, f))

        first, second = (
            core.std.ModifyFrame(tiny, [tiny, *nodes], place) for nodes in (columns, again)
        )
        # Samples that show another part of their frames than the last one are made again.
        self._gathered = core.std.FrameEval(
            tiny,
            lambda n, f: tiny if jobs.placed(n) else second,  # noqa: ARG005, f is part of the API
            prop_src=first,
            clip_src=[tiny, second],
        )
        heavy = core.std.ModifyFrame(tiny, self._gathered, wait)
        retry = core.std.ModifyFrame(tiny, [tiny, *again], run)
        light = core.std.ModifyFrame(tiny, tiny, wait)

        def choose(n: int) -> vs.VideoNode:
            if jobs.known(n):
                return light  # a scored segment must not request its frames again
            return retry if jobs.failed(n) else heavy

        return core.std.FrameEval(tiny, choose, clip_src=[light, retry, heavy])

    def _request_ahead(self, slots: vs.VideoNode) -> vs.VideoNode:
        """The same small frames, SLOTS per segment; they also request samples of the next segment.

        Sources with several decoders read a batch per slot. With other sources a batch would cost
        two seeks, so they read all samples at once.
        """
        core, jobs, count = vs.core, self._jobs, self._plan.per_segment
        segments, last, size = self._segments, len(self._segments) - 1, -(-count // BATCHES)
        samples = self._reduced[count:] + self._reduced[-count:]  # of the next segment
        batches = [range(size * b, min(count, size * (b + 1))) for b in range(BATCHES)]
        of_slot = [batches[min(max(slot - 1, 0), BATCHES - 1)] for slot in range(SLOTS)]
        inputs = [
            core.std.SelectEvery(
                samples,
                cycle=count,
                offsets=[min(batch.start + i, count - 1) for batch in of_slot],
                modify_duration=False,
            )
            for i in range(size)
        ]

        def place(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
            segment, slot = divmod(n, SLOTS)
            made = zip(of_slot[slot], map(_reduced, f[1:]), strict=False)
            jobs.place(min(segment + 1, last), made)
            return f[0]

        batch = core.std.ModifyFrame(slots, [slots, *inputs], place)
        following = self._gathered[1:] + self._gathered[last]
        every = core.std.Interleave([following] * SLOTS)
        whole = core.std.ModifyFrame(slots, [slots, every], _first)

        def choose(n: int) -> vs.VideoNode:
            segment, slot = divmod(n, SLOTS)
            idle = not 1 <= slot <= BATCHES + LATE or segment == last
            if idle or jobs.several_decoders is None or jobs.known(segment + 1):
                return slots
            start, end = segments[segment]
            gradual = jobs.several_decoders and slot <= BATCHES and end - start >= SLOTS
            return batch if gradual else whole

        return core.std.FrameEval(slots, choose, clip_src=[slots, batch, whole])


def _result(jobs: Jobs, n: int, segment: Segment) -> Scores:
    """The scores of a segment, with its warnings and errors in VapourSynth's way."""
    try:
        scores = jobs.result(n)
    except DoverError as error:
        raise vs.Error(f"dover: {error}") from None
    except Exception as error:
        raise vs.Error(
            f"dover: Frames {segment.start} to {segment.end - 1} cannot be scored "
            f"({described(error)}). Run 'dover doctor', or try engine='torch'."
        ) from None
    for warning in scores.warnings:
        notice(warning)
    return scores


def _slots(regions: Sequence[range]) -> list[int]:
    """The slot of each frame."""
    return [
        n * SLOTS + SLOTS * (frame - frames.start) // len(frames)
        for n, frames in enumerate(regions)
        for frame in frames
    ]


def _first(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
    del n
    return f[0]


def _reduced(frame: vs.VideoFrame) -> Reduced:
    top, bottom, left, right = cast(list[int], frame.props[PART])
    bars = Bars(*cast(list[int], frame.props[BARS])) if BARS in frame.props else None
    pixels = np.stack([np.asarray(frame[plane]) for plane in range(3)], axis=-1)
    return Reduced(pixels, (slice(top, bottom), slice(left, right)), bars)
