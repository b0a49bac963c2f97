"""FrameSource for video files, backed by PyAV or decord."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, Self

import av
import av.error
import numpy as np
from av.video.frame import VideoFrame

from dover_plugin.errors import SettingsError, VideoError
from dover_plugin.io.scan import Scan, open_container, scan_file, video_stream
from dover_plugin.io.source import Frame, FrameSource

MIN_JUMP = 12  # frames; a shorter way is quicker decoded than sought
MAX_THREADS = 8  # each decoding thread holds a few full frames
CHECK_DAMAGE = "See what is wrong with 'ffmpeg -v error -i FILE -f null -'."


def open_file(path: str, decoder: str) -> FrameSource:
    """Open a file that exists; see video.open_source."""
    scan = scan_file(path)
    if decoder != "decord":
        return PyAvSource(scan)
    if find_spec("decord") is None:
        raise SettingsError(
            "The decoder 'decord' is not installed. Run 'pip install decord', or use 'pyav'."
        )
    if not scan.decord_counts:
        raise VideoError(
            f"decord miscounts the frames of files like {path!r}. Use the decoder 'pyav' or 'auto'."
        )
    return DecordSource(scan)


class PyAvSource:
    """A file through PyAV, which decodes only what the frames asked for are made of.

    It jumps to key frames where that saves decoding, and passes over frames that nobody asked for
    and no other frame refers to.
    """

    def __init__(self, scan: Scan) -> None:
        self.info = scan.info
        self._scan = scan

    def frames(self, indices: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        """See video.FrameSource."""
        times = self._scan.timestamps
        wanted = {times[index] for index in indices} if times else None
        with ExitStack() as files:
            cursor = files.enter_context(_Cursor(self._scan, wanted, jumps=True))
            for index in indices:
                try:
                    frame = cursor.frame(index)
                except VideoError:
                    if not (cursor.jumped or cursor.selects):
                        raise
                    # It may be the jump that failed, not the file: go there on foot.
                    cursor = files.enter_context(_Cursor(self._scan, None, jumps=False))
                    frame = cursor.frame(index)
                yield index, _rgb(frame)


class _Cursor:
    """A place in an open file, moving forwards.

    Args:
        scan: of the file.
        wanted: timestamps of the frames that will be asked for; None decodes every frame.
        jumps: go to key frames without decoding what lies before them.
    """

    def __init__(self, scan: Scan, wanted: set[int] | None, jumps: bool) -> None:
        self._scan = scan
        self._wanted = wanted or set()
        self.selects = wanted is not None and scan.skips_unreferenced
        self._jumps = jumps
        self.jumped = False
        self.position = -1  # index of the last decoded frame

    def __enter__(self) -> Self:
        path = self._scan.info.path or ""
        self._container = open_container(path)
        self._stream = video_stream(self._container, path)
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.thread_count = MAX_THREADS
        self._decoded = self._decode()
        return self

    def _decode(self) -> Iterator[VideoFrame]:
        codec = self._stream.codec_context
        for packet in self._container.demux(self._stream):
            if self.selects:
                codec.skip_frame = "DEFAULT" if packet.pts in self._wanted else "NONREF"
            for frame in packet.decode():
                if isinstance(frame, VideoFrame):
                    yield frame

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def frame(self, index: int) -> VideoFrame:
        """Decode until frame ``index``.

        Raises:
            VideoError: it cannot be reached.
        """
        keys = self._scan.keyframes
        key = keys[bisect_right(keys, index) - 1] if keys and keys[0] <= index else 0
        try:
            if self._jumps and key - self.position > MIN_JUMP:
                self.jumped = True
                self._container.seek(self._scan.timestamps[key], stream=self._stream)
                self._decoded = self._decode()
            frame = None
            while self.position < index:
                frame = next(self._decoded, None)
                if frame is None:
                    raise self._broken(index, f"the last good one is {self.position}")
                self.position = self._index_of(frame)
        except MemoryError:  # FFmpeg's own is one of its errors too, and says nothing of the file
            raise
        except av.error.FFmpegError as error:
            place = index if self.selects else self.position + 1
            raise self._broken(place, error.strerror or str(error)) from None
        if frame is None or self.position > index:
            raise self._broken(index, f"frame {self.position} follows its predecessor")
        return frame

    def _index_of(self, frame: VideoFrame) -> int:
        times = self._scan.timestamps
        if not times:
            return self.position + 1
        if frame.pts is None:
            return self.position
        at = bisect_left(times, frame.pts)
        # Frames that lead a key frame jumped to, or stand in no packet, are not counted.
        known = at < len(times) and times[at] == frame.pts
        return max(at, self.position) if known else self.position

    def _broken(self, index: int, reason: str) -> VideoError:
        info = self._scan.info
        return VideoError(
            f"Cannot decode frame {index} of {info.num_frames} of {info.path!r} ({reason}). "
            f"{CHECK_DAMAGE}"
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
            self._reader: Any = decord.VideoReader(f"file:{path}", num_threads=MAX_THREADS)
            shape = self._reader[0].shape
        except (decord.DECORDError, RuntimeError, IndexError, UnicodeError) as error:
            raise VideoError(
                f"decord cannot read {path!r} ({_reason(error)}). Use the decoder 'pyav'."
            ) from None
        expected = (scan.info.height, scan.info.width, 3)
        if shape != expected or len(self._reader) != scan.info.num_frames:
            # decord 0.6 takes the padding of very narrow frames for pixels
            raise VideoError(
                f"decord sees {len(self._reader)} frames of {shape} in {path!r}, which holds "
                f"{scan.info.num_frames} of {expected}. Use the decoder 'pyav'."
            )
        self.info = replace(scan.info, decoder="decord")

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


def _rgb(frame: VideoFrame) -> Frame:
    """(H, W, 3) uint8, upright."""
    picture = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    turns = round(frame.rotation / 90) % 4
    return np.rot90(picture, turns) if turns else picture


def _reason(error: Exception) -> str:
    """Decord's complaint without its time stamps, source lines and stack."""
    line = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return line.rsplit("Check failed: ", 1)[-1].rsplit("] ", 1)[-1].strip()[:120]
