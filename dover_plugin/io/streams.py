"""Open a file with FFmpeg, which then reads this file only, and choose its video stream."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from dover_plugin.errors import VideoError

# Demuxers that read nothing but the file they are given. Playlists and scripts (concat, hls, dash,
# imf, sdp, vobsub, mlv) open other files.
DEMUXERS = (
    "aac ac3 aiff amr ape apng apv asf asf_o au av1 avi avs2 avs3 bink caf cavsvideo cine dhav "
    "dirac dnxhd dts dv eac3 evc flac flic flv gif gxf h261 h263 h264 hevc iff image2 ivf ivr "
    "jpegxl_anim kux live_flv lxf m4v matroska mjpeg mjpeg_2000 moflex mov mp3 mpeg mpegts "
    "mpegvideo mpjpeg mtv mxf mxg nsv nut nuv obu ogg pmp pva r3d rm roq rpl smjpeg smk swf tta "
    "ty vc1 vc1test vivo vvc w64 wav webp_anim wtv wv xmv yuv4mpegpipe bmp_pipe dpx_pipe exr_pipe "
    "gif_pipe hdr_pipe j2k_pipe jpeg_pipe jpegls_pipe jpegxl_pipe pam_pipe pbm_pipe pcx_pipe "
    "pgm_pipe png_pipe ppm_pipe psd_pipe qoi_pipe sgi_pipe sunrast_pipe tiff_pipe webp_pipe"
).split()
LISTS = {  # first bytes -> what kind of list of other files they begin
    b"ffconcat": "a concat script of FFmpeg",
    b"#EXTM3U": "a playlist",
    b"[playlist]": "a playlist",
    b"<asx": "a playlist",
    b"v=0": "a session description",
}
DOLBY_VISION: Final = (
    "dovi_conf"  # FFmpeg's AVDOVIDecoderConfigurationRecord; byte 2 is the profile
)
NO_BASE_LAYER = 5  # profile whose base layer is neither SDR nor HDR10


@dataclass(frozen=True)
class Streams:
    """The video streams that can be decoded, without cover art.

    Attributes:
        videos: by index in the file.
        alone: the file has one video stream, cover art included.
    """

    videos: Mapping[int, VideoStream]
    alone: bool


def open_container(path: str, **options: str) -> InputContainer:
    """Open a file. Neither its name nor its content leads to other files or addresses.

    Args:
        path: path of the file.
        options: options of FFmpeg's demuxer.

    Raises:
        FFmpegError: no allowed demuxer can read the file.
    """
    safe = {
        "protocol_whitelist": "file",
        "format_whitelist": ",".join(DEMUXERS),
        "pattern_type": "none",  # a name such as a%03d.png is one file
    }
    return av.open(f"file:{path}", container_options=safe | options)


def list_of_files(path: str) -> str | None:
    """What kind of list of other files the content is; None for anything else."""
    with Path(path).open("rb") as file:
        head = file.read(2048).lstrip(b"\xef\xbb\xbf \t\r\n")
    if b"<MPD" in head or b"<SmoothStreamingMedia" in head:
        return "a streaming manifest"
    return next((kind for start, kind in LISTS.items() if head.startswith(start)), None)


def video_streams(container: InputContainer, path: str) -> Streams:
    """Find the video streams of a file.

    Raises:
        VideoError: there is none, or none that FFmpeg can decode.
    """
    cover = av.stream.Disposition.attached_pic
    found = [each for each in container.streams if isinstance(each, VideoStream)]
    films = [each for each in found if not each.disposition & cover]
    # PyAV gives no codec context to a stream whose codec FFmpeg does not know.
    known = {each.index: each for each in films if each.codec_context is not None}
    if known:
        return Streams(known, len(found) == 1)
    if films:
        raise VideoError(
            f"{path!r} has a video stream with a codec that FFmpeg does not know. Convert the file "
            "to H.264; if it is damaged, get another copy."
        )
    kinds = sorted({"cover art" if s.type == "video" else s.type for s in container.streams})
    raise VideoError(
        f"{path!r} holds no video (only {', '.join(kinds) or 'nothing'}). Use another file."
    )


def choose_stream(
    streams: Streams, packets: Mapping[int, Sequence[object]], wanted: int | None, path: str
) -> int:
    """Index of the stream to score: the most pixels per frame, then the default, then the first.

    A stream of one frame, such as a cover that is stored as video, comes last.

    Args:
        streams: streams to choose from.
        packets: packets of each stream.
        wanted: index that the user chose; None chooses by the rule.
        path: path of the file.

    Raises:
        VideoError: the chosen index is not that of a video stream.
    """
    videos = streams.videos
    if wanted is not None:
        if wanted not in videos:
            raise VideoError(
                f"{path!r} has no video stream {wanted}. Its video streams: "
                f"{', '.join(map(str, videos))}. Choose one of them with --stream."
            )
        return wanted

    def rank(index: int) -> tuple[bool, int, bool, int]:
        codec = videos[index].codec_context
        default = bool(videos[index].disposition & av.stream.Disposition.default)
        return len(packets[index]) > 1, codec.width * codec.height, default, -index

    return max(videos, key=rank)


def stream_warnings(streams: Streams, chosen: int) -> list[str]:
    """Sentences about the choice of the stream.

    Raises:
        VideoError: Dolby Vision without a base layer that can be scored.
    """
    codec = streams.videos[chosen].codec_context
    warnings = []
    if len(streams.videos) > 1:
        warnings.append(
            f"stream {chosen} ({codec.width}x{codec.height}) of {len(streams.videos)} video "
            "streams is scored; --stream chooses another one"
        )
    record = codec.coded_side_data.get(DOLBY_VISION, b"")
    if len(record) > 2 and record[2] == NO_BASE_LAYER:
        raise VideoError(
            "Dolby Vision profile 5 has no base layer in SDR or HDR10, so its colours cannot be "
            "converted. Convert the video to HDR10 or SDR with a tool that applies Dolby Vision."
        )
    return warnings
