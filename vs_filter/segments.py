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
from vs_filter.colour import readable

MAX_LIST = 64 * 2**20  # bytes of a list of segments

SCENE_PROP = "_SceneChangePrev"
DETECTION_WIDTH = 480  # scenes are found in clips of about this width, in pixels
MIN_DETECTION = 16  # smallest size of a frame that scxvid reads, in pixels

type Segmentation = int | str | PathLike[str] | Sequence[int]


def find_segments(
    clip: vs.VideoNode, segmentation: Segmentation, overlap: int | str = 0
) -> list[Segment]:
    """Cut a clip into segments that cover it.

    Args:
        clip: clip of any format.
        segmentation: frames per segment; "5s", "240f" or "240"; "scenes", from the property
            ``_SceneChangePrev``, else found with scxvid; first frames of segments; or a file: an
            av1an scenes JSON, a list of keyframes, a qpfile.
        overlap: frames or seconds ("1s") that consecutive segments of a fixed length share.

    Raises:
        ValueError: it means nothing, or scenes cannot be found.
    """
    total = clip.num_frames
    shared = _as_frames(overlap, clip.fps)
    if shared is None or shared < 0:
        raise ValueError(f"Invalid overlap {overlap!r}. Use a number of frames, or '1s'.")
    length = _as_frames(segmentation, clip.fps)
    if length is not None:
        return _fixed(total, length, shared)
    if shared:
        raise ValueError("Only segments of a fixed length can overlap. Omit overlap.")
    if isinstance(segmentation, str) and segmentation == "scenes":
        return _from_starts(total, _scene_changes(clip), "the scene changes of the clip")
    if isinstance(segmentation, str | PathLike):
        return _from_starts(total, _read_starts(Path(segmentation), total), f"'{segmentation}'")
    try:
        if isinstance(segmentation, bytes) or not isinstance(segmentation, Iterable):
            raise TypeError
        starts = [index(start) for start in segmentation]
    except TypeError:
        raise ValueError(
            f"Invalid segment {segmentation!r}. Use a number of frames, '5s', 'scenes', first "
            "frames or a file."
        ) from None
    return _from_starts(total, starts, "the list of first frames")


def _as_frames(length: object, fps: Fraction) -> int | None:
    """Frames of a length such as 240, "240f" or "5s"; None for anything else."""
    if isinstance(length, str):
        match = re.fullmatch(r"([\d.]+)\s*([sf]?)", length.strip())
        return _length(match[1], match[2] or "f", fps) if match else None
    if isinstance(length, bool | bytes | Iterable):
        return None
    try:
        return index(length)  # type: ignore[arg-type]
    except TypeError:
        return None


def names_chunks(segmentation: Segmentation) -> bool:
    """Whether segments are the chunks of an av1an scenes file."""
    if not isinstance(segmentation, str | PathLike) or not os.path.isfile(segmentation):  # noqa: PTH113
        return False
    return _read(Path(segmentation)).lstrip().startswith("{")


def _read(path: Path) -> str:
    """The text of a list of segments, of MAX_LIST bytes at most."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_LIST + 1)
    except OSError as error:
        raise ValueError(
            f"Cannot read '{path}': {error.strerror}. Check its permissions."
        ) from None
    if len(data) > MAX_LIST:
        raise ValueError(f"'{path}' is no list of segments: it has more than {MAX_LIST:,} bytes.")
    return data.decode("utf-8-sig", errors="replace")


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


def _fixed(total: int, length: int, overlap: int) -> list[Segment]:
    if length < 1:
        raise ValueError(
            f"Segment length {length} is too short. Use 1 frame or more; the default is 240."
        )
    if overlap >= length:
        raise ValueError(
            f"Segments of {length} frames cannot overlap by {overlap}. Use a shorter overlap."
        )
    return by_length(total, length, overlap)


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
    """Read the properties of all frames once, when the script loads.

    A clip whose first frame carries no _SceneChangePrev is searched with scxvid.
    """
    with clip.get_frame(0) as frame:
        marked = SCENE_PROP in frame.props
    if not marked:
        clip = _marked(clip)
    frames = enumerate(clip.frames(close=True))
    return [n for n, frame in frames if frame.props.get(SCENE_PROP) == 1]


def _marked(clip: vs.VideoNode) -> vs.VideoNode:
    """The clip, small, with the scene changes that scxvid finds."""
    core = vs.core
    if not hasattr(core, "scxvid"):
        raise ValueError(
            f"segment='scenes' needs the frame property {SCENE_PROP} or a scene detector, and "
            "neither is there. Run 'pip install vapoursynth-scxvid'."
        )
    scale = max(1, clip.width // DETECTION_WIDTH)
    width, height = (
        max(MIN_DETECTION, size // scale // 2 * 2) for size in (clip.width, clip.height)
    )
    rgb = clip.format.color_family == vs.RGB
    small = core.resize.Bilinear(
        core.std.SetFieldBased(readable(clip), 0),
        width,
        height,
        format=vs.YUV420P8,
        **({"matrix_s": "709"} if rgb else {}),
    )
    return core.scxvid.Scxvid(small)


def _read_starts(path: Path, total: int) -> list[int]:
    """First frames of an av1an scenes file, a keyframe list or a qpfile."""
    if not os.path.isfile(path):  # noqa: PTH113, which raises for names that are too long
        raise ValueError(
            f"Segment '{path}' is neither a file nor a length. Use 240, '5s', 'scenes', or a file."
        )
    text = _read(path)
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
