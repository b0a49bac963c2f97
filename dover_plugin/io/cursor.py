"""A position in an open file that moves forwards and knows about damage."""

from bisect import bisect_left, bisect_right
from collections.abc import Generator, Sequence
from typing import Any, Self

import av.error
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from dover_plugin.io.damage import Damage, is_damage, reason
from dover_plugin.io.scan import Scan
from dover_plugin.io.streams import open_container

MIN_JUMP = 12  # frames; decoding a shorter distance is faster than seeking
MAX_THREADS = 8  # each decoding thread holds a few full frames


class Cursor:
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
        self._held: dict[int, VideoFrame] = {}  # decoded, and not yet requested
        self._position = -1  # index of the last decoded frame
        self._fed = 0  # decode position of the next packet
        self._reports: list[str] = []
        self.last: VideoFrame | None = None  # the frame before the requested one

    def __enter__(self) -> Self:
        self._container = open_container(self._scan.info.path or "")
        stream = self._container.streams[self._scan.info.stream or 0]
        assert isinstance(stream, VideoStream)
        self._stream = stream
        self._stream.thread_type = "SLICE" if self._steady else "AUTO"
        self._stream.codec_context.thread_count = 1 if self._steady else MAX_THREADS
        self._decoded = self._decode()
        return self

    def __exit__(self, *_: object) -> None:
        self._decoded.close()  # it refers to the cursor, and the cycle would keep the decoder
        self._held.clear()
        self.last = None
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
        for at in sorted(self._held):
            if at < index:
                self.last = self._held.pop(at)
        until = int(scan.dependencies.until[index])
        while self._position < until:
            frame = next(self._decoded, None)
            if frame is None:
                break
            self._keep(frame, index)
        found = self._held.pop(index, None)
        problem = None
        if self._damage.reaches(index):
            problem = self._reports[0] if self._reports else "the container reports damaged data"
        elif found is None:
            problem = self._reports[0] if self._reports else "the decoder gives no such frame"
        if found is not None:
            self.last = found
        return found, problem

    def _decode(self) -> Generator[VideoFrame]:
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
        if at < index:
            self.last = frame
        elif at in self._wanted or self._steady:
            self._held[at] = frame

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
