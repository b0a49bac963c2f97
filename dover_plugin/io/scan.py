"""Container and packet metadata, read before decoding."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import av.error
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from dover_plugin.errors import VideoError
from dover_plugin.io.damage import Dependencies, PacketInfo, file_errors, is_damage, lacks_end
from dover_plugin.io.source import HDR_TRANSFERS, VideoInfo
from dover_plugin.io.streams import (
    choose_stream,
    list_of_files,
    open_container,
    stream_warnings,
    video_streams,
)
from dover_plugin.io.timing import frame_rate, frame_times, joined

TRUNCATED = 0.98  # share of the frames that the header of an MP4 states
ENDS_EARLY = 0.9  # share of the duration that other headers state, which is less reliable
# Containers and codecs whose frames decord 0.6 numbers correctly. For others it returns wrong
# frames without an error.
DECORD_CONTAINERS = {"mov", "matroska"}
DECORD_CODECS = {"h264", "vp8", "vp9", "prores", "ffv1"}
WHOLE_FRAMES = {"mov", "matroska"}  # in others a packet may be one field
NO_TIMESTAMPS = {"avi", "h264", "hevc", "m4v", "mpegvideo"}  # these have decoding times at most
JOINABLE = {"mpegts", "mpeg"}  # concatenated files are valid files
STATED_LENGTH = {"flv", "matroska", "asf", "avi"}  # FFmpeg estimates the length of others


@dataclass(frozen=True)
class Scan:
    """Metadata of the container and its packets; only the first frame is decoded.

    Attributes:
        info: as PyAvSource returns it.
        timestamps: timestamp of each frame, ascending; empty if they are missing or ambiguous.
        keyframes: indices of frames at which decoding can start.
        dependencies: which frames damage spoils.
        decord_counts: decord numbers the frames as PyAV does.
        skips_unreferenced: packets are whole frames that state whether other frames refer to them.
        reports_losses: each packet gives one frame, so that a missing frame is damage.
    """

    info: VideoInfo
    timestamps: tuple[int, ...]
    keyframes: tuple[int, ...]
    dependencies: Dependencies
    decord_counts: bool
    skips_unreferenced: bool
    reports_losses: bool


@dataclass(frozen=True)
class _Header:
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


def scan_file(path: str, stream: int | None = None, *, allow_damaged: bool = False) -> Scan:
    """Read a file's packets and decode its first frame.

    Args:
        path: path of the file.
        stream: index of the video stream; None chooses the best one, see streams.choose_stream.
        allow_damaged: accept a file that is cut off or whose first frame is damaged.

    Raises:
        VideoError: no video, cut off, or the first frame cannot be decoded.
    """
    kind = list_of_files(path)
    if kind:
        raise VideoError(
            f"{path!r} is {kind}, not a video. Score the videos that it lists, or join them with "
            "'ffmpeg -i LIST -c copy OUT.mkv'."
        )
    with file_errors(path):
        header, packets = _read_packets(path, stream)
        first = _first_frame(path, header.index, allow_damaged)
    if first is None or not packets:
        raise VideoError(
            f"{path!r} has a video stream, but no frame can be decoded. It may be cut off; check "
            "it with 'ffprobe'."
        )
    with file_errors(path):
        return _describe(path, header, packets, first, allow_damaged)


def _read_packets(path: str, wanted: int | None) -> tuple[_Header, list[PacketInfo]]:
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
        header = _Header(
            kind=kind,
            codec=video.codec_context.name,
            index=chosen,
            alone=streams.alone,
            frames=video.frames,
            seconds=_stated_seconds(container, video) if kind in STATED_LENGTH else 0.0,
            unit=Fraction(video.time_base or 1),
            rates=tuple(Fraction(rate) if rate else None for rate in rates),
            warnings=tuple(stream_warnings(streams, chosen)),
        )
    return header, found[chosen]


def _first_frame(path: str, index: int, allow_damaged: bool) -> VideoFrame | None:
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


def _describe(
    path: str,
    header: _Header,
    packets: list[PacketInfo],
    first: VideoFrame,
    allow_damaged: bool,
) -> Scan:
    """Order the frames, find their times, and collect what may surprise."""
    kind, unit = header.kind, header.unit
    warnings = list(header.warnings)
    offsets = joined([p.dts for p in packets], unit) if kind in JOINABLE else None
    if offsets:  # the last packet of a part is whole, though its successor does not continue it
        packets = _without_seams(packets, offsets)
    shown = [i for i, packet in enumerate(packets) if not packet.discarded]
    ticks = _ticks(packets, shown, offsets, dts=kind in NO_TIMESTAMPS)
    usable = ticks is not None and offsets is None and kind not in NO_TIMESTAMPS
    if ticks is not None and kind not in NO_TIMESTAMPS:
        shown.sort(key=ticks.__getitem__)
    num_frames = len(shown)
    if usable and ticks and first.pts is not None:
        shown = [i for i in shown if ticks[i] >= first.pts] or shown
        if len(shown) < num_frames:
            warnings.append(
                f"the first {num_frames - len(shown)} frames cannot be decoded and are left out"
            )
            num_frames = len(shown)
    stated = next((float(rate) for rate in header.rates if rate), None)
    times = frame_times(sorted(ticks[i] for i in shown), unit, stated) if ticks else None
    seconds = float(times[-1]) if times is not None else 0.0
    if ticks:  # a header may count from zero, not from the first frame
        seconds = max(seconds, float(max(ticks[i] for i in shown) * unit))
    cut = _what_is_missing(path, header, packets, seconds)
    if cut and not allow_damaged:
        raise VideoError(
            f"{path!r} is cut off: {cut}. Get the whole file, or score the rest with "
            "--allow-damaged."
        )
    if cut:
        warnings.append(f"the file is cut off: {cut}")
    if first.color_trc in HDR_TRANSFERS:
        warnings.append(
            f"HDR ({HDR_TRANSFERS[first.color_trc]}) is scored as it is stored, without tone "
            "mapping; the model was trained on SDR"
        )
    height, width = first.height, first.width
    if first.rotation % 180:
        height, width = width, height
    info = VideoInfo(
        path,
        num_frames,
        height,
        width,
        frame_rate(header.rates, times),
        "pyav",
        tuple(warnings),
        times,
        header.index,
    )
    in_order = ticks is not None and kind not in NO_TIMESTAMPS
    return Scan(
        info,
        timestamps=tuple(ticks[i] for i in shown) if usable and ticks else (),
        keyframes=tuple(n for n, i in enumerate(shown) if packets[i].key) if usable else (),
        dependencies=Dependencies.of(packets, shown if in_order else None),
        decord_counts=bool(
            kind in DECORD_CONTAINERS
            and header.alone  # otherwise it may read another stream
            and all(packet.fresh for packet in packets if packet.key)  # otherwise its jumps miss
            and header.codec in DECORD_CODECS
            and usable
            and ticks
            and ticks[shown[0]] >= 0
            and num_frames == len(packets)
        ),
        skips_unreferenced=usable and kind in WHOLE_FRAMES and header.codec == "h264",
        reports_losses=header.codec == "hevc",
    )


def _ticks(
    packets: Sequence[PacketInfo], shown: Sequence[int], offsets: list[int] | None, *, dts: bool
) -> list[int] | None:
    """The timestamp of each packet; None unless those of all displayed frames differ."""
    stamps = [packet.dts if dts else packet.pts for packet in packets]
    known = [stamps[i] for i in shown]
    if None in known:
        return None
    ticks = [at or 0 for at in stamps]
    if offsets:
        ticks = [at + offset for at, offset in zip(ticks, offsets, strict=True)]
    return ticks if len({ticks[i] for i in shown}) == len(shown) else None


def _without_seams(packets: list[PacketInfo], offsets: Sequence[int]) -> list[PacketInfo]:
    """Packets, of which those at the joints of a concatenated file are not damaged."""
    seams = [i for i in range(1, len(packets)) if offsets[i] != offsets[i - 1]]
    fine = {each for i in seams for each in (i - 1, i)}
    return [
        packet._replace(corrupt=packet.corrupt and i not in fine)
        for i, packet in enumerate(packets)
    ]


def _what_is_missing(
    path: str, header: _Header, packets: Sequence[PacketInfo], seconds: float
) -> str | None:
    """How one can see that a file is cut off; None if it is not, or nothing shows it."""
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
    if packets[-1].corrupt:
        return "its last frame is incomplete"
    if lacks is None and seconds < ENDS_EARLY * header.seconds - 1:
        return f"frames end at {seconds:.1f} s of {header.seconds:.1f} s"
    return None


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
