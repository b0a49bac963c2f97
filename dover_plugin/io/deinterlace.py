"""Deinterlace frames with FFmpeg's bwdif."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from av.filter import Graph
from av.video.frame import VideoFrame

type Decode = Callable[[Sequence[int]], Iterator[tuple[int, VideoFrame]]]


def deinterlaced(
    decode: Decode, indices: Sequence[int], num_frames: int
) -> Iterator[tuple[int, VideoFrame]]:
    """Yield (index, frame) for each requested index; progressive frames stay as they are.

    bwdif makes each frame from the frame, its predecessor and its successor, so that a result does
    not depend on which other frames are requested.

    Args:
        decode: yields (index, frame) for ascending indices.
        indices: ascending, without repetition, in [0, num_frames).
        num_frames: length of the video.
    """
    wanted = set(indices)
    needed = sorted({near for i in indices for near in (i - 1, i, i + 1) if 0 <= near < num_frames})
    window: list[tuple[int, VideoFrame]] = []
    for index, frame in decode(needed):
        if window and window[-1][0] != index - 1:
            window = []
        window = [*window[-2:], (index, frame)]
        if index - 1 in wanted and len(window) > 1:
            yield index - 1, _middle(window, index - 1)
        if index == num_frames - 1 and index in wanted:
            yield index, _middle(window[-2:], index)


def _middle(window: Sequence[tuple[int, VideoFrame]], index: int) -> VideoFrame:
    """Frame ``index`` of up to three consecutive frames, deinterlaced if it is interlaced."""
    position = [at for at, _ in window].index(index)
    middle = window[position][1]
    if not middle.interlaced_frame:
        return middle
    graph = Graph()
    source = graph.add_buffer(
        width=middle.width,
        height=middle.height,
        format=middle.format,
        time_base=middle.time_base or Fraction(1, 25),
    )
    bwdif = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    graph.link_nodes(source, bwdif, graph.add("buffersink")).configure()
    for _, frame in window:
        graph.vpush(frame)
    graph.vpush(None)
    found: VideoFrame | None = None
    for _ in range(position + 1):
        found = graph.vpull()
    assert found is not None
    return found
