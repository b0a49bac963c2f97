import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs
from hypothesis import given
from hypothesis import strategies as st

from vs_filter import segments
from vs_filter.segments import Segment, find_segments


def clip(num_frames: int, fpsnum: int = 25) -> vs.VideoNode:
    return vs.core.std.BlankClip(
        width=16, height=16, format=vs.GRAY8, length=num_frames, fpsnum=fpsnum, fpsden=1
    )


@pytest.mark.parametrize(
    ("num_frames", "segmentation", "expected"),
    [
        (100, 50, [(0, 50), (50, 100)]),
        (120, 50, [(0, 50), (50, 120)]),  # a short tail joins
        (125, 50, [(0, 50), (50, 100), (100, 125)]),  # half a segment stands alone
        (10, 50, [(0, 10)]),
        (1, 240, [(0, 1)]),
        (100, "2s", [(0, 50), (50, 100)]),
        (100, "50f", [(0, 50), (50, 100)]),
        (100, "50", [(0, 50), (50, 100)]),
        (100, np.int64(50), [(0, 50), (50, 100)]),
        (100, np.array([0, 50]), [(0, 50), (50, 100)]),
        (100, "9" * 400 + "s", [(0, 100)]),
        (100, [30, 60], [(0, 30), (30, 60), (60, 100)]),
        (100, [60, 0, 60], [(0, 60), (60, 100)]),
    ],
)
def test_segments(num_frames: int, segmentation: Any, expected: list[tuple[int, int]]) -> None:
    assert find_segments(clip(num_frames), segmentation) == expected


@given(num_frames=st.integers(1, 3000), length=st.integers(1, 400))
def test_segments_cover_the_clip(num_frames: int, length: int) -> None:
    segments = find_segments(clip(num_frames), length)
    assert [n for s in segments for n in range(s.start, s.end)] == list(range(num_frames))
    assert all(s.end - s.start < 1.5 * length + 1 for s in segments)


def test_scenes_from_frame_properties() -> None:
    marked = clip(60).std.FrameEval(
        lambda n: clip(60).std.SetFrameProps(_SceneChangePrev=int(n in (20, 45)))
    )
    assert find_segments(marked, "scenes") == [(0, 20), (20, 45), (45, 60)]


def test_files(tmp_path: Path) -> None:
    scenes = {"scenes": [{"start_frame": 0, "end_frame": 40}, {"start_frame": 40, "end_frame": 90}]}
    texts = {
        "scenes.json": json.dumps(scenes | {"frames": 90}),
        "keyframes.txt": "# keyframe format v1\nfps 0\n0\n40\n",
        "qpfile": "0 I -1\n40 I -1\n",
        "bom.txt": "\ufeff0\n40\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        for path in (tmp_path / name, str(tmp_path / name)):
            assert find_segments(clip(90), path) == [Segment(0, 40), Segment(40, 90)]


@pytest.mark.parametrize(
    ("segmentation", "says"),
    [
        (0, "too short"),
        (-5, "too short"),
        (True, "Invalid segment"),
        (None, "Invalid segment"),
        (2.5, "Invalid segment"),
        (b"240", "Invalid segment"),
        ([30.5], "Invalid segment"),
        (["30"], "Invalid segment"),
        ("0s", "too short"),
        ("0.001s", "too short"),
        ("x" * 300, "neither a file nor a length"),
        ("1..5s", "Invalid segment length"),
        ("scens", "neither a file nor a length"),
        ([50, 200], "names frame 200, but the clip has 100 frames"),
        ([-1], "names frame -1"),
    ],
)
def test_segmentations_that_mean_nothing(segmentation: Any, says: str) -> None:
    with pytest.raises(ValueError, match=r".+") as caught:
        find_segments(clip(100), segmentation)
    assert says in str(caught.value)


def test_files_that_cannot_be_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "MAX_LIST", 100)
    (tmp_path / "film.mkv").write_bytes(bytes(101))
    with pytest.raises(ValueError, match="is no list of segments: it has more than 100 bytes"):
        find_segments(clip(100), tmp_path / "film.mkv")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ValueError, match=r"Cannot read '.*film\.mkv': Permission denied"):
        find_segments(clip(100), tmp_path / "film.mkv")


def test_seconds_need_a_frame_rate() -> None:
    with pytest.raises(ValueError, match="needs a frame rate"):
        find_segments(clip(100, fpsnum=0), "2s")


def test_scenes_of_another_clip(tmp_path: Path) -> None:
    for data in ({"scenes": [{"start_frame": 0}], "frames": 50}, {"scenes": [], "frames": 100}):
        (tmp_path / "scenes.json").write_text(json.dumps(data))
        with pytest.raises(ValueError, match=r"but the clip has 100\. Was it made from another"):
            find_segments(clip(100), tmp_path / "scenes.json")


@pytest.mark.parametrize("text", ['{"a": 1}', "[1, 2]", "{", "hello", ""])
def test_files_that_name_no_scene(text: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_text(text)
    with pytest.raises(ValueError, match=r"not an av1an scenes file|names no frame"):
        find_segments(clip(100), tmp_path / "f")
