"""Videos that are not files: bytes, binary streams and URLs are read from a temporary copy."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any

from dover_plugin.errors import VideoError
from dover_plugin.io.options import OpenOptions
from dover_plugin.io.source import Frame, FrameSource, VideoInfo
from dover_plugin.text import described

if TYPE_CHECKING:
    from tempfile import _TemporaryFileWrapper as TemporaryFile


class CopySource:
    """A video that is read from a temporary file, which is deleted with this object.

    Args:
        file: the temporary file, which is closed.
        name: what errors call the video.
        path: path that results state; None for a video in memory.
        options: how it is opened.

    Attributes:
        source: the copy, which lasts as long as this object.

    Raises:
        VideoError: the copy is no video, or damaged.
    """

    def __init__(
        self, file: "TemporaryFile[bytes]", name: str, path: str | None, options: OpenOptions
    ) -> None:
        from dover_plugin.io import decoders  # imports FFmpeg's libraries

        self._file = file
        self._name = name
        self._path = path
        with self.named_errors():
            self.source: FrameSource = decoders.open_file(file.name, options)

    @property
    def info(self) -> VideoInfo:
        """See source.FrameSource."""
        return replace(self.source.info, path=self._path)

    def frames(self, indices: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        """See source.FrameSource."""
        with self.named_errors():
            yield from self.source.frames(indices)

    @contextmanager
    def named_errors(self) -> Iterator[None]:
        """Name the video, not its copy, in errors."""
        try:
            yield
        except VideoError as error:
            raise VideoError(str(error).replace(repr(self._file.name), self._name)) from None


def open_copy(
    write: Callable[[IO[bytes]], object], name: str, path: str | None, options: OpenOptions
) -> CopySource:
    """Open a video from a copy that ``write`` makes.

    Raises:
        VideoError: nothing was written, the disk is full, or the copy is no video.
    """
    with ExitStack() as deleting:
        file: Any = deleting.enter_context(
            tempfile.NamedTemporaryFile(prefix="dover-", delete_on_close=False)
        )
        try:
            write(file)
            size = file.tell()
            file.close()
        except OSError as error:
            raise VideoError(
                f"Cannot copy {name} to {tempfile.gettempdir()!r} ({error.strerror or error}). "
                "Check that it can be read, and free disk space."
            ) from None
        if not size:
            raise VideoError(f"{name[0].upper()}{name[1:]} is empty (0 bytes). Get it again.")
        source = CopySource(file, name, path, options)
        deleting.pop_all()  # the source deletes the file
    return source


def open_bytes(data: bytes | bytearray | memoryview, options: OpenOptions) -> CopySource:
    """Open the bytes of a video file.

    Raises:
        VideoError: they are no video, or cut off.
    """
    return open_copy(lambda file: file.write(data), "the video in memory", None, options)


def open_stream(stream: Any, options: OpenOptions) -> CopySource:
    """Open a binary stream, which is read from its position to its end.

    Args:
        stream: any object with a method ``read`` that returns bytes.
        options: how the video is opened.

    Raises:
        VideoError: it is a text stream, or holds no video.
    """
    name = f"the stream {stream.name!r}" if hasattr(stream, "name") else "the binary stream"

    def write(file: IO[bytes]) -> None:
        try:
            shutil.copyfileobj(stream, file, 2**20)
        except TypeError:
            raise VideoError(f"{name} holds text. Open it in binary mode, 'rb'.") from None
        except OSError:  # of the disk, too
            raise
        except ValueError as error:  # it is closed
            raise VideoError(f"Cannot read {name} ({error}). Open it again.") from None
        except Exception as error:  # whatever the stream of the user raises
            raise VideoError(f"Cannot read {name} ({described(error)}). Open it again.") from None

    return open_copy(write, name, None, options)
