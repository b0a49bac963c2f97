"""Nodes that convert source frames to the frames of the views.

The matrix and range of a frame are honoured. A frame without them is read as in decord (BT.601 at
every size), so that the score equals that of the file.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import vapoursynth as vs

from dover_plugin.io.source import HDR_TRANSFERS, INTERLACED
from dover_plugin.preprocessing.sampling import VIEW, Draw, fragment_size
from dover_plugin.preprocessing.views import MAX_ENLARGED_PIXELS, Sample, picture

RESIZE_BITS = 16  # VapourSynth's resize supports no integer formats above this depth
HD_HEIGHT = 720
READABLE_MATRICES = (
    1,
    2,
    4,
    5,
    6,
    7,
    8,
    9,
)  # YUV matrices that resize supports; codes of ITU-T H.273
PIECE = 10_000  # the time of SelectEvery grows with the square of its offsets

type Matrix = Literal["decord", "resolution"]
type Pick = tuple[Sample, Draw]


class Notices:
    """Writes each message once to VapourSynth's log."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def __call__(self, text: str) -> None:
        """Log ``text`` unless it was logged before."""
        if text not in self._said:
            self._said.add(text)
            vs.core.log_message(vs.MESSAGE_TYPE_WARNING, f"dover: {text}")


def check_clip(clip: vs.VideoNode, matrix: str) -> None:
    """Raise ValueError for clips that cannot be scored."""
    if not isinstance(clip, vs.VideoNode):
        raise ValueError(f"clip must be a VideoNode, got {type(clip).__name__}.")
    if clip.format is None or clip.format.id == 0 or not clip.width or not clip.height:
        raise ValueError(
            "The format or size of the clip varies. Make it constant first, for example with "
            "core.resize.Bicubic(clip, 1920, 1080, format=vs.YUV420P8), or score its parts."
        )
    height, width = fragment_size(clip.height, clip.width)
    if height * width > MAX_ENLARGED_PIXELS:
        raise ValueError(
            f"Frames of {clip.width}x{clip.height} are too narrow: enlarged to a short side of "
            f"{VIEW} they would be {width}x{height}. Crop or scale the clip first."
        )
    if matrix not in ("decord", "resolution"):
        raise ValueError(f"Invalid matrix {matrix!r}; use 'decord' or 'resolution'.")


def gather_pictures(
    clip: vs.VideoNode,
    frames: Sequence[int],
    pick: Callable[[int], Pick],
    matrix: Matrix,
    notice: Notices,
) -> vs.VideoNode:
    """A node whose frame i is the view frame ``pick(i)`` made from source frame ``frames[i]``.

    Args:
        clip: clip of constant format and size.
        frames: frame numbers of the clip, in any order, with repetitions.
        pick: sample and draw of each frame.
        matrix: for frames that carry none: "decord" is BT.601, "resolution" is BT.709 from 720
            rows on.
        notice: receives warnings.

    Returns:
        224x224, RGB24, as many frames as asked for.
    """
    core = vs.core
    if getattr(clip, "gpu_resident", False):
        clip = core.std.GPUDownload(clip)
    gathered = select(clip, frames)
    rgb = _to_rgb(core.std.ModifyFrame(gathered, gathered, _checker(notice)), matrix)
    blank = core.std.BlankClip(
        width=VIEW, height=VIEW, format=vs.RGB24, length=len(frames), keep=True
    )

    def reduce(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        sample, draw = pick(n)
        out = f[1].copy()
        for plane in range(3):
            source = np.asarray(f[0][plane])[..., None]  # (H, W, 1)
            np.asarray(out[plane])[:] = picture(source, sample, draw)[..., 0]
        return out

    return core.std.ModifyFrame(blank, [rgb, blank], reduce)


def select(clip: vs.VideoNode, frames: Sequence[int]) -> vs.VideoNode:
    """A node with any frames of a clip in any order."""
    core = vs.core
    if clip.num_frames == 1:
        clip = clip + clip  # SelectEvery needs a cycle of at least two
    return core.std.Splice(
        [
            core.std.SelectEvery(
                clip,
                cycle=clip.num_frames,
                offsets=list(frames[start : start + PIECE]),
                modify_duration=False,
            )
            for start in range(0, len(frames), PIECE)
        ]
    )


def _to_rgb(clip: vs.VideoNode, matrix: Matrix) -> vs.VideoNode:
    core, form = vs.core, clip.format
    progressive = core.std.SetFieldBased(
        clip, 0
    )  # interlaced frames are scored woven, as decord reads them
    if form.sample_type == vs.INTEGER and form.bits_per_sample > RESIZE_BITS:
        progressive = _shorten(progressive)
    if form.color_family != vs.YUV:
        progressive = core.std.RemoveFrameProps(
            progressive, "_Matrix"
        )  # the property has no meaning for RGB and GRAY
    if form.color_family == vs.RGB:
        return core.resize.Bicubic(progressive, format=vs.RGB24)
    hd = matrix == "resolution" and clip.height >= HD_HEIGHT
    # matrix_in applies only to frames without _Matrix
    return core.resize.Bicubic(progressive, format=vs.RGB24, matrix_in_s="709" if hd else "470bg")


def _shorten(clip: vs.VideoNode) -> vs.VideoNode:
    """Convert integers of 17 to 32 bits to 16 bits."""
    form = clip.format
    shift = form.bits_per_sample - RESIZE_BITS
    target = form.replace(bits_per_sample=RESIZE_BITS)
    blank = vs.core.std.BlankClip(clip, format=target.id, keep=True)

    def cut(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        del n
        out = f[1].copy()
        for plane in range(form.num_planes):
            np.asarray(out[plane])[:] = np.asarray(f[0][plane]) >> shift
        return out

    return vs.core.std.CopyFrameProps(vs.core.std.ModifyFrame(blank, [clip, blank], cut), clip)


def _checker(notice: Notices) -> Callable[[int, vs.VideoFrame], vs.VideoFrame]:
    """Reject frames that cannot be converted, and write warnings."""

    def check(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        del n
        matrix = f.props.get("_Matrix", 2)
        if f.format.color_family == vs.YUV and matrix not in READABLE_MATRICES:
            raise vs.Error(
                f"dover: A YUV frame has _Matrix={matrix}, which has no conversion to RGB. Set the "
                "true matrix with core.std.SetFrameProps(clip, _Matrix=1) (1 is BT.709)."
            )
        if f.props.get("_FieldBased", 0):
            notice(INTERLACED)
        transfer = HDR_TRANSFERS.get(int(f.props.get("_Transfer", 2)))
        if transfer:
            notice(f"HDR ({transfer}) is scored as stored, without tone mapping")
        return f

    return check
