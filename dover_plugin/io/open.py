"""Open any supported input as a FrameSource; ``open_source`` is the entry point.

PyAV reads files by default. decord and torchcodec are options; they number the frames of fewer file
types correctly (see io/scan.py). All return the same RGB: swscale converts, the tagged matrix and
range are honoured, untagged video is read as BT.601, rotation is applied. PyAV maps HDR to SDR.
"""

import os
from dataclasses import replace
from os import PathLike, fspath

from dover_plugin.errors import VideoError
from dover_plugin.io.checks import check_file
from dover_plugin.io.memory import LAYOUTS, frames_in_memory
from dover_plugin.io.options import OpenOptions
from dover_plugin.io.part import PartSource, part_of
from dover_plugin.io.source import FrameSource, Video, VideoInfo


def open_source(
    video: Video,
    decoder: str = "auto",
    *,
    stream: int | None = None,
    deinterlace: bool = False,
    allow_damaged: bool = False,
    hdr: str = "tonemap",
    start: str | int | None = None,
    end: str | int | None = None,
    as_sequence: bool = False,
    fps: float | None = None,
) -> FrameSource:
    """Open a video of any supported kind; a FrameSource is returned as it is.

    Args:
        video: a path; a URL such as "https://host/clip.mp4"; frames as an array or tensor
            (T, H, W, 3) or (T, 3, H, W), or as a list of arrays (H, W, 3), tensors or Pillow
            images, all RGB, uint8 or float in [0, 1]; the bytes of a video file, or a binary stream
            of them; or a FrameSource.
        decoder: decoder for files: "pyav", "decord", "torchcodec", or "auto", which is PyAV.
        stream: index of the video stream in a file, as ffprobe shows it; None chooses the stream
            with the most pixels per frame.
        deinterlace: deinterlace interlaced frames of a file with FFmpeg's bwdif.
        allow_damaged: read files that are cut off or damaged, with a warning. Damaged frames are
            as the decoder conceals them.
        hdr: "tonemap" maps HDR files (PQ, HLG) to SDR by BT.2390; "as-is" leaves them.
        start: where the part that is read starts: seconds such as "10s" or "1:30", or the number
            of a frame such as 250; None starts at the first frame.
        end: where it ends, before this position; None ends with the last frame.
        as_sequence: a path is a folder or a pattern of images, which are the frames of one video;
            see sequence.ImageSequence.
        fps: frames per second of frames in memory and of image sequences, which state none.

    Raises:
        SettingsError: an unknown decoder or mode, or one that is not installed or lacks an option;
            a start that is not before the end.
        VideoError: the input cannot be read as a video, is cut off, or has no such part.

    Examples:
        >>> source = open_source("good.mp4")
        >>> source.info.num_frames, source.info.width, source.info.height, source.info.fps
        (50, 640, 360, 25.0)
        >>> [(index, frame.shape) for index, frame in source.frames([0, 40])]
        [(0, (360, 640, 3)), (40, (360, 640, 3))]
    """
    options = OpenOptions(
        decoder=decoder,
        stream=stream,
        deinterlace=deinterlace,
        allow_damaged=allow_damaged,
        hdr=hdr,
        start=start,
        end=end,
        as_sequence=as_sequence,
        fps=fps,
    )
    return open_with(video, options)


def open_with(video: Video, options: OpenOptions) -> FrameSource:
    """``open_source`` with its options as one object."""
    if isinstance(video, FrameSource):
        is_whole = video.info.options is None and not isinstance(video, PartSource)
        return part_of(video, options) if is_whole else video
    return part_of(_open_whole(video, options), options)


def reopen(info: VideoInfo) -> FrameSource | None:
    """Open a video again as it was opened before; None for frames in memory.

    Raises:
        VideoError: it cannot be read any more.
    """
    if info.path is None or info.options is None:
        return None
    return open_with(info.path, info.options)


def _open_whole(video: object, options: OpenOptions) -> FrameSource:
    if isinstance(video, str | PathLike):
        return _open_path(fspath(video), options)
    found = frames_in_memory(video, options.fps)
    if found is not None:
        return found
    options = replace(options, fps=None)  # files state their own
    if isinstance(video, bytes | bytearray | memoryview):
        from dover_plugin.io.copies import open_bytes

        return open_bytes(video, options)
    if hasattr(video, "read"):
        from dover_plugin.io.copies import open_stream

        return open_stream(video, options)
    raise VideoError(
        f"A video is a path, a URL, frames {LAYOUTS[4]}, a list of frames, bytes, a binary stream "
        f"or a FrameSource, got {type(video).__name__}."
    )


def _open_path(path: str, options: OpenOptions) -> FrameSource:
    if options.as_sequence:
        from dover_plugin.io.sequence import ImageSequence

        return ImageSequence(
            path,
            options.fps,
            allow_damaged=options.allow_damaged,
            hdr=options.hdr,
            options=options,
        )
    options = replace(options, fps=None)  # files state their own
    from dover_plugin.io.remote import is_url, open_url

    if is_url(path) and not os.path.lexists(path):
        return open_url(path, options)
    check_file(path)
    from dover_plugin.io import decoders  # imports FFmpeg's libraries

    return decoders.open_file(path, options)
