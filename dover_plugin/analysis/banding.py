"""CAMBI, Netflix's banding index, from the libvmaf in PyAV's FFmpeg."""

import gc
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import av.error
from av.filter import Graph
from av.video.frame import VideoFrame

from dover_plugin.io.filters import TICK

SMALLEST = 216  # pixels of the longer side, below which CAMBI is not defined
LOG = "cambi.json"


class Cambi:
    """CAMBI of some frames of a video; a context, since libvmaf writes to a temporary file.

    libvmaf writes its results when the filter graph is freed, so they are there after ``finish``.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="dover-")
        self._graph: Graph | None = None
        self._indices: list[int] = []
        self._size = (0, 0, "")
        self._failed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._graph = None
        self._folder.cleanup()

    def push(self, frame: VideoFrame, index: int) -> None:
        """Measure one frame, unless it is too small or too large for CAMBI."""
        if self._failed or max(frame.width, frame.height) < SMALLEST:
            return
        try:
            if self._graph is None:
                self._size = frame.width, frame.height, frame.format.name
                self._graph = self._build(frame)
            elif (frame.width, frame.height, frame.format.name) != self._size:
                frame = frame.reformat(*self._size)
            frame.pts, frame.time_base = len(self._indices), TICK
            self._graph.vpush(frame)
            self._graph.vpull()
        except av.error.BlockingIOError:  # the result of this frame is not ready
            pass
        except (av.error.FFmpegError, ValueError):  # it refuses the size, or PyAV lacks it
            self._failed = True
            return
        self._indices.append(index)

    def finish(self) -> Mapping[int, float]:
        """CAMBI by frame, 0 (no banding) to about 24; empty if the frames cannot be measured."""
        graph, self._graph = self._graph, None
        if graph is not None and not self._failed:
            graph.vpush(None)
        del graph
        gc.collect()  # frees the graph, whose contexts refer to it
        log = Path(self._folder.name) / LOG
        frames = json.loads(log.read_text())["frames"] if log.exists() else []
        values = [float(frame["metrics"]["cambi"]) for frame in frames]
        return dict(zip(self._indices, values, strict=False))

    def _build(self, frame: VideoFrame) -> Graph:
        graph = Graph()
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=TICK
        )
        split = graph.add("split", "2")
        log = (Path(self._folder.name) / LOG).as_posix().replace(":", r"\\:")
        options = f"feature=name=cambi:model='':log_fmt=json:log_path={log}"
        vmaf = graph.add("libvmaf", options)
        source.link_to(split)
        split.link_to(vmaf, 0, 0)
        split.link_to(vmaf, 1, 1)
        vmaf.link_to(graph.add("buffersink"))
        graph.configure()
        return graph
