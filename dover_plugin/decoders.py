"""Video files through decord and PyAV."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from dover_plugin.errors import SettingsError, VideoError
from dover_plugin.video import Frame, FrameSource, VideoInfo

MIN_JUMP = 12  # frames; a shorter way is quicker decoded than sought
MAX_THREADS = 8  # each decoding thread holds a few full frames
HDR_TRANSFERS = {16: "PQ", 18: "HLG"}  # ITU-T H.273
CHECK_DAMAGE = "See what is wrong with 'ffmpeg -v error -i FILE -f null -'."
ENDS_EARLY = 0.9  # frames that end before this share of the length, and a second: worth a word
TRUNCATED = 0.98  # fewer frames than this share of what the header says: the file was cut off


def open_file(path: str, decoder: str) -> FrameSource:
    """Open a file that exists; see video.open_source."""
    scan = scan_file(path)
    if decoder == "pyav":
        return PyAvSource(scan)
    if find_spec("decord") is None:
        if decoder == "decord":
            raise SettingsError(
                "The decoder 'decord' is not installed. Run 'pip install decord', or use 'pyav'."
            )
        return PyAvSource(scan)
    try:
        return DecordSource(scan)
    except VideoError:
        if decoder == "decord":
            raise
        info = replace(
            scan.info, warnings=(*scan.info.warnings, "decord cannot read this file; PyAV did")
        )
        return PyAvSource(replace(scan, info=info))


@dataclass(frozen=True)
class Scan:
    """What the container and its packets tell, without decoding.

    Attributes:
        info: as PyAvSource gives it.
        timestamps: of every frame, ascending; empty where packets carry none or repeat one.
        keyframes: indices of frames from which decoding can start.
    """

    info: VideoInfo
    timestamps: tuple[int, ...]
    keyframes: tuple[int, ...]


def scan_file(path: str) -> Scan:
    """Read a file's packets, but decode only its first frame.

    Raises:
        VideoError: not a video, no picture in it, cut off, or undecodable from the start.
    """
    try:
        with av.open(path) as container:
            stream = _video_stream(container, path)
            packets = [
                (packet.pts, packet.is_keyframe)
                for packet in container.demux(stream)
                if packet.size and not packet.is_discard
            ]
            declared = stream.frames
            length_s = (container.duration or 0) / av.time_base
            end_s = max((p for p, _ in packets if p is not None), default=0) * stream.time_base
            fps = float(stream.average_rate) if stream.average_rate else None
        with av.open(path) as container:
            first = next(container.decode(_video_stream(container, path)), None)
    except av.error.EOFError:
        raise VideoError(
            f"{path!r} holds a header but no frame. Was its writing cut off?"
        ) from None
    except av.error.FFmpegError as error:
        raise VideoError(
            f"{path!r} cannot be read as a video ({error.strerror or error}). "
            f"Try 'ffprobe' on it; it may be damaged or no video at all."
        ) from None
    if first is None or not packets:
        raise VideoError(
            f"{path!r} holds a video stream but no frame can be decoded (its header says "
            f"{declared}). Try 'ffprobe' on it; it may be cut off."
        )
    if len(packets) < TRUNCATED * declared:
        raise VideoError(
            f"{path!r} is cut off: its header says {declared} frames, the file holds "
            f"{len(packets)}. Get the whole file, or repair it with 'ffmpeg -i IN -c copy OUT'."
        )
    times = sorted((pts, key) for pts, key in packets if pts is not None)
    usable = len(times) == len(packets) == len({pts for pts, _ in times})
    height, width = first.height, first.width
    if first.rotation % 180:
        height, width = width, height
    warnings = []
    if first.color_trc in HDR_TRANSFERS:
        warnings.append(
            f"HDR ({HDR_TRANSFERS[first.color_trc]}) is scored as it is stored, without tone "
            "mapping; the model was trained on SDR"
        )
    if declared == 0 and times and end_s < ENDS_EARLY * length_s - 1:
        warnings.append(
            f"frames end at {float(end_s):.1f} s of {length_s:.1f} s; the file may be cut off"
        )
    info = VideoInfo(path, len(packets), height, width, fps, "pyav", tuple(warnings))
    return Scan(
        info,
        timestamps=tuple(pts for pts, _ in times) if usable else (),
        keyframes=tuple(i for i, (_, key) in enumerate(times) if key) if usable else (),
    )


class PyAvSource:
    """A file through PyAV, jumping to key frames where that saves decoding."""

    def __init__(self, scan: Scan) -> None:
        self.info = scan.info
        self._scan = scan

    def frames(self, indices: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        """See video.FrameSource."""
        path, keys = self.info.path or "", self._scan.keyframes
        position = -1  # of the last decoded frame
        try:
            with av.open(path) as container:
                stream = _video_stream(container, path)
                decoded = _decode(container, stream)
                for index in indices:
                    key = keys[bisect_right(keys, index) - 1] if keys and keys[0] <= index else 0
                    if key - position > MIN_JUMP:
                        container.seek(self._scan.timestamps[key], stream=stream)
                        decoded = container.decode(stream)
                    frame = None
                    while position < index:
                        frame = next(decoded, None)
                        if frame is None:
                            raise self._broken(index, f"the last good one is {position}")
                        position = self._index_of(frame, position)
                    if frame is None or position > index:
                        raise self._broken(index, f"frame {position} follows its predecessor")
                    yield index, _rgb(frame)
        except av.error.FFmpegError as error:
            raise self._broken(position + 1, error.strerror or str(error)) from None

    def _index_of(self, frame: VideoFrame, position: int) -> int:
        """Index of the frame decoded after ``position``."""
        times = self._scan.timestamps
        if not times or frame.pts is None:
            return position + 1
        at = bisect_left(times, frame.pts)
        # Frames that lead a key frame jumped to, or stand in no packet, are not counted.
        return max(at, position) if at < len(times) and times[at] == frame.pts else position

    def _broken(self, index: int, reason: str) -> VideoError:
        return VideoError(
            f"Cannot decode frame {index} of {self.info.num_frames} of {self.info.path!r} "
            f"({reason}). {CHECK_DAMAGE}"
        )


class DecordSource:
    """A file through decord.

    Raises:
        VideoError: decord cannot read it.
    """

    def __init__(self, scan: Scan) -> None:
        import decord

        decord.logging.set_level(decord.logging.QUIET)
        path = scan.info.path or ""
        try:
            self._reader: Any = decord.VideoReader(path, num_threads=MAX_THREADS)
            shape = self._reader[0].shape
        except (decord.DECORDError, RuntimeError, IndexError, UnicodeError) as error:
            raise VideoError(
                f"decord cannot read {path!r} ({_reason(error)}). Use the decoder 'pyav'."
            ) from None
        if shape != (scan.info.height, scan.info.width, 3):
            # decord 0.6 takes the padding of very narrow frames for pixels
            raise VideoError(f"decord reads frames of {path!r} as {shape}. Use the decoder 'pyav'.")
        self.info = replace(scan.info, decoder="decord", num_frames=len(self._reader))

    def frames(self, indices: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        """See video.FrameSource."""
        import decord

        for index in indices:
            try:
                frame = self._reader[index].asnumpy()
            except (decord.DECORDError, RuntimeError, IndexError) as error:
                # decord decodes ahead, so where it stops says nothing of where the damage is
                raise VideoError(
                    f"Cannot decode every frame of {self.info.path!r}: decord met damaged data. "
                    f"{CHECK_DAMAGE}"
                ) from error
            yield index, frame


def _video_stream(container: InputContainer, path: str) -> VideoStream:
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            return stream
    kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
    raise VideoError(f"{path!r} holds no video (only {kinds}). Name a file with a picture.")


def _decode(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = MAX_THREADS
    return container.decode(stream)


def _rgb(frame: VideoFrame) -> Frame:
    """(H, W, 3) uint8, upright."""
    picture = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    turns = round(frame.rotation / 90) % 4
    return np.rot90(picture, turns) if turns else picture


def _reason(error: Exception) -> str:
    """Decord's complaint without its time stamps, source lines and stack."""
    line = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return line.rsplit("Check failed: ", 1)[-1].rsplit("] ", 1)[-1].strip()[:120]
