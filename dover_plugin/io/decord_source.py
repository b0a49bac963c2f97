"""FrameSource for video files, backed by decord."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dover_plugin.errors import VideoError
from dover_plugin.io.source import Frame, VideoInfo

if TYPE_CHECKING:
    from dover_plugin.io.decoders import PyAvSource

THREADS = 8  # each decoding thread holds a few full frames


class DecordSource:
    """A file through decord; PyAV decodes the same frames, since decord does not report damage.

    Raises:
        VideoError: decord cannot read it.
    """

    def __init__(self, checked: "PyAvSource") -> None:
        import decord

        decord.logging.set_level(decord.logging.QUIET)
        given = checked.info
        path = given.path or ""
        try:
            self._reader: Any = decord.VideoReader(f"file:{path}", num_threads=THREADS)
            shape = self._reader[0].shape
        except (decord.DECORDError, RuntimeError, IndexError, UnicodeError) as error:
            raise VideoError(
                f"decord cannot read {path!r} ({_reason(error)}). Use the decoder 'pyav'."
            ) from None
        expected = (given.height, given.width, 3)
        if shape != expected or len(self._reader) != given.num_frames:
            # decord 0.6 reads the padding of very narrow frames as pixels
            raise VideoError(
                f"decord reads {len(self._reader)} frames of {shape} in {path!r}, which holds "
                f"{given.num_frames} of {expected}. Use the decoder 'pyav'."
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


def _reason(error: Exception) -> str:
    """Decord's error message without its time stamps, source lines and stack."""
    line = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return line.rsplit("Check failed: ", 1)[-1].rsplit("] ", 1)[-1].strip()[:120]
