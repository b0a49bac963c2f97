"""FrameSource for video files, backed by decord, decord2 or torchcodec."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from dover_plugin.errors import DoverError, SettingsError, VideoError
from dover_plugin.io.source import Frame, VideoInfo

if TYPE_CHECKING:
    from dover_plugin.io.decoders import PyAvSource

THREADS = 8  # each decoding thread holds a few full frames
INSTALL = {"decord": "pip install 'dover-plugin[decord]'", "torchcodec": "pip install torchcodec"}

type Reader = tuple[int, Callable[[int], Frame]]  # number of frames, and a frame by its number


class OtherSource:
    """A file through another decoder; PyAV decodes the same frames, since others hide damage.

    Raises:
        VideoError: the decoder cannot read the file, or reads other frames than PyAV.
    """

    def __init__(self, checked: "PyAvSource", decoder: str) -> None:
        given = checked.info
        self._checked = checked
        self._decoder = decoder
        try:
            count, self._get = OPENERS[decoder](given)
            shape = self._get(0).shape
        except DoverError:
            raise
        except Exception as error:  # each decoder has errors of its own
            raise self._error("read", error) from None
        expected = (given.height, given.width, 3)
        if shape != expected or count != given.num_frames:
            # decord reads the padding of very narrow frames as pixels
            raise VideoError(
                f"{decoder} reads {count} frames of {shape} in {given.path!r}, which holds "
                f"{given.num_frames} of {expected}. Use the decoder 'pyav'."
            )

    @property
    def info(self) -> VideoInfo:
        """See source.FrameSource."""
        return replace(self._checked.info, decoder=self._decoder)

    def frames(self, indices: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        """See source.FrameSource."""
        for index, _ in self._checked.decode(indices):
            try:
                frame = self._get(index)
            except Exception as error:
                raise self._error(f"decode frame {index} of", error) from None
            yield index, frame

    def _error(self, verb: str, error: Exception) -> VideoError:
        return VideoError(
            f"{self._decoder} cannot {verb} {self._checked.info.path!r} ({_reason(error)}). Use "
            "the decoder 'pyav'."
        )


def numbering_of(decoder: str) -> str:
    """The key of scan.NUMBERS for an installed decoder; that of decord depends on its version.

    Raises:
        SettingsError: the decoder is not installed, or cannot be loaded.
    """
    if find_spec(decoder) is None:
        raise SettingsError(
            f"The decoder {decoder!r} is not installed. Run {INSTALL[decoder]}, or use 'pyav'."
        )
    if decoder == "decord":
        import decord

        return "decord" if decord.__version__.startswith("0.") else "decord2"
    try:
        import torchcodec.decoders  # noqa: F401
    except (ImportError, RuntimeError, OSError) as error:  # FFmpeg's libraries, or another torch
        raise SettingsError(
            f"torchcodec cannot be loaded ({_reason(error)}). It needs FFmpeg's shared libraries "
            "and the version of torch that it was built for; otherwise use 'pyav'."
        ) from None
    return decoder


def _open_decord(info: VideoInfo) -> Reader:
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    reader = decord.VideoReader(f"file:{info.path}", num_threads=THREADS)
    return len(reader), lambda index: reader[index].asnumpy()


def _open_torchcodec(info: VideoInfo) -> Reader:
    from torchcodec.decoders import VideoDecoder

    reader = VideoDecoder(
        f"file:{info.path}",
        stream_index=info.stream,
        dimension_order="NHWC",
        num_ffmpeg_threads=THREADS,
    )
    return len(reader), lambda index: reader[index].numpy()


OPENERS: dict[str, Callable[[VideoInfo], Reader]] = {
    "decord": _open_decord,
    "torchcodec": _open_torchcodec,
}


def _reason(error: Exception) -> str:
    """The message of an error without time stamps, source lines and stack."""
    line = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return line.rsplit("Check failed: ", 1)[-1].rsplit("] ", 1)[-1].strip()[:120]
