from pathlib import Path
from typing import Any

import pytest
import vapoursynth as vs
from vs_helpers import Counting, moving

from vs_filter import collect, dover_compare_segments, search_crf
from vs_filter.crf import _choose


@pytest.mark.parametrize(
    ("differences", "limit", "expected"),
    [
        ([0.0, -0.01, -0.05], -0.01, 30),
        ([0.0, -0.02, -0.06], -0.01, 25),
        ([0.0, -0.02, -0.06], -0.03, 32),  # rounded down to the step
        ([0.0, 0.01, -0.01], -0.01, 40),
        ([-0.05, -0.06, -0.07], -0.01, 20),  # nothing is good enough
        ([-0.02, 0.03, 0.03], -0.01, 20),  # a worse encode is not taken to be better
    ],
)
def test_the_highest_crf_that_keeps_quality(
    differences: list[float], limit: float, expected: float
) -> None:
    crf, difference = _choose([20, 30, 40], differences, limit, 1)
    assert crf == expected
    assert difference >= limit or crf == 20


def test_a_search_scores_the_source_once(seeded: dict[str, Path], scorer: Counting) -> None:
    source = moving(80, 120, 160)
    encodes = {
        crf: source.resize.Bilinear(size, size).resize.Bilinear(160, 120)
        for crf, size in ((20, 120), (30, 60), (40, 16))
    }
    options: Any = {"device": "cpu", "weights": seeded["dover-open"], "segment": 40}
    found = search_crf(source, encodes, by="overall", max_loss=1, **options)
    assert [(s.start, s.end, s.crf) for s in found] == [(0, 40, 40), (40, 80, 40)]
    table = collect(dover_compare_segments(source, encodes[40], scorer=scorer, segment=40))
    assert found[0].difference <= table["DoverOverallDifference"][0] + 1e-9


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"encodes": {}}, "two trial encodes or more, got 0"),
        ({"max_loss": -1}, "Invalid max_loss=-1"),
        ({"step": 0}, "step=0"),
    ],
)
def test_what_cannot_be_searched(settings: dict[str, Any], says: str) -> None:
    clip = moving(3, 64, 64)
    with pytest.raises(vs.Error, match=says):
        search_crf(clip, **({"encodes": {20: clip, 30: clip}} | settings))
