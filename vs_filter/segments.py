"""Segments of a clip."""

import json
import os
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from operator import index
from os import PathLike
from pathlib import Path

import vapoursynth as vs

from dover_plugin.analysis.segments import Segment, between, by_length

type Segmentation = int | str | PathLike[str] | Sequence[int]


def find_segments(clip: vs.VideoNode, segmentation: Segmentation) -> list[Segment]:
    """Cut a clip into segments that cover it.

    Args:
        clip: clip of any format.
        segmentation: frames per segment; "5s", "240f" or "240"; "scenes", from the property
            ``_SceneChangePrev``; first frames of segments; or a file: an av1an scenes JSON, a list
            of keyframes, a qpfile.

    Raises:
        ValueError: it means nothing, or no frame carries a scene change.
    """
    total = clip.num_frames
    if isinstance(segmentation, PathLike):
        return _from_starts(total, _read_starts(Path(segmentation), total), f"'{segmentation}'")
    if isinstance(segmentation, str):
        if match := re.fullmatch(r"([\d.]+)\s*([sf]?)", segmentation.strip()):
            return _fixed(total, _length(match[1], match[2] or "f", clip.fps))
        if segmentation == "scenes":
            return _from_starts(total, _scene_changes(clip), "the scene changes of the clip")
        return _from_starts(total, _read_starts(Path(segmentation), total), f"'{segmentation}'")
    try:
        if isinstance(segmentation, bool | bytes):
            raise TypeError
        if not isinstance(segmentation, Iterable):
            return _fixed(total, index(segmentation))
        starts = [index(start) for start in segmentation]
    except TypeError:
        raise ValueError(
            f"Invalid segment {segmentation!r}. Use a number of frames, '5s', 'scenes', first "
            "frames or a file."
        ) from None
    return _from_starts(total, starts, "the list of first frames")


def names_chunks(segmentation: Segmentation) -> bool:
    """Whether segments are the chunks of an av1an scenes file."""
    if not isinstance(segmentation, str | PathLike) or not os.path.isfile(segmentation):  # noqa: PTH113
        return False
    return Path(segmentation).read_text("utf-8-sig", errors="replace").lstrip().startswith("{")


def _length(number: str, unit: str, fps: Fraction) -> int:
    try:
        value = Fraction(number)
    except ValueError:
        raise ValueError(
            f"Invalid segment length '{number}{unit}'. Use for example '5s' or '240f'."
        ) from None
    if unit == "s" and not fps:
        raise ValueError(
            f"Segment length '{number}s' needs a frame rate, and the clip has none. Use frames, or "
            "set one with std.AssumeFPS."
        )
    return round(value * fps) if unit == "s" else int(value)


def _fixed(total: int, length: int) -> list[Segment]:
    if length < 1:
        raise ValueError(
            f"Segment length {length} is too short. Use 1 frame or more; the default is 240."
        )
    return by_length(total, length)


def _from_starts(total: int, starts: Sequence[int], source: str) -> list[Segment]:
    ordered = sorted({0, *starts})
    if ordered[0] < 0 or ordered[-1] >= total:
        wrong = ordered[0] if ordered[0] < 0 else ordered[-1]
        raise ValueError(
            f"{source} names frame {wrong}, but the clip has {total} frames. Does the file belong "
            "to another clip?"
        )
    return between(ordered, total)


def _scene_changes(clip: vs.VideoNode) -> list[int]:
    """Read the properties of all frames once, when the script loads."""
    changes, marked = [], False
    for n, frame in enumerate(clip.frames(close=True)):
        marked |= "_SceneChangePrev" in frame.props
        if frame.props.get("_SceneChangePrev") == 1:
            changes.append(n)
    if not marked:
        raise ValueError(
            "segment='scenes' needs the frame property _SceneChangePrev, and no frame has it. Run "
            "a scene detector first, for example core.scxvid.Scxvid or core.misc.SCDetect."
        )
    return changes


def _read_starts(path: Path, total: int) -> list[int]:
    """First frames of an av1an scenes file, a keyframe list or a qpfile."""
    if not os.path.isfile(path):  # noqa: PTH113, which raises for names that are too long
        raise ValueError(
            f"Segment '{path}' is neither a file nor a length. Use 240, '5s', 'scenes', or a file."
        )
    text = path.read_text("utf-8-sig", errors="replace")
    if text.lstrip().startswith(("{", "[")):
        try:
            data = json.loads(text)
            # Since 0.4, "scenes" are shots, and "split_scenes" are the chunks made of them.
            chunks = data.get("split_scenes") or data["scenes"]
            frames, starts = data.get("frames", total), [index(s["start_frame"]) for s in chunks]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(
                f"'{path}' is not an av1an scenes file ({error!r}). It holds scenes, each with a "
                "start_frame."
            ) from None
        if frames != total or not starts:
            raise ValueError(
                f"'{path}' holds {len(starts)} scenes of {frames} frames, but the clip has "
                f"{total}. Was it made from another clip?"
            )
        return starts
    # a keyframe list ("# keyframe format v1", "fps 0", then numbers) or a qpfile ("120 I -1")
    numbers = [re.match(r"\s*(\d+)(\s+[IKi].*)?\s*$", line) for line in text.splitlines()]
    starts = [int(match[1]) for match in numbers if match]
    if not starts:
        raise ValueError(f"'{path}' names no frame. Give a keyframe list or a qpfile.")
    return starts
