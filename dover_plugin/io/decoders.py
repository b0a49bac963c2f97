"""FrameSource for video files, backed by PyAV; other_decoders.py holds the others."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
from av.video.frame import VideoFrame

from dover_plugin.errors import SettingsError, VideoError
from dover_plugin.io.colour import rgb24
from dover_plugin.io.cursor import Cursor
from dover_plugin.io.damage import file_errors
from dover_plugin.io.deinterlace import deinterlaced
from dover_plugin.io.hdr import OPERATOR, deep_rgb, tone_mapper
from dover_plugin.io.options import OpenOptions
from dover_plugin.io.scan import Scan, scan_file
from dover_plugin.io.source import INTERLACED, Frame, FrameSource, VideoInfo


def open_file(path: str, options: OpenOptions) -> FrameSource:
    """Open a file that exists; see open.open_source."""
    scan = scan_file(path, options.stream, allow_damaged=options.allow_damaged)
    source = PyAvSource(scan, options)
    if options.decoder in ("auto", "pyav"):
        return source
    if options.deinterlace or options.allow_damaged:
        raise SettingsError(
            "Deinterlacing and damaged files need the decoder 'pyav', got "
            f"{options.decoder!r}. Use 'auto'."
        )
    if source.maps_tones:
        raise VideoError(
            f"{path!r} is HDR ({scan.info.hdr}), which the decoder {options.decoder!r} cannot tone "
            "map. Use the decoder 'pyav', or score it as it is with --hdr as-is."
        )
    from dover_plugin.io.other_decoders import OtherSource, numbering_of

    if numbering_of(options.decoder) not in scan.numbered_by:
        raise VideoError(
            f"{options.decoder} miscounts the frames of files like {path!r}. Use the decoder "
            "'pyav' or 'auto'."
        )
    return OtherSource(source, options.decoder)


class PyAvSource:
    """A file through PyAV, which decodes only what the requested frames are made of.

    It jumps to key frames where that saves decoding, and skips frames that are not requested and
    that no other frame refers to.
    """

    def __init__(self, scan: Scan, options: OpenOptions) -> None:
        self._scan = scan
        self._options = options
        self._damaged: set[int] = set()
        self._interlaced = False

    @property
    def maps_tones(self) -> bool:
        """Whether the file is HDR and its frames are tone mapped."""
        return self._scan.info.hdr is not None and self._options.hdr == "tonemap"

    @property
    def info(self) -> VideoInfo:
        """What is known about the video; frames that were read add warnings."""
        info = replace(self._scan.info, options=self._options)
        warnings = [hdr_note(info.hdr, mapped=self.maps_tones)] if info.hdr else []
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
                picture = self.to_rgb(frame)
            yield index, picture

    def to_rgb(self, frame: VideoFrame) -> Frame:
        """A decoded frame as (H, W, 3) uint8 RGB, upright, tone mapped if it is HDR.

        Raises:
            VideoError: an HDR frame whose colours cannot be converted.
        """
        if not self.maps_tones:
            return _upright(rgb24(frame), frame)
        rgb, white = deep_rgb(frame)
        mapper = tone_mapper(self._scan.info.hdr or "PQ", self._scan.primaries, white)
        return _upright(mapper(rgb), frame)

    def decode(self, indices: Sequence[int]) -> Iterator[tuple[int, VideoFrame]]:
        """Yield (index, frame) as decoded; see source.FrameSource."""
        path, steady = self._scan.info.path or "", self._options.allow_damaged
        with ExitStack() as files:
            with file_errors(path):
                cursor = files.enter_context(Cursor(self._scan, indices))
            for index in indices:
                with file_errors(path):
                    frame, problem = cursor.frame(index)
                    if problem and cursor.may_be_wrong(steady=steady):
                        cursor = files.enter_context(
                            Cursor(self._scan, indices, shortcuts=False, steady=steady)
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


def hdr_note(transfer: str, *, mapped: bool) -> str:
    """The warning about an HDR video."""
    if mapped:
        return f"HDR ({transfer}) is tone mapped to SDR ({OPERATOR})"
    return f"HDR ({transfer}) is scored as it is stored; the models were trained on SDR"


def _upright(picture: Frame, frame: VideoFrame) -> Frame:
    """The picture, rotated as the frame says."""
    turns = round(frame.rotation / 90) % 4
    return np.rot90(picture, turns) if turns else picture
