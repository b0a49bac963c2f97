"""Container and packet metadata, read before decoding."""

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from dover_plugin.errors import VideoError
from dover_plugin.io.source import HDR_TRANSFERS, VideoInfo

TRUNCATED = 0.98  # of the frames that the header of an MP4 promises
ENDS_EARLY = 0.9  # of the length that other headers promise, which is less reliable
# Containers and codecs that decord 0.6 numbers the frames of correctly. In others it returns
# other frames than it is asked for, without a word.
DECORD_CONTAINERS = {"mov", "matroska"}
DECORD_CODECS = {"h264", "vp8", "vp9", "prores", "ffv1"}
WHOLE_FRAMES = {"mov", "matroska"}  # in others a packet may be one field
NO_TIMESTAMPS = {"avi", "h264", "hevc", "m4v", "mpegvideo"}  # or such of decoding, not of showing


@dataclass(frozen=True)
class Scan:
    """What the container and its packets tell, with only the first frame decoded.

    Attributes:
        info: as PyAvSource gives it.
        timestamps: of every frame, ascending; empty where they are missing or no use.
        keyframes: indices of frames from which decoding can start.
        decord_counts: whether decord can be trusted to number the frames alike.
        skips_unreferenced: whether packets are whole frames that say if others refer to them.
    """

    info: VideoInfo
    timestamps: tuple[int, ...]
    keyframes: tuple[int, ...]
    decord_counts: bool
    skips_unreferenced: bool


class _PacketInfo(NamedTuple):
    pts: int | None
    key: bool
    discarded: bool
    fresh: bool  # nothing after it refers to what was before


def scan_file(path: str) -> Scan:
    """Read a file's packets and decode its first frame.

    Raises:
        VideoError: not a video, no picture in it, cut off, or undecodable from the start.
    """
    try:
        with open_container(path) as container:
            stream = video_stream(container, path)
            length_size = _nal_length_size(stream)
            packets = [
                _PacketInfo(
                    packet.pts,
                    packet.is_keyframe,
                    packet.is_discard,
                    packet.is_keyframe
                    and (not length_size or _has_idr(bytes(packet), length_size)),
                )
                for packet in container.demux(stream)
                if packet.size
            ]
            if container.format.name.startswith("mov") and len(packets) < TRUNCATED * stream.frames:
                _check_whole(path, stream.frames)
            alone = len(container.streams.video) == 1
            kind = container.format.name.split(",")[0]
            declared, length_s = stream.frames, _length_s(container, stream)
            fps = float(stream.average_rate) if stream.average_rate else None
            unit = stream.time_base or Fraction(1)
            codec = stream.codec_context.name
        with open_container(path) as container:
            first = next(container.decode(video_stream(container, path)), None)
    except av.error.EOFError:
        raise VideoError(
            f"{path!r} holds a header but no frame. Was its writing cut off?"
        ) from None
    except MemoryError:  # FFmpeg's own is one of its errors too, and says nothing of the file
        raise
    except av.error.FFmpegError as error:
        raise VideoError(
            f"{path!r} cannot be read as a video ({error.strerror or error}). "
            f"Try 'ffprobe' on it; it may be damaged or no video at all."
        ) from None
    if first is None or not packets:
        raise VideoError(
            f"{path!r} holds a video stream but no frame can be decoded. Try 'ffprobe' on it; it "
            "may be cut off."
        )
    shown = [packet for packet in packets if not packet.discarded]
    times = sorted((p.pts, p.key) for p in shown if p.pts is not None)
    usable = kind not in NO_TIMESTAMPS and len(times) == len(shown) == len(dict(times))
    num_frames, warnings = len(shown), []
    if usable and first.pts is not None:
        times = [(pts, key) for pts, key in times if pts >= first.pts]
        if len(times) < num_frames:
            warnings.append(
                f"the first {num_frames - len(times)} frames cannot be decoded and are left out"
            )
            num_frames = len(times)
        end_s = float(times[-1][0] * unit)
        if declared == 0 and end_s < ENDS_EARLY * length_s - 1:
            warnings.append(f"frames end at {end_s:.1f} s of {length_s:.1f} s; it may be cut off")
    elif declared and len(packets) < ENDS_EARLY * declared:
        warnings.append(f"its header says {declared} frames of {num_frames}; it may be cut off")
    if first.color_trc in HDR_TRANSFERS:
        warnings.append(
            f"HDR ({HDR_TRANSFERS[first.color_trc]}) is scored as it is stored, without tone "
            "mapping; the model was trained on SDR"
        )
    height, width = first.height, first.width
    if first.rotation % 180:
        height, width = width, height
    drift = 0.0
    if usable and fps:
        shown_at = np.array([pts - times[0][0] for pts, _ in times]) * float(unit)
        drift = float(np.abs(shown_at - np.arange(len(times)) / fps).max())
    return Scan(
        VideoInfo(path, num_frames, height, width, fps, "pyav", tuple(warnings), drift),
        timestamps=tuple(pts for pts, _ in times) if usable else (),
        keyframes=tuple(i for i, (_, key) in enumerate(times) if key) if usable else (),
        decord_counts=(
            kind in DECORD_CONTAINERS
            and alone  # else it may take another stream
            and all(packet.fresh for packet in packets if packet.key)  # else its jumps miss
            and codec in DECORD_CODECS
            and usable
            and times[0][0] >= 0
            and num_frames == len(packets)
        ),
        skips_unreferenced=usable and kind in WHOLE_FRAMES and codec == "h264",
    )


def open_container(path: str, **options: str) -> InputContainer:
    """Open a file, and nothing but files: neither its name nor its content leads elsewhere.

    Args:
        path: of the file.
        options: of FFmpeg's demuxer.
    """
    return av.open(f"file:{path}", options={"protocol_whitelist": "file", **options})


def _check_whole(path: str, declared: int) -> None:
    """Raise VideoError unless it was an edit list that took frames from an MP4."""
    with open_container(path, ignore_editlist="1") as container:
        packets = container.demux(video_stream(container, path))
        held = sum(1 for packet in packets if packet.size)
    if held < TRUNCATED * declared:
        raise VideoError(
            f"{path!r} is cut off: its header says {declared} frames, the file holds {held}. "
            "Get the whole file, or repair it with 'ffmpeg -i IN -c copy OUT'."
        )


def _nal_length_size(stream: VideoStream) -> int:
    """Bytes that give the length of each unit of H.264 in MP4 and Matroska; 0 for all else."""
    extra = stream.codec_context.extradata or b""
    is_avc = stream.codec_context.name == "h264" and len(extra) > 4 and extra[0] == 1
    return (extra[4] & 3) + 1 if is_avc else 0


def _has_idr(data: bytes, length_size: int) -> bool:
    """Whether a packet of H.264 holds an IDR picture (ITU-T H.264, unit type 5)."""
    while len(data) > length_size:
        if data[length_size] & 31 == 5:
            return True
        data = data[length_size + int.from_bytes(data[:length_size]) :]
    return False


def video_stream(container: InputContainer, path: str) -> VideoStream:
    """The video that players show: FFmpeg's best stream, but no cover art."""
    cover = av.stream.Disposition.attached_pic
    best = container.streams.best("video")
    for stream in (best, *container.streams.video):
        if isinstance(stream, VideoStream) and not stream.disposition & cover:
            return stream
    kinds = sorted({"cover art" if s.type == "video" else s.type for s in container.streams})
    raise VideoError(
        f"{path!r} holds no video (only {', '.join(kinds) or 'nothing'}). Name another file."
    )


def _length_s(container: InputContainer, stream: VideoStream) -> float:
    """What the header promises, in seconds; 0 where it promises nothing."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    others = len(container.streams) > 1  # the file's length may then be that of its sound
    return 0.0 if others else (container.duration or 0) / av.time_base
