"""Prefetch, chunks, overlapping windows and the overlay."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs
from vs_helpers import Counting, moving

from vs_filter import (
    collect,
    dover,
    dover_overlay,
    dover_segments,
)

core = vs.core


def test_the_next_segment_is_scored_while_frames_leave(scorer: Counting) -> None:
    scored = dover(moving(160, 120, 160), scorer=scorer, segment=40)
    for n in range(21):
        scored.get_frame(n).close()
    deadline = time.monotonic() + 30
    while len(scorer.seen) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [info.path for info, _ in scorer.seen] == ["frames 0 to 39", "frames 40 to 79"]
    alone = dover(moving(160, 120, 160), scorer=scorer, segment=40, prefetch=False)
    for n in range(40):
        alone.get_frame(n).close()
    assert len(scorer.seen) == 3


def test_chunks_of_av1an_score_one_segment_each(scorer: Counting, tmp_path: Path) -> None:
    scenes = [{"start_frame": s, "end_frame": s + 40} for s in (0, 40, 80)]
    text = json.dumps({"frames": 120, "scenes": scenes[:1], "split_scenes": scenes})
    (tmp_path / "scenes.json").write_text(text)
    scored = dover(moving(120, 120, 160), scorer=scorer, segment=tmp_path / "scenes.json")
    for n in range(40, 80):
        assert scored.get_frame(n).props["DoverSegmentStart"] == 40
    assert len(scorer.seen) == 1


@pytest.mark.parametrize("prefetch", [False, True])
def test_overlapping_windows_give_a_curve(prefetch: bool, scorer: Counting) -> None:
    clip = moving(100, 120, 160)
    options: Any = {"scorer": scorer, "segment": 40, "overlap": 20}
    windows = collect(dover_segments(clip, **options))
    assert windows["DoverSegmentStart"].tolist() == [0, 20, 40, 60]
    scores = windows["DoverOverall"].tolist()
    scorer.seen.clear()
    scored = dover(clip, prefetch=prefetch, **options)
    curve = [frame.props["DoverOverall"] for frame in scored.frames(close=True)]
    assert len(scorer.seen) == 4
    expected = np.interp(np.arange(100), [19.5, 39.5, 59.5, 79.5], scores)
    assert np.allclose(curve, expected, rtol=0, atol=1e-12)
    assert scored.get_frame(25).props["DoverSegment"] == 0
    assert scored.get_frame(35).props["DoverSegment"] == 1
    with pytest.raises(vs.Error, match="Pass dover_segments"):
        collect(scored)


@pytest.mark.parametrize("form", [vs.YUV420P8, vs.YUV444P10, vs.RGB24, vs.GRAY16, vs.RGBS])
def test_overlay(form: Any, scorer: Counting) -> None:
    matrix = {} if form in (vs.RGB24, vs.RGBS) else {"matrix_s": "709"}
    clip = moving(80, 240, 320).resize.Bicubic(format=form, **matrix)
    shown = dover_overlay(clip, scorer=scorer, segment=40)
    assert (shown.format.id, shown.width, shown.height) == (form, 320, 240)
    frame, plain = shown.get_frame(10), clip.get_frame(10)
    assert "DoverOverall" in frame.props
    changed = np.asarray(frame[0]) != np.asarray(plain[0])
    assert changed[-30:].mean() > 0.5  # the timeline
    assert 0 < changed[:100].mean() < 0.5  # the text
    assert not changed[140:200].any()
    if form in (vs.YUV420P8, vs.YUV444P10):  # the timeline is grey
        middle = 128 if form == vs.YUV420P8 else 512
        assert (np.asarray(frame[1])[-10:] == middle).all()
    assert len(scorer.seen) == 1
