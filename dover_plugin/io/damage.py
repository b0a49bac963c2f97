"""Damage in a video file: what is cut off, and which frames a damaged frame affects."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from mmap import mmap
from pathlib import Path
from typing import BinaryIO, NamedTuple

import av.error
import numpy as np
from numpy.typing import NDArray

from dover_plugin.errors import DoverError, VideoError
from dover_plugin.text import described

REORDER = 4  # frames by which decode and display order differ where timestamps do not tell
MAX_REORDER = 16  # ITU-T H.264 and H.265 allow no more
SPARE_MEMORY = 2**28  # bytes; if they are free, a lack of memory in FFmpeg is due to the file
TS_PACKETS = (188, 192, 204)  # bytes
DV_FRAMES = (120_000, 144_000)  # bytes, NTSC and PAL; larger frames are multiples
ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
MAX_BOXES = 100_000


class PacketInfo(NamedTuple):
    """What the demuxer tells about one packet.

    Attributes:
        pts: presentation time in ticks.
        dts: decoding time in ticks.
        key: decoding can start here.
        discarded: an edit list hides the frame.
        corrupt: the demuxer found data missing or damaged.
        fresh: no later frame refers to an earlier one.
    """

    pts: int | None
    dts: int | None
    key: bool
    discarded: bool
    corrupt: bool
    fresh: bool


@dataclass(frozen=True)
class Dependencies:
    """Dependencies between frames and packets; arrays over the frames in display order.

    Attributes:
        order: position of each frame in decode order.
        group: number of its group of pictures. A group starts at a key frame.
        leading: the frame is displayed before the key frame of its group, and may refer to the
            group before.
        until: frame that must be decoded before damage to this one is known.
        slack: decode positions by which ``order`` may be wrong.
        groups: group of each decode position.
        corrupt: decode positions of packets that the demuxer found damaged.
    """

    order: NDArray[np.int64]
    group: NDArray[np.int64]
    leading: NDArray[np.bool_]
    until: NDArray[np.int64]
    slack: int
    groups: NDArray[np.int64]
    corrupt: tuple[int, ...]

    @classmethod
    def of(cls, packets: Sequence[PacketInfo], shown: Sequence[int] | None) -> "Dependencies":
        """The dependencies of a stream.

        Args:
            packets: all packets of the stream, in decode order.
            shown: decode position of each frame in display order; None if it is not known, and
                frames are counted.
        """
        keys = np.array([packet.key for packet in packets])
        groups = np.cumsum(keys)
        corrupt = tuple(i for i, packet in enumerate(packets) if packet.corrupt)
        if shown is None:
            order = np.array([i for i, packet in enumerate(packets) if not packet.discarded])
            count = np.arange(len(order))
            until = np.minimum(count + REORDER, len(order) - 1)
            leading = np.zeros(len(order), bool)
            return cls(order, groups[order], leading, until, REORDER, groups, corrupt)
        order = np.asarray(shown, np.int64)
        group = groups[order]
        shown_at = np.array([packet.pts or 0 for packet in packets])
        key_times = np.append(np.iinfo(np.int64).min, shown_at[keys])  # group 0 has no key frame
        leading = shown_at[order] < key_times[group]
        by_decoding = np.argsort(order)
        until = np.empty(len(order), np.int64)
        until[by_decoding] = np.maximum.accumulate(by_decoding)
        until = np.minimum(until, np.arange(len(order)) + MAX_REORDER)
        return cls(order, group, leading, until, 0, groups, corrupt)


@dataclass
class Damage:
    """Damage that is known so far, and the frames that it affects.

    A damaged frame affects all frames that are decoded after it up to the next key frame, and those
    after the key frame that are displayed before it.
    """

    frames: Dependencies
    _first: dict[int, int] = field(default_factory=dict)  # decode position by group

    def __post_init__(self) -> None:
        for position in self.frames.corrupt:
            self.add(position, position + 1)  # a parser may hold back a packet

    def add(self, first: int, last: int) -> None:
        """Record damage between two decode positions."""
        last = min(last, len(self.frames.groups) - 1)
        first = max(0, min(first - self.frames.slack, last))
        for group in range(int(self.frames.groups[first]), int(self.frames.groups[last]) + 1):
            self._first[group] = min(first, self._first.get(group, first))

    def reaches(self, index: int) -> bool:
        """Whether a frame, by its number in display order, shows damage."""
        if not self._first:
            return False
        group = int(self.frames.group[index])
        if group in self._first and self.frames.order[index] >= self._first[group]:
            return True
        return bool(self.frames.leading[index]) and group - 1 in self._first


@contextmanager
def file_errors(path: str) -> Iterator[None]:
    """Turn whatever FFmpeg and PyAV raise for a file into one VideoError.

    Raises:
        VideoError: the file cannot be read.
        MemoryError: the process is out of memory.
    """
    try:
        yield
    except DoverError:
        raise
    except av.error.EOFError:
        raise VideoError(
            f"{path!r} holds a header but no frame. It is cut off; get the whole file."
        ) from None
    except Exception as error:
        if isinstance(error, MemoryError) and not is_damage(error):
            raise
        raise VideoError(
            f"{path!r} cannot be read as a video ({reason(error)}). It may be damaged or not a "
            "video; check it with 'ffprobe'."
        ) from None


def is_damage(error: Exception) -> bool:
    """Whether an error is one of FFmpeg about the file; damaged sizes also exhaust memory."""
    if not isinstance(error, av.error.FFmpegError):
        return False
    if isinstance(error, MemoryError):
        try:
            mmap(-1, SPARE_MEMORY).close()  # reserves memory without touching it
        except OSError:
            return False
    return True


def reason(error: Exception) -> str:
    """What FFmpeg says about an error."""
    if isinstance(error, MemoryError):
        return "FFmpeg asks for more memory than there is, which damaged sizes cause"
    if isinstance(error, av.error.FFmpegError):
        return error.strerror or str(error)
    return f"PyAV: {described(error)}"


def lacks_end(path: str, kind: str) -> bool | None:
    """Whether a file is shorter than its container states; None if the container does not state it.

    Args:
        path: path of the file.
        kind: first name of FFmpeg's demuxer.
    """
    size = Path(path).stat().st_size
    with Path(path).open("rb") as file:
        match kind:
            case "mov":
                return _mp4_lacks_end(file, size)
            case "matroska":
                return _matroska_lacks_end(file, size)
            case "avi":
                return _riff_lacks_end(file, size)
            case "ogg":
                return _ogg_lacks_end(file, size)
            case "asf":
                return _asf_lacks_end(file, size)
            case "mpegts":
                return _ts_lacks_end(file, size)
            case "dv":
                return all(size % frame for frame in DV_FRAMES)
            case "image2" | "jpeg_pipe" | "png_pipe" | "webp_pipe":
                return _image_lacks_end(file.read())
    return None


def _image_lacks_end(data: bytes) -> bool | None:
    """Look for the end of a JPEG (ITU-T T.81, B.1.1.3), PNG or WebP file."""
    if data.startswith(b"\xff\xd8"):  # a thumbnail may have a scan and an end of its own
        return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    if data.startswith(b"\x89PNG"):
        return b"IEND" not in data
    if data.startswith(b"RIFF"):
        return len(data) < 8 + int.from_bytes(data[4:8], "little")
    return None


def _mp4_lacks_end(file: BinaryIO, size: int) -> bool:
    """Follow the boxes of the top level (ISO 14496-12, 4.2)."""
    at = 0
    for _ in range(MAX_BOXES):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            break
        length = int.from_bytes(head[:4])
        if length == 1:
            length = int.from_bytes(head[8:16])
        if length < 8:  # 0: up to the end
            break
        if at + length > size:
            return head[4:8] in (b"mdat", b"moov", b"moof")
        at += length
    return False


def _matroska_lacks_end(file: BinaryIO, size: int) -> bool | None:
    """Compare the size of the segment (RFC 8794, RFC 9559); live streams do not state it."""
    head = file.read(4096)
    at = 4 if head.startswith(b"\x1a\x45\xdf\xa3") else len(head)
    for name in (b"", b"\x18\x53\x80\x67"):
        if head[at : at + len(name)] != name or at + len(name) >= len(head):
            return None
        at += len(name)
        width = 9 - head[at].bit_length()
        value = int.from_bytes(head[at : at + width]) & ((1 << 7 * width) - 1)
        unknown = value == (1 << 7 * width) - 1
        at += width
        if not name:
            at += value
    return None if unknown else at + value > size


def _riff_lacks_end(file: BinaryIO, size: int) -> bool | None:
    """Follow the RIFF chunks of an AVI file; large files have several."""
    at = 0
    while at + 12 <= size:
        file.seek(at)
        head = file.read(12)
        if head[:4] != b"RIFF":
            break
        length = int.from_bytes(head[4:8], "little")
        if length in (0, 2**32 - 1):  # a recording that was not finished
            return None
        if at + 8 + length > size:
            return True
        at += 8 + length + length % 2
    return False


def _asf_lacks_end(file: BinaryIO, size: int) -> bool | None:
    """Compare the file size that the header states (ASF specification, 3.2)."""
    head = file.read(2**16)
    at = head.find(ASF_FILE_PROPERTIES)
    stated = int.from_bytes(head[at + 40 : at + 48], "little") if at >= 0 else 0
    return stated > size if stated else None


def _ts_lacks_end(file: BinaryIO, size: int) -> bool | None:
    """Check that the last packet of a transport stream is whole (ISO 13818-1, 2.4.3.2)."""
    head = file.read(3 * max(TS_PACKETS))
    for length in TS_PACKETS:
        start = length - 188 if length == 192 else 0  # M2TS puts a time stamp before each packet
        if head[start::length][:2] == b"\x47\x47":
            return size % length > 0
    return None


def _ogg_lacks_end(file: BinaryIO, size: int) -> bool:
    """Check that the last page is whole (RFC 3533, 6)."""
    file.seek(max(0, size - 2**17))
    tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0:
        return False
    lacing = tail[at + 27 : at + 27 + tail[at + 26]] if at + 27 <= len(tail) else b""
    return at + 27 > len(tail) or at + 27 + tail[at + 26] + sum(lacing) > len(tail)
