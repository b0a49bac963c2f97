"""Where the segments of a clip begin and end."""

import json
import re
from collections.abc import Sequence
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import vapoursynth as vs

SHORT_TAIL = 0.5  # a last piece below this share of a segment joins the segment before it

type Segmentation = int | str | PathLike[str] | Sequence[int]


class Segment(NamedTuple):
    """Frames [start, end) of a clip."""

    start: int
    end: int


def find_segments(clip: vs.VideoNode, segmentation: Segmentation) -> list[Segment]:
    """Cut a clip into segments that cover it.

    Args:
        clip: of any format.
        segmentation: frames per segment; "5s" or "240f"; "scenes", from ``_SceneChangePrev``; first
            frames of segments; or a file: an av1an scenes JSON, a list of keyframes, a qpfile.

    Raises:
        ValueError: it means nothing, or no frame carries a scene change.
    """
    total = clip.num_frames
    if isinstance(segmentation, bool):
        raise ValueError(f"segment={segmentation} means nothing. Give frames, '5s' or 'scenes'.")
    if isinstance(segmentation, int):
        return _fixed(total, segmentation)
    if isinstance(segmentation, str) and (
        match := re.fullmatch(r"([\d.]+)\s*([sf])", segmentation)
    ):
        return _fixed(total, _length(match[1], match[2], clip.fps))
    if segmentation == "scenes":
        return _from_starts(total, _scene_changes(clip), "the scene changes of the clip")
    if isinstance(segmentation, str | PathLike):
        return _from_starts(total, _read_starts(Path(segmentation)), f"'{segmentation}'")
    return _from_starts(total, segmentation, "the list of first frames")


def _length(number: str, unit: str, fps: Fraction) -> int:
    try:
        value = float(number)
    except ValueError:
        raise ValueError(f"segment='{number}{unit}' is no length. Try '5s' or '240f'.") from None
    if unit == "f":
        return int(value)
    if not fps:
        raise ValueError(
            f"segment='{number}s' needs a frame rate, and this clip has none. Give frames, or set "
            "one with std.AssumeFPS."
        )
    return max(1, round(value * float(fps)))


def _fixed(total: int, length: int) -> list[Segment]:
    if length < 1:
        raise ValueError(f"segment={length} is too short. Give 1 frame or more; 240 is usual.")
    starts = list(range(0, total, length))
    if len(starts) > 1 and total - starts[-1] < SHORT_TAIL * length:
        starts.pop()
    return _between(starts, total)


def _from_starts(total: int, starts: Sequence[int], source: str) -> list[Segment]:
    ordered = sorted({0, *starts})
    if ordered[0] < 0 or ordered[-1] >= total:
        wrong = ordered[0] if ordered[0] < 0 else ordered[-1]
        raise ValueError(
            f"{source} names frame {wrong}, but the clip has {total} frames. Were they made from "
            "another clip?"
        )
    return _between(ordered, total)


def _between(starts: list[int], total: int) -> list[Segment]:
    return [Segment(a, b) for a, b in zip(starts, [*starts[1:], total], strict=True)]


def _scene_changes(clip: vs.VideoNode) -> list[int]:
    """Read the properties of every frame, once, while the script is loaded."""
    changes, marked = [], False
    for n, frame in enumerate(clip.frames(close=True)):
        marked |= "_SceneChangePrev" in frame.props
        if frame.props.get("_SceneChangePrev") == 1:
            changes.append(n)
    if not marked:
        raise ValueError(
            "segment='scenes' needs the frame property _SceneChangePrev, and no frame has it. Run "
            "a scene detector first, as core.scxvid.Scxvid or core.misc.SCDetect."
        )
    return changes


def _read_starts(path: Path) -> list[int]:
    if not path.is_file():
        raise ValueError(
            f"segment='{path}' is neither a file nor a length. Try 240, '5s', 'scenes', or a file."
        )
    text = path.read_text(errors="replace")
    if text.lstrip().startswith(("{", "[")):
        try:
            scenes = json.loads(text)["scenes"]
            return [int(scene["start_frame"]) for scene in scenes]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"'{path}' is not an av1an scenes file ({error!r}). It holds scenes, each with a "
                "start_frame."
            ) from None
    # a keyframe list ("# keyframe format v1", "fps 0", then numbers) or a qpfile ("120 I -1")
    numbers = [re.match(r"\s*(\d+)(\s+[IKi].*)?\s*$", line) for line in text.splitlines()]
    starts = [int(match[1]) for match in numbers if match]
    if not starts:
        raise ValueError(f"'{path}' names no frame. Give a keyframe list or a qpfile.")
    return starts
