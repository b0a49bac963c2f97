"""The filter: properties, settings and notices."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs
from clips import scene
from vs_helpers import Counting, moving

import vs_filter
import vsdover
from dover_plugin import Scorer
from vs_filter import (
    PROPS,
    collect,
    dover,
    dover_segments,
)

core = vs.core


def test_every_frame_carries_its_segment(scorer: Counting) -> None:
    clip = moving(100)
    scored = dover(clip, scorer=scorer, segment=40)
    assert scorer.seen == []  # lazy
    for n in (99, 0, 39, 40, 79, 80):
        props = scored.get_frame(n).props
        segment = min(n // 40, 2)
        assert props["DoverSegment"] == segment
        assert (props["DoverSegmentStart"], props["DoverSegmentEnd"]) == (
            [(0, 40), (40, 80), (80, 100)][segment]
        )
        assert set(PROPS) <= set(props)
    assert len(scorer.seen) == 3  # each once


def test_pixels_and_other_properties_stay(scorer: Counting) -> None:
    clip = moving(40).resize.Bicubic(format=vs.YUV420P10, matrix_s="709")
    clip = clip.std.SetFrameProps(Mine=7)
    scored = dover(clip, scorer=scorer)
    assert (scored.format.id, scored.num_frames, scored.fps) == (clip.format.id, 40, clip.fps)
    before, after = clip.get_frame(5), scored.get_frame(5)
    assert all(np.array_equal(before[p], after[p]) for p in range(3))
    assert {k: v for k, v in after.props.items() if not k.startswith("Dover")} == dict(before.props)


def test_chosen_properties(scorer: Counting) -> None:
    scored = dover(moving(40), scorer=scorer, props=["DoverOverall"])
    assert [p for p in scored.get_frame(0).props if p.startswith("Dover")] == ["DoverOverall"]
    one = dover(moving(40), scorer=scorer, props="DoverOverall")
    assert [p for p in one.get_frame(0).props if p.startswith("Dover")] == ["DoverOverall"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"model": "dover-mobile"},
            "dover: The weights of dover-mobile (43 MB) are not on this machine",
        ),
        ({"model": "dovr"}, "dover: No model is named 'dovr'. Did you mean 'dover'"),
        ({"weights": "none.pth"}, "dover: There is no weights file"),
        ({"segment": "five"}, "neither a file nor a length"),
        ({"matrix": "bt709"}, "use 'decord' or 'resolution'"),
        ({"device": "cuda:9"}, "not here"),
        ({"repeats": 0}, "repeats must be from 1 to 20"),
        ({"fusion": "none.json"}, "none.json"),
        ({"scorer": "x"}, "scorer must be a dover_plugin.Scorer, got 'x'"),
        ({"engine": "nope"}, "dover: No engine is named 'nope'"),
        ({"engine": ["torch"]}, "dover: engine must be a name, got ['torch']"),
        ({"precision": "int3"}, "int3"),
        ({"precision": "float16", "engine": "torch"}, "needs a CUDA device"),
        ({"model": 3}, "dover: model must be a name, got 3"),
        ({"weights": 3}, "dover: weights must be a path, got 3"),
        ({"device": None}, "dover: device must be a name, got None"),
        ({"props": 5}, "dover: props must be names of properties, got 5"),
        ({"overlap": "x"}, "Invalid overlap 'x'"),
        ({"overlap": 240}, "cannot overlap by 240"),
        ({"overlap": 5, "segment": [0, 20]}, "Only segments of a fixed length"),
    ],
)
def test_wrong_settings_are_one_line(
    settings: dict[str, Any], says: str, seeded: dict[str, Path]
) -> None:
    with pytest.raises(vs.Error) as caught:
        dover(moving(40), **settings)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_the_core_warns_of_is_said_once(mobile: Scorer) -> None:
    said: list[str] = []
    handle = core.add_log_handler(lambda kind, text: said.append(text))
    try:
        collect(dover_segments(moving(40, 120, 160), scorer=mobile, segment=20))
    finally:
        core.remove_log_handler(handle)
    for part in ("dover-mobile is uncalibrated", "only 20 frames", "are enlarged to"):
        assert len([text for text in said if part in text]) == 1


@pytest.mark.parametrize("props", [[], "Dover", ["DoverAll"]])
def test_properties_that_do_not_exist(props: Any, scorer: Counting) -> None:
    with pytest.raises(vs.Error, match=r"dover: props names .*Choose from DoverOverall"):
        dover(moving(3), scorer=scorer, props=props)


@pytest.mark.parametrize(("width", "height"), [(2560, 1440), (3840, 2160), (2160, 3840)])
def test_large_frames_are_scored(scorer: Counting, width: int, height: int) -> None:
    table = collect(dover_segments(moving(1, height, width), scorer=scorer))
    expected = scorer.score(np.stack(list(scene(1, height, width))))
    assert table["DoverOverall"].tolist() == [expected.overall]


def test_a_strip_is_refused_at_once(scorer: Counting) -> None:
    with pytest.raises(vs.Error, match=r"dover: Cannot score a frame of 2000x1 pixels"):
        dover(core.std.BlankClip(width=2000, height=1, format=vs.GRAY8), scorer=scorer)


def test_frames_on_a_gpu(scorer: Counting) -> None:
    clip = moving(40)
    try:
        uploaded = clip.std.GPUUpload()
        uploaded.get_frame(0).close()
    except vs.Error as error:
        pytest.skip(f"no GPU for VapourSynth ({error})")
    assert 0 <= dover(uploaded, scorer=scorer).get_frame(0).props["DoverOverall"] <= 1


def test_anamorphic_clips_are_told(scorer: Counting) -> None:
    said: list[str] = []
    handle = core.add_log_handler(lambda kind, text: said.append(text))
    try:
        clip = moving(40, 120, 160).std.SetFrameProps(_SARNum=64, _SARDen=45)
        collect(dover_segments(clip, scorer=scorer))
    finally:
        core.remove_log_handler(handle)
    assert any("aspect ratio of 64:45" in text for text in said)


def test_the_name_vsdover_is_the_same_module() -> None:
    assert set(vsdover.__all__) == set(vs_filter.__all__)
    assert vsdover.dover is dover
