"""PSNR, SSIM, XPSNR and VMAF of two videos, by the filters of PyAV's FFmpeg."""

import gc
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import av.error
import numpy as np
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation
from numpy.typing import NDArray

from dover_plugin.errors import VideoError
from dover_plugin.io.filters import TICK

IDENTICAL = 100.0  # dB; stands for the infinity of identical frames
SMALLEST_VMAF = 64  # pixels of the shorter side; libvmaf fails on frames that are much smaller
VMAF_MODELS = {"vmaf": "vmaf_v0.6.1", "vmaf_neg": "vmaf_v0.6.1neg"}
FILTERS = {  # metric -> filter, and the frame metadata that holds its value
    "psnr": ("psnr", "lavfi.psnr.mse.y"),
    "ssim": ("ssim", "lavfi.ssim.Y"),
    "xpsnr": ("xpsnr", "lavfi.xpsnr.xpsnr.y"),
}
METRICS = ("vmaf", "vmaf_neg", "xpsnr", "ssim", "psnr")
THREADS = min(8, os.cpu_count() or 1)
LOG = "vmaf.json"

type Pairs = Iterable[tuple[VideoFrame, VideoFrame]]  # source and encode
type Values = Mapping[str, NDArray[np.float64]]  # by metric, one per frame


def compute(pairs: Pairs, metrics: Sequence[str]) -> Values:
    """Metrics of the luma of each frame; all are computed in one pass.

    Args:
        pairs: frames of the source and of the encode, in order. The encode is scaled to the size
            of the source (bicubic), and both are converted to the pixel format of the source, in 8
            or 10 bits and limited range.
        metrics: names from METRICS.

    Returns:
        VMAF in [0, 100], SSIM in [0, 1], XPSNR in dB, and for PSNR the mean squared error as a
        share of the squared peak; see ``pooled``.

    Raises:
        VideoError: FFmpeg cannot compute a metric of these frames.
    """
    with tempfile.TemporaryDirectory(prefix="dover-") as folder:
        log = Path(folder) / LOG
        found: dict[str, list[float]] = {name: [] for name in metrics if name in FILTERS}
        try:
            peak = _run(pairs, metrics, log, found)
        except (av.error.FFmpegError, ValueError) as error:
            raise VideoError(
                f"FFmpeg cannot compute {', '.join(metrics)} of these frames ({error})."
            ) from None
        gc.collect()  # frees the graph, whose contexts refer to it; libvmaf then writes its log
        if log.exists():
            frames = json.loads(log.read_text())["frames"]
            for name in (each for each in metrics if each in VMAF_MODELS):
                found[name] = [float(frame["metrics"][name]) for frame in frames]
        values = {name: np.array(each) for name, each in found.items()}
        if "psnr" in values:
            values["psnr"] /= peak**2
        return values


def pooled(name: str, values: NDArray[np.float64]) -> float:
    """One value of a metric over some frames.

    PSNR is that of the mean squared error; the others are means. Identical frames count as
    IDENTICAL dB.

    Args:
        name: name from METRICS.
        values: values of the frames, as ``compute`` gives them.
    """
    if name == "psnr":
        error = float(values.mean())
        return IDENTICAL if error == 0 else min(IDENTICAL, -10 * float(np.log10(error)))
    return float(np.minimum(values, IDENTICAL).mean())


def _run(
    pairs: Pairs, metrics: Sequence[str], log: Path, found: Mapping[str, list[float]]
) -> float:
    """Push all pairs through one graph; libvmaf writes ``log`` when the graph is freed.

    Returns:
        The largest value of a pixel.
    """
    size = 0, 0, ""
    before: FilterContext | None = None
    for number, (old, new) in enumerate(pairs):
        if before is None:
            size = old.width, old.height, common_format(old, new)
            before, after, sink = _graph(size, metrics, log)
        for context, frame in ((after, new), (before, old)):
            frame = _conformed(frame, size)
            frame.pts, frame.time_base = number, TICK
            context.push(frame)
        _note(sink, found)
    if before is not None:
        for context in (after, before):
            context.push(None)
        _note(sink, found)
    return 1023.0 if size[-1].endswith("10le") else 255.0


def common_format(old: VideoFrame, new: VideoFrame) -> str:
    """Pixel format in which two frames are compared: the sampling of the source, 8 or 10 bits."""
    name = old.format.name
    sampling = next((s for s in ("444", "422") if f"yuv{s}" in name or f"yuvj{s}" in name), "420")
    if not old.format.components[0].is_luma:  # RGB
        sampling = "444"
    deep = any(c.bits > 8 for frame in (old, new) for c in frame.format.components)
    return f"yuv{sampling}p{'10le' if deep else ''}"


def _conformed(frame: VideoFrame, size: tuple[int, int, str]) -> VideoFrame:
    """The frame in a size and format, limited range."""
    width, height, name = size
    return frame.reformat(
        width,
        height,
        name,
        interpolation=Interpolation.BICUBIC,
        dst_color_range=ColorRange.MPEG,
    )


def _graph(
    size: tuple[int, int, str], metrics: Sequence[str], log: Path
) -> tuple[FilterContext, FilterContext, FilterContext]:
    """Inputs for the source and for the encode, and the output."""
    width, height, name = size
    graph = Graph()
    before, after = (
        graph.add_buffer(
            width=width,
            height=height,
            format=av.VideoFormat(name, width, height),
            time_base=TICK,
            name=each,
        )
        for each in ("before", "after")
    )
    nodes = [(FILTERS[each][0], "") for each in metrics if each in FILTERS]
    models = [
        rf"version={version}\:name={each}"
        for each, version in VMAF_MODELS.items()
        if each in metrics
    ]
    if models:
        path = log.as_posix().replace(":", r"\:")
        options = f"n_threads={THREADS}:log_fmt=json:log_path={path}"
        nodes.append(("libvmaf", f"model={'|'.join(models)}:{options}"))
    references = graph.add("split", str(len(nodes)))
    before.link_to(references)
    last = after
    for number, (filter_name, options) in enumerate(nodes):
        node = graph.add(filter_name, options)
        last.link_to(node, 0, 0)
        references.link_to(node, number, 1)
        last = node
    sink = graph.add("buffersink")
    last.link_to(sink)
    graph.configure()
    return before, after, sink


def _note(sink: FilterContext, found: Mapping[str, list[float]]) -> None:
    """Append the values of the frames that are done."""
    for frame in _done(sink):
        for name, values in found.items():
            values.append(float(frame.metadata[FILTERS[name][1]]))


def _done(sink: FilterContext) -> Iterator[VideoFrame]:
    while True:
        try:
            frame = sink.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        assert isinstance(frame, VideoFrame)
        yield frame
