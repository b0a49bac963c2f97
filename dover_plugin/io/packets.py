"""The header and the packets of a file, its first frame, and whether its end is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import av.error
from av.container import InputContainer
from av.rational import AVRational
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from dover_plugin.io.damage import PacketInfo, is_damage, lacks_end
from dover_plugin.io.streams import choose_stream, open_container, stream_warnings, video_streams

TRUNCATED = 0.98  # share of the frames that the header of an MP4 states
ENDS_EARLY = 0.9  # share of the duration that other headers state, which is less reliable
STATED_LENGTH = {"flv", "matroska", "asf", "avi"}  # FFmpeg estimates the length of others
NO_END = {"mpegts", "mpeg"}  # nothing but an incomplete last frame shows that these are cut off


@dataclass(frozen=True)
class Header:
    """What a file states about its video stream."""

    kind: str
    codec: str
    index: int
    alone: bool
    frames: int
    seconds: float
    unit: Fraction
    rates: tuple[Fraction | None, ...]
    warnings: tuple[str, ...]


def read_packets(path: str, wanted: int | None) -> tuple[Header, list[PacketInfo]]:
    """The header, and the packets of the stream that is scored, in decode order."""
    with open_container(path) as container:
        streams = video_streams(container, path)
        videos = streams.videos
        length_sizes = {index: _nal_length_size(video) for index, video in videos.items()}
        found: dict[int, list[PacketInfo]] = {index: [] for index in videos}
        for packet in container.demux(list(videos.values())):
            if packet.size:
                size, key = length_sizes[packet.stream_index], packet.is_keyframe
                found[packet.stream_index].append(
                    PacketInfo(
                        packet.pts,
                        packet.dts,
                        key,
                        packet.is_discard,
                        packet.is_corrupt,
                        key and (not size or _has_idr(bytes(packet), size)),
                    )
                )
        chosen = choose_stream(streams, found, wanted, path)
        video = videos[chosen]
        kind = container.format.name.split(",")[0]
        rates = (video.average_rate, video.guessed_rate, video.base_rate)
        header = Header(
            kind=kind,
            codec=video.codec_context.name,
            index=chosen,
            alone=streams.alone,
            frames=video.frames,
            seconds=_stated_seconds(container, video) if kind in STATED_LENGTH else 0.0,
            unit=_fraction(video.time_base) or Fraction(1),
            rates=tuple(map(_fraction, rates)),
            warnings=tuple(stream_warnings(streams, chosen)),
        )
    return header, found[chosen]


def first_frame(path: str, index: int, allow_damaged: bool) -> VideoFrame | None:
    """The first frame that can be decoded; an error is raised unless damage is allowed."""
    with open_container(path) as container:
        for packet in container.demux(container.streams[index]):
            try:
                frames = packet.decode()
            except av.error.EOFError:
                return None
            except av.error.FFmpegError as error:
                if not (allow_damaged and is_damage(error)):
                    raise
                continue
            for frame in frames:
                if isinstance(frame, VideoFrame):
                    return frame
    return None


def what_is_missing(
    path: str, header: Header, packets: Sequence[PacketInfo], seconds: float
) -> str | None:
    """How one can see that a file is cut off; None if it is not, or nothing shows it.

    Args:
        path: path of the file.
        header: what the file states.
        packets: packets of the scored stream.
        seconds: time at which the frames end.
    """
    if header.kind == "mov" and len(packets) < TRUNCATED * header.frames:
        # An edit list may hide frames of a file that is whole.
        with open_container(path, ignore_editlist="1") as container:
            demuxed = container.demux(container.streams[header.index])
            held = sum(1 for packet in demuxed if packet.size)
        if held < TRUNCATED * header.frames:
            return f"its header says {header.frames} frames, the file holds {held}"
    lacks = lacks_end(path, header.kind)
    if lacks:
        return "the file is shorter than its container says"
    if packets[-1].corrupt or (header.kind in NO_END and not _ends_whole(path, header, packets)):
        return "its last frame is incomplete"
    if lacks is None and seconds < ENDS_EARLY * header.seconds - 1:
        return f"frames end at {seconds:.1f} s of {header.seconds:.1f} s"
    return None


def _ends_whole(path: str, header: Header, packets: Sequence[PacketInfo]) -> bool:
    """Whether the decoder gives the last frame without damage; decodes the last two groups."""
    keys = [i for i, packet in enumerate(packets) if packet.key][-2:]
    rest = packets[keys[0] if keys else 0 :]
    start, times = rest[0].dts, [packet.pts for packet in rest if packet.pts is not None]
    if start is None or not times:
        return True
    ends = {max(times), packets[-1].pts}  # the last in display order, and in decode order
    fed: set[int | None] = set()
    healthy: set[int | None] = set()
    damaged: set[int | None] = set()
    with open_container(path) as container:
        stream = container.streams[header.index]
        try:
            container.seek(start, stream=stream)
        except av.error.FFmpegError:
            return True
        for packet in container.demux(stream):
            fed.add(packet.pts)
            try:
                frames = packet.decode()
            except av.error.FFmpegError as error:
                if not is_damage(error):
                    raise
                continue
            for frame in frames:
                if isinstance(frame, VideoFrame):
                    (damaged if frame.is_corrupt else healthy).add(frame.pts)
    if header.codec == "h264":  # its last packet may be the second field of a frame
        return not ends & damaged
    return not ends <= fed or ends <= healthy


def _fraction(value: AVRational | Fraction | None) -> Fraction | None:
    return Fraction(value.numerator, value.denominator) if value else None


def _stated_seconds(container: InputContainer, stream: VideoStream) -> float:
    """The duration that the header states, in seconds; 0 if it states none."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    others = len(container.streams) > 1  # the duration of the file may then be that of its sound
    return 0.0 if others else (container.duration or 0) / av.time_base


def _nal_length_size(stream: VideoStream) -> int:
    """Bytes that state the length of each unit of H.264 in MP4 and Matroska; 0 for all else."""
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
