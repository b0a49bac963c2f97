"""Frames of videos as images inside the page."""

import base64
from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING

from dover_plugin.analysis.comparison import Comparison
from dover_plugin.analysis.segments import SegmentScores, time_code
from dover_plugin.errors import VideoError
from dover_plugin.io.open import reopen
from dover_plugin.io.source import VideoInfo
from dover_plugin.reporting.html.page import Picture, Slide
from dover_plugin.scores import Scores
from dover_plugin.text import name_of

if TYPE_CHECKING:
    from PIL.Image import Image

THUMBNAIL, FULL = 360, 960  # maximum image widths in pixels
QUALITY = 82  # of JPEG


def slides(found: Sequence[Comparison]) -> list[Slide]:
    """Source and transcode at the largest loss of each comparison, where frames can be decoded."""
    shown = []
    for each in found:
        pair = each.worst()
        frames = [
            *_frames(each.before.info, [_middle(pair.before)]).values(),
            *_frames(each.after.info, [_middle(pair.after)]).values(),
        ]
        if len(frames) < 2:
            continue
        size = frames[0].size  # both images must have one size
        urls = [_url(frame.resize(size), FULL) for frame in frames]
        text = f"{moment(pair.after)}, largest loss: " + ", ".join(
            f"{s} {pair.difference(s):+.3f}" for s in pair.after.scores.present
        )
        shown.append(Slide(name_of(each.after.info.path), text, urls[0], urls[1]))
    return shown


def thumbnails(info: VideoInfo, parts: Sequence[SegmentScores]) -> list[Picture]:
    """The middle frame of each segment that can be decoded."""
    frames = _frames(info, [_middle(part) for part in parts])
    return [
        Picture(_url(frames[_middle(part)], THUMBNAIL), moment(part), _numbers(part.scores))
        for part in parts
        if _middle(part) in frames
    ]


def thumbnail(scores: Scores) -> list[Picture]:
    """The middle frame of a video; none if it cannot be decoded."""
    frames = _frames(scores.info, [scores.num_frames // 2]) if scores.info else {}
    return [
        Picture(_url(frame, THUMBNAIL), name_of(scores.path), _numbers(scores))
        for frame in frames.values()
    ]


def moment(part: SegmentScores) -> str:
    """Start of a segment as text."""
    if part.start_seconds is None:
        return f"frame {part.segment.start}"
    return time_code(part.start_seconds)


def _frames(info: VideoInfo, wanted: Sequence[int]) -> "dict[int, Image]":
    """Frames of a file by number, read in one pass; empty for frames in memory."""
    from PIL import Image

    found: dict[int, Image.Image] = {}
    with suppress(VideoError):  # the video has scores; a missing thumbnail is no error
        source = reopen(info)
        for index, frame in source.frames(sorted(set(wanted))) if source else ():
            found[index] = Image.fromarray(frame)
    return found


def _numbers(scores: Scores) -> str:
    return ", ".join(f"{name} {getattr(scores, name):.3f}" for name in scores.present)


def _url(image: "Image", widest: int) -> str:
    if image.width > widest:
        image = image.resize((widest, max(1, round(image.height * widest / image.width))))
    jpeg = BytesIO()
    image.save(jpeg, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.getvalue()).decode()


def _middle(part: SegmentScores) -> int:
    return (part.segment.start + part.segment.end) // 2
