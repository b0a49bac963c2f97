"""Scorers: loaded late, shared, and their errors."""

import gc
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import pytest
import vapoursynth as vs
from vs_helpers import Counting, moving

from dover_plugin import Scorer, VideoInfo
from vs_filter import (
    dover,
    dover_segments,
    scorers,
)

core = vs.core


def test_a_shared_scorer_and_chained_filters(scorer: Counting) -> None:
    clip = moving(40)
    once = dover(clip, scorer=scorer, segment=40, props=["DoverOverall"])
    twice = dover(once, scorer=scorer, segment=20)
    assert twice.get_frame(0).props["DoverSegmentEnd"] == 20
    assert twice.get_frame(39).props["DoverSegmentEnd"] == 40


def test_a_failure_is_one_line_and_a_retry_works(scorer: Counting) -> None:
    clip, broken = moving(40), True

    def fail(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        if broken and n == 7:
            raise vs.Error("the disk is gone")
        return f

    scored = dover(clip.std.ModifyFrame(clip, fail), scorer=scorer, segment=40)
    with pytest.raises(vs.Error, match="the disk is gone"):
        scored.get_frame(0)
    broken = False
    assert 0 <= scored.get_frame(0).props["DoverOverall"] <= 1
    assert len(scorer.seen) == 1


def test_a_network_that_gives_no_number(seeded: dict[str, Path]) -> None:
    scorer = Scorer("dover-open", "cpu", weights=seeded["dover-open"], engine="torch")
    bias = scorer.engine._network.technical_head.fc_last.bias  # type: ignore[attr-defined]
    good = bias.clone()
    bias.fill_(float("nan"))
    scored = dover(moving(40), scorer=scorer)
    with pytest.raises(vs.Error) as caught:
        scored.get_frame(0)
    assert str(caught.value).strip().splitlines()[-1].endswith("'dover weights verify'.")
    bias.copy_(good)
    assert 0 <= scored.get_frame(0).props["DoverOverall"] <= 1


def test_nothing_is_left_behind(seeded: dict[str, Path]) -> None:
    own = Scorer("dover-open", "cpu", weights=seeded["dover-open"])
    alive = weakref.ref(own)
    scored = dover(moving(40), scorer=own)
    scored.get_frame(0).close()
    del scored, own
    gc.collect()
    assert alive() is None


def test_equal_filters_share_one_scorer(seeded: dict[str, Path]) -> None:
    clip = moving(40, 120, 160)
    weights = seeded["dover-open"]
    nodes = [dover_segments(clip, device="cpu", weights=w) for w in (weights, str(weights))]
    other = dover_segments(clip, device="cpu", weights=weights, seed=1)
    assert len(scorers._shared) == 2
    values = [node.get_frame(0).props["DoverTechnicalRaw"] for node in (*nodes, other)]
    assert values[0] == values[1] != values[2]
    del nodes, other
    gc.collect()
    assert len(scorers._shared) == 0


def test_no_network_is_loaded_before_the_first_scored_segment() -> None:
    program = (
        "import sys, vapoursynth as vs\n"
        "from vs_filter import dover\n"
        "clip = vs.core.std.BlankClip(width=64, height=64, format=vs.YUV420P8, length=2)\n"
        "node = dover(clip)\n"
        "heavy = {'torch', 'openvino', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


class Broken(Counting):
    """A scorer whose engine fails the first time."""

    def score_views(self, info: VideoInfo, views: Any) -> Any:
        self.seen.append((info, views))
        if len(self.seen) == 1:
            raise MemoryError("no memory")
        return Scorer.score_views(self, info, views)


def test_an_error_of_the_engine_names_the_frames_and_is_retried(seeded: dict[str, Path]) -> None:
    broken = Broken("dover-open", "cpu", weights=seeded["dover-open"])
    scored = dover(moving(40, 120, 160), scorer=broken)
    with pytest.raises(vs.Error) as caught:
        scored.get_frame(0)
    last = str(caught.value).strip().splitlines()[-1]
    assert "dover: Frames 0 to 39 cannot be scored (MemoryError: no memory). Run" in last
    assert 0 <= scored.get_frame(0).props["DoverOverall"] <= 1
