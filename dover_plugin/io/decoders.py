"""FrameSource for video files, backed by PyAV or decord."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, NamedTuple, Self

import av.error
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from dover_plugin.errors import SettingsError, VideoError
from dover_plugin.io.damage import Damage, file_errors, is_damage, reason
from dover_plugin.io.deinterlace import deinterlaced
from dover_plugin.io.scan import Scan, scan_file
from dover_plugin.io.source import INTERLACED, Frame, FrameSource, VideoInfo
from dover_plugin.io.streams import open_container

MIN_JUMP = 12  # frames; decoding a shorter distance is faster than seeking
MAX_THREADS = 8  # each decoding thread holds a few full frames


class FileOptions(NamedTuple):
    """How a file is opened.

    Attributes:
        decoder: "auto", "decord" or "pyav".
        stream: index of the video stream; None chooses the best one.
        deinterlace: deinterlace interlaced frames with FFmpeg's bwdif.
        allow_damaged: yield damaged frames as the decoder conceals them, with a warning.
    """

    decoder: str = "auto"
    stream: int | None = None
    deinterlace: bool = False
    allow_damaged: bool = False


def open_file(path: str, options: FileOptions) -> FrameSource:
    """Open a file that exists; see open.open_source."""
    scan = scan_file(path, options.stream, allow_damaged=options.allow_damaged)
    source = PyAvSource(scan, options)
    if options.decoder != "decord":
        return source
    if options.deinterlace or options.allow_damaged:
        raise SettingsError(
            "Deinterlacing and damaged files need the decoder 'pyav', got 'decord'. Use 'auto'."
        )
    if find_spec("decord") is None:
        raise SettingsError(
            "The decoder 'decord' is not installed. Run 'pip install decord', or use 'pyav'."
        )
    if not scan.decord_counts:
        raise VideoError(
            f"decord miscounts the frames of files like {path!r}. Use the decoder 'pyav' or 'auto'."
        )
    return DecordSource(scan, source)


class PyAvSource:
    """A file through PyAV, which decodes only what the requested frames are made of.

    It jumps to key frames where that saves decoding, and skips frames that are not requested and
    that no other frame refers to.
    """

    def __init__(self, scan: Scan, options: FileOptions) -> None:
        self._scan = scan
        self._options = options
        self._damaged: set[int] = set()
        self._interlaced = False

    @property
    def info(self) -> VideoInfo:
        """What is known about the video; frames that were read add warnings."""
        info, warnings = self._scan.info, []
        if self._damaged:
            warnings.append(
                f"{len(self._damaged)} frames are damaged, the first is frame "
                f"{min(self._damaged)}; they are scored as the decoder conceals them"
            )
        if self._interlaced:
            warnings.append(
                "interlaced frames are deinterlaced (bwdif)"
                if self._options.deinterlace
                else INTERLACED
            )
        return replace(info, warnings=(*info.warnings, *warnings)) if warnings else info

    def frames(self, indices: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        """See source.FrameSource."""
        if self._options.deinterlace:
            decoded = deinterlaced(self.decode, indices, self._scan.info.num_frames)
        else:
            decoded = self.decode(indices)
        path = self._scan.info.path or ""
        for index, frame in decoded:
            with file_errors(path):
                picture = _rgb(frame)
            yield index, picture

    def decode(self, indices: Sequence[int]) -> Iterator[tuple[int, VideoFrame]]:
        """Yield (index, frame) as decoded; see source.FrameSource."""
        path, steady = self._scan.info.path or "", self._options.allow_damaged
        with ExitStack() as files:
            with file_errors(path):
                cursor = files.enter_context(_Cursor(self._scan, indices))
            for index in indices:
                with file_errors(path):
                    frame, problem = cursor.frame(index)
                    if problem and cursor.may_be_wrong(steady=steady):
                        cursor = files.enter_context(
                            _Cursor(self._scan, indices, shortcuts=False, steady=steady)
                        )
                        frame, problem = cursor.frame(index)
                    if frame is None or problem:
                        shown = cursor.last if frame is None else frame
                        frame = self._concealed(index, shown, problem)
                    self._interlaced = self._interlaced or frame.interlaced_frame
                yield index, frame

    def _concealed(self, index: int, frame: VideoFrame | None, problem: str | None) -> VideoFrame:
        """The damaged frame, or the one before it, if damage is allowed.

        Raises:
            VideoError: damage is not allowed, or there is no frame.
        """
        if frame is None or not self._options.allow_damaged:
            info = self._scan.info
            advice = "" if self._options.allow_damaged else ", or score it with --allow-damaged"
            raise VideoError(
                f"Cannot decode frame {index} of {info.num_frames} of {info.path!r} ({problem}). "
                f"Check the file with 'ffmpeg -v error -i FILE -f null -'{advice}."
            )
        self._damaged.add(index)
        return frame


class _Cursor:
    """A position in an open file that moves forwards.

    Args:
        scan: metadata of the file.
        wanted: indices of the frames that will be requested.
        shortcuts: jump to key frames, and skip frames that no other frame refers to.
        steady: decode without frame threads, so that damaged frames are always concealed alike.
    """

    def __init__(
        self, scan: Scan, wanted: Sequence[int], *, shortcuts: bool = True, steady: bool = False
    ) -> None:
        self._scan = scan
        self._wanted = set(wanted)
        self._stamps = {scan.timestamps[index] for index in wanted} if scan.timestamps else set()
        self._jumps = shortcuts
        self._selects = shortcuts and scan.skips_unreferenced
        self._steady = steady
        self._jumped = False
        self._damage = Damage(scan.dependencies)
        self._held: dict[int, VideoFrame] = {}  # decoded, and requested later
        self._position = -1  # index of the last decoded frame
        self._fed = 0  # decode position of the next packet
        self._reports: list[str] = []
        self.last: VideoFrame | None = None

    def __enter__(self) -> Self:
        self._container = open_container(self._scan.info.path or "")
        stream = self._container.streams[self._scan.info.stream or 0]
        assert isinstance(stream, VideoStream)
        self._stream = stream
        self._stream.thread_type = "SLICE" if self._steady else "AUTO"
        self._stream.codec_context.thread_count = MAX_THREADS
        self._decoded = self._decode()
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def may_be_wrong(self, *, steady: bool) -> bool:
        """Whether a jump or a skipped frame, not the file, may be the cause of a problem.

        Args:
            steady: damaged frames are shown, so that they must not depend on threads either.
        """
        return self._jumped or self._selects or (steady and not self._steady)

    def frame(self, index: int) -> tuple[VideoFrame | None, str | None]:
        """Decode until frame ``index`` and its damage are known.

        Returns:
            The frame, None if it is missing; and what is wrong with it, None if it is healthy.
        """
        scan = self._scan
        keys = scan.keyframes
        key = keys[bisect_right(keys, index) - 1] if keys and keys[0] <= index else 0
        if self._jumps and key - self._position > MIN_JUMP:
            self._jumped = True
            try:
                self._container.seek(scan.timestamps[key], stream=self._stream)
            except av.error.FFmpegError as error:
                return None, reason(error)
            self._decoded = self._decode()
            self._position = key - 1
            self._fed = int(scan.dependencies.order[key])
        until = int(scan.dependencies.until[index])
        while self._position < until:
            frame = next(self._decoded, None)
            if frame is None:
                break
            self._keep(frame, index)
        found = self._held.pop(index, None)
        self._held = {at: each for at, each in self._held.items() if at > index}
        problem = None
        if self._damage.spoils(index):
            problem = self._reports[0] if self._reports else "the container reports damaged data"
        elif found is None:
            problem = self._reports[0] if self._reports else "the decoder gives no such frame"
        if found is not None:
            self.last = found
        return found, problem

    def _decode(self) -> Iterator[VideoFrame]:
        codec = self._stream.codec_context
        for packet in self._container.demux(self._stream):
            if self._selects:
                codec.skip_frame = "DEFAULT" if packet.pts in self._stamps else "NONREF"
            try:
                frames = packet.decode()
            except av.error.FFmpegError as error:
                if not is_damage(error):
                    raise
                self._lose(packet, reason(error))
                continue
            finally:
                self._fed += bool(packet.size)
            for frame in frames:
                if isinstance(frame, VideoFrame):
                    yield frame

    def _lose(self, packet: "Packet[Any]", report: str) -> None:
        """Record that the decoder failed at ``packet`` or at one that it still held."""
        order = self._scan.dependencies.order
        pending = order[self._position + 1 : self._position + 2 + MAX_THREADS]
        first = int(pending.min()) if len(pending) else self._fed
        self._damage.add(first, max(first, self._fed))
        self._reports.append(report)
        if not self._scan.timestamps and packet.size:
            self._position += 1  # frames are counted, and one is lost

    def _keep(self, frame: VideoFrame, index: int) -> None:
        """Note a decoded frame and its damage, and hold it if it is requested."""
        before, at = self._position, self._index_of(frame)
        if at <= before:
            return
        self._position = at
        order = self._scan.dependencies.order
        if frame.is_corrupt:
            self._damage.add(int(order[at]), int(order[at]))
            self._reports.append(f"the decoder reports damage in frame {at}")
        if self._scan.reports_losses:
            for lost in range(before + 1, at):
                self._damage.add(int(order[lost]), int(order[lost]))
                self._reports.append(f"the decoder drops frame {lost}")
        if at >= index and at in self._wanted:
            self._held[at] = frame
        else:
            self.last = frame

    def _index_of(self, frame: VideoFrame) -> int:
        times = self._scan.timestamps
        if not times:
            return min(self._position + 1, self._scan.info.num_frames - 1)
        if frame.pts is None:
            return self._position
        at = bisect_left(times, frame.pts)
        # Frames that lead a key frame after a jump, or that no packet announces, do not count.
        known = at < len(times) and times[at] == frame.pts
        return max(at, self._position) if known else self._position


class DecordSource:
    """A file through decord; PyAV decodes the same frames, since decord does not report damage.

    Raises:
        VideoError: decord cannot read it.
    """

    def __init__(self, scan: Scan, checked: PyAvSource) -> None:
        import decord

        decord.logging.set_level(decord.logging.QUIET)
        path = scan.info.path or ""
        try:
            self._reader: Any = decord.VideoReader(f"file:{path}", num_threads=MAX_THREADS)
            shape = self._reader[0].shape
        except (decord.DECORDError, RuntimeError, IndexError, UnicodeError) as error:
            raise VideoError(
                f"decord cannot read {path!r} ({_reason(error)}). Use the decoder 'pyav'."
            ) from None
        expected = (scan.info.height, scan.info.width, 3)
        if shape != expected or len(self._reader) != scan.info.num_frames:
            # decord 0.6 reads the padding of very narrow frames as pixels
            raise VideoError(
                f"decord reads {len(self._reader)} frames of {shape} in {path!r}, which holds "
                f"{scan.info.num_frames} of {expected}. Use the decoder 'pyav'."
            )
        self._checked = checked

    @property
    def info(self) -> VideoInfo:
        """See source.FrameSource."""
        return replace(self._checked.info, decoder="decord")

    def frames(self, indices: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        """See source.FrameSource."""
        import decord

        for index, _ in self._checked.decode(indices):
            try:
                frame = self._reader[index].asnumpy()
            except (decord.DECORDError, RuntimeError, IndexError) as error:
                raise VideoError(
                    f"decord cannot decode frame {index} of {self.info.path!r} "
                    f"({_reason(error)}). Use the decoder 'pyav'."
                ) from None
            yield index, frame


def _rgb(frame: VideoFrame) -> Frame:
    """(H, W, 3) uint8, upright."""
    picture = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    turns = round(frame.rotation / 90) % 4
    return np.rot90(picture, turns) if turns else picture


def _reason(error: Exception) -> str:
    """Decord's error message without its time stamps, source lines and stack."""
    line = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return line.rsplit("Check failed: ", 1)[-1].rsplit("] ", 1)[-1].strip()[:120]
