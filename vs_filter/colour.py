"""VapourSynth frames to RGB, with the converter that the core uses for files.

The planes of a frame are handed to FFmpeg's swscale as they are. A frame that a source filter
passes on unchanged therefore gives the RGB values, and the scores, of the file. Frames without a
matrix are BT.601, as in the core.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import vapoursynth as vs

from dover_plugin.io.source import HDR_TRANSFERS, INTERLACED, Frame, Transfer

if TYPE_CHECKING:
    from av import VideoFrame

HD_HEIGHT = 720
UNKNOWN = 2  # matrix, transfer or primaries that a frame does not state; codes of ITU-T H.273
MATRICES = (1, 2, 4, 5, 6, 7, 9)  # YUV matrices that swscale converts
BIT_DEPTH = 16  # the highest depth of integers that swscale and VapourSynth's resize support
SUBSAMPLINGS = {(0, 0): 444, (1, 0): 422, (1, 1): 420, (0, 1): 440, (2, 0): 411, (2, 2): 410}
SQUARE = 0.01  # aspect ratios of pixels that differ less from 1 are not worth a warning
LIMITED, FULL = 1, 2  # FFmpeg's codes of the range

type Matrix = Literal["decord", "resolution"]


class Colour(NamedTuple):
    """Matrix and range of the frames that state none.

    Attributes:
        matrix: code of ITU-T H.273; UNKNOWN is BT.601.
        full_range: None if it is not known: YUV is limited, RGB and GRAY are full.
    """

    matrix: int = UNKNOWN
    full_range: bool | None = None

    @classmethod
    def of(cls, frame: vs.VideoFrame) -> "Colour":
        """What the properties of a frame state."""
        props = frame.props
        matrix = int(props.get("_Matrix", UNKNOWN))
        if "_Range" in props:
            return cls(matrix, int(props["_Range"]) == 1)
        if "_ColorRange" in props:  # before R81, and with the opposite meaning
            return cls(matrix, int(props["_ColorRange"]) == 0)
        return cls(matrix)

    def or_else(self, other: "Colour") -> "Colour":
        """This colour, completed with the other one."""
        return Colour(
            other.matrix if self.matrix == UNKNOWN else self.matrix,
            other.full_range if self.full_range is None else self.full_range,
        )


def default_colour(clip: vs.VideoNode, matrix: Matrix) -> Colour:
    """The colour of frames that state none, by the rule "decord" or "resolution"."""
    hd = matrix == "resolution" and clip.height >= HD_HEIGHT
    return Colour(1 if hd else UNKNOWN)


def readable(clip: vs.VideoNode) -> vs.VideoNode:
    """The clip in a format that FFmpeg has; most formats are returned as they are."""
    core, form = vs.core, clip.format
    if form.sample_type == vs.INTEGER and form.bits_per_sample > BIT_DEPTH:
        clip = _shorten(clip)
    for target in (
        clip.format,
        form.replace(sample_type=vs.INTEGER, bits_per_sample=BIT_DEPTH),
        form.replace(
            sample_type=vs.INTEGER, bits_per_sample=BIT_DEPTH, subsampling_w=0, subsampling_h=0
        ),
    ):
        is_float_grey = target.color_family == vs.GRAY and target.sample_type == vs.FLOAT
        if _pixel_format(target.id) and not is_float_grey:  # which swscale takes for limited range
            # resize refuses some combinations of fields and subsampling
            plain = core.std.SetFieldBased(clip, 0)
            full = {"range_s": "full"} if form.color_family == vs.GRAY else {}  # as FFmpeg reads it
            if target.id == clip.format.id:
                return clip
            return plain.resize.Bicubic(format=target.id, **full)
    raise ValueError(f"FFmpeg has no pixel format like {form.name}.")


def as_stored(frame: vs.VideoFrame, default: Colour) -> "VideoFrame":
    """The planes of a frame of a readable clip as a frame of PyAV.

    Args:
        frame: a frame whose properties are valid; see checker.
        default: for frames that state no matrix or range.
    """
    from av import VideoFrame

    picture = VideoFrame(frame.width, frame.height, _pixel_format(frame.format.id))
    order = (1, 2, 0) if frame.format.color_family == vs.RGB else range(frame.format.num_planes)
    for plane, source in zip(picture.planes, order, strict=True):  # FFmpeg stores G, B, R
        samples = np.asarray(frame[source])
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        width = samples.shape[1] * samples.itemsize
        rows[: len(samples), :width].view(samples.dtype)[:] = samples
    if frame.format.color_family == vs.YUV:
        colour = Colour.of(frame).or_else(default)
        picture.colorspace = colour.matrix
        if colour.full_range is not None:
            picture.color_range = FULL if colour.full_range else LIMITED
        picture.chroma_location = int(frame.props.get("_ChromaLocation", -1)) + 1
    return picture


def transfer_of(frame: vs.VideoFrame) -> Transfer | None:
    """The transfer function of an HDR frame; None for SDR."""
    return HDR_TRANSFERS.get(int(frame.props.get("_Transfer", UNKNOWN)))


def to_rgb(frame: vs.VideoFrame, default: Colour) -> Frame:
    """Convert a frame of a readable clip to (H, W, 3) uint8 RGB, tone mapped if it is HDR.

    Args:
        frame: see as_stored.
        default: see as_stored.
    """
    from dover_plugin.io.colour import rgb24
    from dover_plugin.io.hdr import deep_rgb, tone_mapper

    picture, transfer = as_stored(frame, default), transfer_of(frame)
    if transfer is None:
        return rgb24(picture)
    rgb, white = deep_rgb(picture)
    return tone_mapper(transfer, int(frame.props.get("_Primaries", UNKNOWN)), white)(rgb)


def checker(notice: Callable[[str], None]) -> Callable[[vs.VideoFrame], None]:
    """A function that rejects frames that cannot be converted, and writes warnings."""

    def check(f: vs.VideoFrame) -> None:
        matrix = f.props.get("_Matrix", UNKNOWN)
        if f.format.color_family == vs.YUV and matrix not in MATRICES:
            raise vs.Error(
                f"dover: A YUV frame has _Matrix={matrix}, which has no conversion to RGB. Set the "
                "true matrix with core.std.SetFrameProps(clip, _Matrix=1) (1 is BT.709), or "
                "convert the clip to RGB24 first."
            )
        if f.props.get("_FieldBased", 0):
            notice(INTERLACED)
        transfer = HDR_TRANSFERS.get(int(f.props.get("_Transfer", 2)))
        if transfer:
            notice(
                f"HDR ({transfer}) is tone mapped to SDR as in 'dover score'; remove the property "
                "_Transfer to score it as stored"
            )
        if f.props.get("Rotation", 0):
            notice("frames are scored as stored, not rotated as a player shows them")
        width, height = (int(f.props.get(name, 1)) for name in ("_SARNum", "_SARDen"))
        if min(width, height) > 0 and abs(width / height - 1) > SQUARE:
            notice(
                f"pixels have an aspect ratio of {width}:{height}; the clip is scored as stored, "
                "as is the file. Scale it to square pixels to compare it with such clips"
            )

    return check


@cache
def _pixel_format(format_id: int) -> str:
    """FFmpeg's name of a VapourSynth format; empty if it has none."""
    from av import VideoFormat

    form = vs.core.get_video_format(format_id)
    bits = form.bits_per_sample
    if form.color_family == vs.YUV:
        name = f"yuv{SUBSAMPLINGS.get((form.subsampling_w, form.subsampling_h))}p"
    else:
        name = "gray" if form.color_family == vs.GRAY else "gbrp"
    if form.sample_type == vs.FLOAT:
        name += f"f{bits}le"
    elif bits > 8:
        name += f"{bits}le"
    try:
        return str(VideoFormat(name).name)
    except ValueError:
        return ""


def _shorten(clip: vs.VideoNode) -> vs.VideoNode:
    """Convert integers of 17 to 32 bits to 16 bits."""
    form = clip.format
    shift = form.bits_per_sample - BIT_DEPTH
    target = form.replace(bits_per_sample=BIT_DEPTH)
    blank = vs.core.std.BlankClip(clip, format=target.id, keep=True)

    def cut(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        del n
        out = f[1].copy()
        for plane in range(form.num_planes):
            np.asarray(out[plane])[:] = np.asarray(f[0][plane]) >> shift
        return out

    return vs.core.std.CopyFrameProps(vs.core.std.ModifyFrame(blank, [clip, blank], cut), clip)
