"""One pass over a video that measures its frames for a diagnosis."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from dover_plugin.analysis import frame_measures as measure
from dover_plugin.analysis.banding import Cambi
from dover_plugin.analysis.distortions import BARS
from dover_plugin.analysis.segments import Segment
from dover_plugin.io.filters import FilterChain
from dover_plugin.io.options import USUAL_RATE
from dover_plugin.io.source import FrameSource
from dover_plugin.io.stored import stored_frames, tone_mapped

SPACING = 0.5  # seconds between the frames whose pixels are measured
FEWEST = 8  # such frames per segment, where it has them
STILL = 1.5  # levels by which the mean of a block may change in a repeated frame
REFRESHED = 0.5  # levels of mean change of one frame within a freeze, such as a key frame
REPEATED = 0.1  # mean change of a repeated frame, as a share of that of moving frames nearby
NEARBY = 4  # frames before and after
FREEZE = 2.0  # seconds without change, as in FFmpeg's freezedetect
BLACK_SHARE = 0.98  # of the frame, as in FFmpeg's blackdetect
INTERLACED = {"progressive": 0.0, "tff": 1.0, "bff": 1.0}

EVERY_FRAME = ("level", "black", "interlaced", "change", "largest_change", "frozen", "duplicate")
SAMPLED = (
    "banding", "blockiness", "blur", "noise", "highlights", "clipped", "si", "ti", *BARS,
)  # fmt: skip

type Table = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class _Seen:
    """A frame and what the next one is compared with."""

    index: int
    frame: VideoFrame  # owns the memory of the plane
    plane: measure.Plane
    means: measure.Luma


def measure_frames(source: FrameSource, segments: Sequence[Segment]) -> Table:
    """Measure the frames of the segments, each decoded once.

    Args:
        source: the video.
        segments: in order of their starts; they may overlap.

    Returns:
        (num_frames,) float64 by name, NaN where a frame was not measured. EVERY_FRAME covers all
        frames of the segments, SAMPLED a frame each half second, at least FEWEST per segment.

    Raises:
        VideoError: a frame cannot be decoded.
    """
    info = source.info
    rate = info.fps or USUAL_RATE
    found = {name: np.full(info.num_frames, np.nan) for name in (*EVERY_FRAME, *SAMPLED)}
    sampled = _sampled(segments, rate)
    wanted = sorted({index for segment in segments for index in range(*segment)})
    with Cambi() as cambi:
        fields: FilterChain | None = None
        edges: FilterChain | None = None
        before: _Seen | None = None
        for index, frame in stored_frames(source, wanted):
            plane = measure.plane_of(frame)
            seen = _Seen(index, frame, plane, plane.block_means())
            _measure_change(seen, before, found)
            fields = fields or FilterChain(frame, [("idet", "")])
            _note_fields(fields.push(frame, index), found)
            if index in sampled:
                _measure_pixels(seen, before, found)
                if (picture := tone_mapped(source, frame)) is not None:
                    _measure_exposure(measure.luma_of_rgb(picture), index, found)
                edges = edges or FilterChain(frame, [("blurdetect", "")])
                for at, result in edges.push(frame, index):
                    found["blur"][at] = float(result.metadata.get("lavfi.blur", "nan"))
                cambi.push(frame, index)
            before = seen
        if fields:
            _note_fields(fields.finish(), found)
        for index, value in cambi.finish().items():
            found["banding"][index] = value
    _find_repeats(found, round(FREEZE * rate))
    return found


def _sampled(segments: Sequence[Segment], rate: float) -> set[int]:
    """Frames whose pixels are measured: evenly spread, in the middle of their shares."""
    chosen: set[int] = set()
    for start, end in segments:
        length = end - start
        count = min(length, max(FEWEST, round(length / rate / SPACING)))
        chosen.update(start + (2 * i + 1) * length // (2 * count) for i in range(count))
    return chosen


def _measure_change(seen: _Seen, before: _Seen | None, found: Table) -> None:
    """The mean level of a frame, whether it is black, and its change from the one before."""
    found["level"][seen.index] = seen.means.mean()
    found["black"][seen.index] = (seen.means <= measure.BLACK).mean() >= BLACK_SHARE
    if before and _follows(seen, before):
        change = np.abs(seen.means - before.means)
        found["change"][seen.index] = change.mean()
        found["largest_change"][seen.index] = change.max()


def _follows(seen: _Seen, before: _Seen) -> bool:
    same_shape = before.plane.stored.shape == seen.plane.stored.shape
    return before.index == seen.index - 1 and same_shape


def _measure_pixels(seen: _Seen, before: _Seen | None, found: Table) -> None:
    luma = seen.plane.levels()
    values = {
        "blockiness": measure.blockiness(luma),
        "noise": measure.noise(luma),
        "si": measure.spatial_information(luma),
    }
    if before and _follows(seen, before):
        values["ti"] = float((luma - before.plane.levels()).std())
    edges = measure.bars(luma)
    if edges:
        values |= dict(zip(BARS, edges, strict=True))
    for name, value in values.items():
        found[name][seen.index] = value
    _measure_exposure(luma, seen.index, found)


def _measure_exposure(luma: measure.Luma, index: int, found: Table) -> None:
    """Highlights and clipped pixels; of HDR after tone mapping."""
    found["highlights"][index] = np.percentile(luma, 95)
    found["clipped"][index] = (luma >= measure.BRIGHT).mean()


def _note_fields(results: Iterable[tuple[int, VideoFrame]], found: Table) -> None:
    """Whether idet finds frames interlaced; it cannot tell for frames without motion."""
    for index, result in results:
        word = result.metadata.get("lavfi.idet.multiple.current_frame", "")
        found["interlaced"][index] = INTERLACED.get(word, np.nan)


def _find_repeats(found: Table, shortest: int) -> None:
    """Tell frozen frames, in runs of at least ``shortest`` frames, from single duplicates."""
    known = ~np.isnan(found["level"])
    largest = np.nan_to_num(found["largest_change"], nan=np.inf)
    still = largest <= STILL
    frozen = np.zeros(len(still), bool)
    for start, end in _runs(_bridged(still, found["change"] <= REFRESHED)):
        if end - start >= shortest - 1:
            frozen[start - 1 : end] = True  # the frame that repeats, too
    found["frozen"][known] = frozen[known]
    counted = known & ~frozen & (found["black"] == 0)
    found["duplicate"][counted] = (still | _repeats(found["change"]))[counted]


def _runs(marked: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Runs [start, end) of marked frames."""
    steps = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8)))
    return list(zip(steps[::2].tolist(), steps[1::2].tolist(), strict=True))


def _bridged(marked: NDArray[np.bool_], allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Marked frames, and allowed ones between two of them."""
    before, after = np.roll(marked, 1), np.roll(marked, -1)
    between = before & after & allowed
    between[[0, -1]] = False
    return marked | between


def _repeats(change: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Frames that change far less than those around them; one of these may be a cut."""
    padded = np.pad(np.nan_to_num(change), NEARBY)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEARBY + 1)
    moving = np.sort(windows, axis=1)[:, -2]
    return change <= REPEATED * moving
