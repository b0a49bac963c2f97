"""Container and packet metadata, read before decoding."""

from collections.abc import Sequence
from dataclasses import dataclass

from av.video.frame import VideoFrame

from dover_plugin.errors import VideoError
from dover_plugin.io.damage import Dependencies, PacketInfo, file_errors
from dover_plugin.io.packets import Header, first_frame, read_packets, what_is_missing
from dover_plugin.io.source import HDR_TRANSFERS, VideoInfo
from dover_plugin.io.streams import list_of_files
from dover_plugin.io.timing import frame_rate, frame_times, joined

# Codecs whose frames other decoders number correctly, in these containers. For other files they
# return wrong frames without an error.
NUMBERED_CONTAINERS = {"mov", "matroska"}
DECORD_CODECS = {"h264", "vp8", "vp9", "prores", "ffv1"}
AV1 = {"av1", "libdav1d", "libaom-av1"}  # FFmpeg's names of its decoders
NUMBERS = {
    "decord": DECORD_CODECS,
    "decord2": DECORD_CODECS | AV1,
    "torchcodec": DECORD_CODECS | AV1 | {"hevc"},
}
WHOLE_FRAMES = {"mov", "matroska"}  # in others a packet may be one field
NO_TIMESTAMPS = {"avi", "h264", "hevc", "m4v", "mpegvideo"}  # these have decoding times at most
JOINABLE = {"mpegts", "mpeg"}  # concatenated files are valid files


@dataclass(frozen=True)
class Scan:
    """Metadata of the container and its packets; only the first frame is decoded.

    Attributes:
        info: as PyAvSource returns it.
        primaries: colour primaries of ITU-T H.273.
        timestamps: timestamp of each frame, ascending; empty if they are missing or ambiguous.
        keyframes: indices of frames at which decoding can start.
        dependencies: which frames damage affects.
        numbered_by: other decoders that number the frames as PyAV does; see NUMBERS.
        skips_unreferenced: packets are whole frames that state whether other frames refer to them.
        reports_losses: each packet gives one frame, so that a missing frame is damage.
    """

    info: VideoInfo
    primaries: int
    timestamps: tuple[int, ...]
    keyframes: tuple[int, ...]
    dependencies: Dependencies
    numbered_by: frozenset[str]
    skips_unreferenced: bool
    reports_losses: bool


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
        header, packets = read_packets(path, stream)
        first = first_frame(path, header.index, allow_damaged)
    if first is None or not packets:
        raise VideoError(
            f"{path!r} has a video stream, but no frame can be decoded. It may be cut off; check "
            "it with 'ffprobe'."
        )
    with file_errors(path):
        return _describe(path, header, packets, first, allow_damaged)


def _describe(
    path: str,
    header: Header,
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
    cut = what_is_missing(path, header, packets, seconds)
    if cut and not allow_damaged:
        raise VideoError(
            f"{path!r} is cut off: {cut}. Get the whole file, or score the rest with "
            "--allow-damaged."
        )
    if cut:
        warnings.append(f"the file is cut off: {cut}")
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
        HDR_TRANSFERS.get(first.color_trc),
    )
    plain = bool(
        kind in NUMBERED_CONTAINERS
        and header.alone  # otherwise it may read another stream
        and all(packet.fresh for packet in packets if packet.key)  # otherwise its jumps miss
        and usable
        and ticks
        and ticks[shown[0]] >= 0
        and num_frames == len(packets)
    )
    in_order = ticks is not None and kind not in NO_TIMESTAMPS
    return Scan(
        info,
        primaries=int(first.color_primaries),
        timestamps=tuple(ticks[i] for i in shown) if usable and ticks else (),
        keyframes=tuple(n for n, i in enumerate(shown) if packets[i].key) if usable else (),
        dependencies=Dependencies.of(packets, shown if in_order else None),
        numbered_by=frozenset(name for name, codecs in NUMBERS.items() if header.codec in codecs)
        if plain
        else frozenset(),
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
    """Packets; those at the joints of a concatenated file are not damaged.

    The demuxer reports a gap there, for the packet that it was reading or the one before.
    """
    seams = [i for i in range(1, len(packets)) if offsets[i] != offsets[i - 1]]
    fine = {each for i in seams for each in (i - 2, i - 1, i)}
    return [
        packet._replace(corrupt=packet.corrupt and i not in fine)
        for i, packet in enumerate(packets)
    ]
