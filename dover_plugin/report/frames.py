"""Frames of videos as pictures inside the page."""

import base64
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from dover_plugin.comparison import Comparison
from dover_plugin.errors import SettingsError
from dover_plugin.report.page import Picture, Slide
from dover_plugin.scores import Scores
from dover_plugin.segments import SegmentScores, time_code
from dover_plugin.video import Frame, open_source

if TYPE_CHECKING:
    from PIL.Image import Image

THUMBNAIL, FULL = 360, 960  # widest picture, in pixels
QUALITY = 82  # of JPEG


def slide(found: Comparison) -> Slide:
    """The middle of the seconds that lost most.

    Raises:
        VideoError: a frame cannot be decoded.
        SettingsError: Pillow is missing.
    """
    pair = found.worst()
    frames = [
        _frame(timeline.info.path, _middle(part))
        for timeline, part in ((found.before, pair.before), (found.after, pair.after))
    ]
    size = frames[0].size  # one lies over the other
    urls = [_url(frame.resize(size), FULL) for frame in frames]
    return Slide(
        name_of(found.after.info.path),
        f"{moment(pair.after)}, where it lost most: overall {pair.difference('overall'):+.3f}, "
        f"technical {pair.difference('technical'):+.3f}, aesthetic "
        f"{pair.difference('aesthetic'):+.3f}",
        urls[0],
        urls[1],
    )


def thumbnails(path: str | None, parts: Sequence[SegmentScores]) -> list[Picture]:
    """The middle frame of each segment; see slide for errors."""
    return [
        Picture(
            _url(_frame(path, _middle(part)), THUMBNAIL),
            moment(part),
            f"overall {part.scores.overall:.3f}, technical {part.scores.technical:.3f}, aesthetic "
            f"{part.scores.aesthetic:.3f}",
        )
        for part in parts
    ]


def thumbnail(scores: Scores) -> Picture:
    """The middle frame of a video; see slide for errors."""
    return Picture(
        _url(_frame(scores.path, scores.num_frames // 2), THUMBNAIL),
        name_of(scores.path),
        f"overall {scores.overall:.3f}, technical {scores.technical:.3f}, aesthetic "
        f"{scores.aesthetic:.3f}",
    )


def moment(part: SegmentScores) -> str:
    """Where a segment begins, for people."""
    if part.start_seconds is None:
        return f"frame {part.segment.start}"
    return time_code(part.start_seconds)


def name_of(path: str | None) -> str:
    """Of a file, without its folder."""
    return Path(path).name if path else "frames"


def _frame(path: str | None, index: int) -> "Image":
    try:
        from PIL import Image
    except ImportError:
        raise SettingsError(
            'Pictures in a report need Pillow. Install it with "pip install '
            "'dover-plugin[report]'\"."
        ) from None
    frame: Frame
    ((_, frame),) = open_source(path or "").frames([index])
    return Image.fromarray(frame)


def _url(image: "Image", widest: int) -> str:
    if image.width > widest:
        image = image.resize((widest, max(1, round(image.height * widest / image.width))))
    jpeg = BytesIO()
    image.save(jpeg, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.getvalue()).decode()


def _middle(part: SegmentScores) -> int:
    return (part.segment.start + part.segment.end) // 2
