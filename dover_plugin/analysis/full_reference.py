"""Full-reference metrics beside a comparison: VMAF, XPSNR, SSIM, PSNR and SSIMULACRA 2.

All need aligned frames; DOVER does not.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from av.filter import filters_available
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation

from dover_plugin.analysis import ffmpeg_metrics
from dover_plugin.analysis.comparison import Comparison
from dover_plugin.analysis.timeline import Timeline
from dover_plugin.errors import DoverError, SettingsError
from dover_plugin.io.open import open_with
from dover_plugin.io.options import OpenOptions
from dover_plugin.io.source import FrameSource
from dover_plugin.io.stored import upright_frames
from dover_plugin.preprocessing.pictures import Picture
from dover_plugin.text import listed, name_of

METRICS = (*ffmpeg_metrics.METRICS, "ssimulacra2")
FRAMES = 4  # evenly spread frames per segment for SSIMULACRA 2


def require(metrics: Sequence[str]) -> None:
    """Raise SettingsError unless all of these METRICS can be computed on this machine."""
    for name in metrics:
        if name not in METRICS:
            raise SettingsError(f"No metric is named {name!r}. Choose from {', '.join(METRICS)}.")
        if name == "ssimulacra2":
            _compute_ssimulacra2()
        elif name in ffmpeg_metrics.VMAF_MODELS and "libvmaf" not in filters_available:
            raise SettingsError(
                "This PyAV was built without libvmaf, which VMAF needs. Install PyAV's wheel with "
                "'pip install --force-reinstall --only-binary av av', or use another metric."
            )


def measured(found: Comparison, metrics: Sequence[str]) -> Comparison:
    """Add full-reference metrics to a comparison, a value per segment.

    VMAF, its NEG model and SSIMULACRA 2 are about 100 for identical frames, SSIM is 1, and PSNR
    and XPSNR are at most 100 dB. Frames are paired by their numbers. A transcode of another size is
    scaled to that of the source. Warnings say so, and which metrics cannot be computed.

    Args:
        found: comparison of two files.
        metrics: names from METRICS.
    """
    before, after = found.before.info, found.after.info
    if not metrics:
        return found
    name, wanted, warnings = name_of(after.path), list(dict.fromkeys(metrics)), list(found.warnings)
    if before.path is None or after.path is None:
        warnings.append(f"{name}: {listed(wanted, 'and')} need two files, not videos in memory")
        return replace(found, warnings=warnings)
    if before.num_frames != after.num_frames:
        need = "needs" if len(wanted) == 1 else "need"
        warnings.append(
            f"{name}: {listed(wanted, 'and')} {need} equal frame counts ({after.num_frames}, not "
            f"{before.num_frames})"
        )
        return replace(found, warnings=warnings)
    smallest = min(before.width, before.height)
    for each in (n for n in ffmpeg_metrics.VMAF_MODELS if n in wanted):
        if smallest < ffmpeg_metrics.SMALLEST_VMAF:
            wanted.remove(each)
            warnings.append(
                f"{name}: {each} needs a source of at least {ffmpeg_metrics.SMALLEST_VMAF} pixels "
                f"on its shorter side, got {smallest}"
            )
    if wanted and (before.width, before.height) != (after.width, after.height):
        warnings.append(
            f"{name}: scaled to the source's {before.width}x{before.height} (bicubic) for "
            f"{listed(wanted, 'and')}"
        )
    computed: dict[str, list[float]] = {}
    of_ffmpeg = [each for each in wanted if each in ffmpeg_metrics.METRICS]
    try:
        if of_ffmpeg:
            computed |= _ffmpeg_metrics(found, of_ffmpeg)
        if "ssimulacra2" in wanted:
            computed["ssimulacra2"] = _ssimulacra2(found)
    except DoverError as error:
        missing = [each for each in wanted if each not in computed]
        warnings.append(f"{name}: no {listed(missing)}: {error}")
    metrics_in_order = {each: computed[each] for each in wanted if each in computed}
    return replace(found, metrics=metrics_in_order, warnings=warnings)


def ssimulacra2(frames: Picture, reference: Picture) -> list[float]:
    """SSIMULACRA 2 of each pair of frames, computed by vapoursynth-vszip; 100 means identical.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
        reference: (T, H, W, 3) uint8 RGB.

    Raises:
        SettingsError: the plugin is missing.
    """
    scored = _compute_ssimulacra2()(*(_node(each) for each in (reference, frames)))
    return [float(frame.props["SSIMULACRA2"]) for frame in scored.frames(close=True)]


def _compute_ssimulacra2() -> Any:
    try:
        import vapoursynth as vs

        return vs.core.vszip.SSIMULACRA2
    except (ImportError, AttributeError):
        raise SettingsError(
            "SSIMULACRA 2 needs vapoursynth-vszip, which is not installed. Install it "
            "with 'pip install vapoursynth vapoursynth-vszip'."
        ) from None


def _ssimulacra2(found: Comparison) -> list[float]:
    """The mean of FRAMES frames of each segment; the encode is scaled to the source's size."""
    before, after = (_source(each) for each in (found.before, found.after))
    chosen = [
        sorted({start + (2 * i + 1) * (end - start) // (2 * FRAMES) for i in range(FRAMES)})
        for start, end in (pair.after.segment for pair in found.pairs)
    ]
    wanted = sorted({index for indices in chosen for index in indices})
    values = {}
    for (index, old), (_, new) in zip(before.frames(wanted), after.frames(wanted), strict=True):
        height, width = old.shape[:2]
        scaled = new if new.shape == old.shape else _scaled(new, width, height)
        (values[index],) = ssimulacra2(scaled[None], old[None])
    return [float(np.mean([values[index] for index in indices])) for indices in chosen]


def _ffmpeg_metrics(found: Comparison, metrics: Sequence[str]) -> dict[str, list[float]]:
    """Metrics of FFmpeg's filters over each segment, from one pass over both files."""
    before, after = (_source(each) for each in (found.before, found.after))
    segments = [pair.after.segment for pair in found.pairs]
    first = segments[0].start
    indices = range(first, segments[-1].end)
    decoded = zip(upright_frames(before, indices), upright_frames(after, indices), strict=True)
    values = ffmpeg_metrics.compute(((old, new) for (_, old), (_, new) in decoded), metrics)
    return {
        name: [
            ffmpeg_metrics.pooled(name, values[name][start - first : end - first])
            for start, end in segments
        ]
        for name in metrics
    }


def _source(timeline: Timeline) -> FrameSource:
    """The file of a timeline, as stored: HDR is not tone mapped."""
    options = replace(timeline.info.options or OpenOptions(), decoder="pyav", hdr="as-is")
    return open_with(timeline.info.path or "", options)


def _scaled(picture: Picture, width: int, height: int) -> Picture:
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    scaled = frame.reformat(width, height, interpolation=Interpolation.BICUBIC)
    return scaled.to_ndarray().astype(np.uint8, copy=False)


def _node(frames: Picture):  # type: ignore[no-untyped-def]  # a VideoNode
    import vapoursynth as vs

    count, height, width = frames.shape[:3]
    blank = vs.core.std.BlankClip(
        format=vs.RGB24, width=width, height=height, length=count, keep=True
    )

    def fill(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        filled = f.copy()
        for plane in range(3):
            np.asarray(filled[plane])[:] = frames[n, :, :, plane]
        return filled

    return vs.core.std.ModifyFrame(blank, blank, fill)
