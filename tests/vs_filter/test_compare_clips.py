"""Comparisons, tables and ranges of low quality."""

import numpy as np
import pandas as pd
import pytest
import vapoursynth as vs
from vs_helpers import Counting, moving

from vs_filter import (
    collect,
    dover,
    dover_compare,
    dover_compare_segments,
    dover_segments,
    low_quality,
)

core = vs.core


def test_compare(scorer: Counting) -> None:
    before = moving(80)
    after = before.resize.Bicubic(200, 150, format=vs.YUV420P8, matrix_s="709")
    compared = dover_compare(before, after, scorer=scorer, segment=40)
    assert (compared.width, compared.format.id) == (200, vs.YUV420P8)
    first, second = (dover_segments(c, scorer=scorer, segment=40) for c in (before, after))
    for n in (0, 79):
        props = compared.get_frame(n).props
        old, new = (c.get_frame(n // 40).props for c in (first, second))
        for name in ("DoverOverall", "DoverTechnical", "DoverAesthetic"):
            assert props[name] == new[name]
            assert props[f"{name}Difference"] == new[name] - old[name]
    table = collect(compared)
    assert len(table) == 2
    assert "DoverOverallDifference" in table
    pd.testing.assert_frame_equal(
        table, collect(dover_compare_segments(before, after, scorer=scorer, segment=40))
    )
    losses = table["DoverOverallDifference"]
    assert low_quality(compared, below=-1, by="difference") == []
    (lost,) = low_quality(compared, below=losses.max() + 0.001, by="difference")
    assert lost == (0, 80, losses.min())
    with pytest.raises(vs.Error, match="before has 80 frames and after 79"):
        dover_compare(before, after[:79], scorer=scorer)


def test_low_quality_ranges(scorer: Counting) -> None:
    segments = dover_segments(moving(120), scorer=scorer, segment=40)
    scores = collect(segments)["DoverTechnical"].tolist()
    (everything,) = low_quality(segments, below=1, by="technical")
    assert everything == (0, 120, min(scores))
    assert low_quality(segments, below=0, by="technical") == []
    worst = int(np.argmin(scores))
    middle = sorted(scores)[1]
    (found,) = low_quality(segments, below=middle, by="technical")
    assert found == (40 * worst, 40 * worst + 40, scores[worst])
    assert low_quality(segments, worst=1, by="technical") == [found]
    assert low_quality(segments, quantile=0, by="technical") == [found]
    assert low_quality(segments, quantile=1, by="technical") == [everything]
    assert low_quality(segments, worst=0) == []
    for rule, says in (
        ({"below": 40}, "use a number from 0 to 1"),
        ({"quantile": 5}, "use a number from 0 to 1"),
        ({"worst": -1}, "use a number of segments"),
        ({"below": -0.1}, "use a number from 0 to 1"),
        ({}, "Use one of below, quantile and worst, got none"),
        ({"below": 0.5, "worst": 1}, "got below and worst"),
        ({"below": -0.1, "by": "difference"}, "no DoverOverallDifference of dover_compare"),
    ):
        with pytest.raises(vs.Error, match=says):
            low_quality(segments, **rule)  # type: ignore[arg-type]
    with pytest.raises(vs.Error, match="Unknown score"):
        low_quality(segments, below=0.4, by="mean")  # type: ignore[arg-type]


def test_collect_wants_scores() -> None:
    with pytest.raises(vs.Error, match="carries no DoverSegment"):
        collect(moving(3))


def test_low_quality_wants_all_properties(scorer: Counting) -> None:
    scored = dover(moving(40), scorer=scorer, props=["DoverSegment", "DoverOverall"])
    with pytest.raises(vs.Error, match="dover: the clip carries no DoverSegmentEnd"):
        low_quality(scored, below=0.5)


def test_a_source_is_scored_once_for_all_its_encodes(scorer: Counting) -> None:
    source = moving(60, 120, 160)
    encodes = [source.std.FlipVertical(), source.std.Invert()]
    tables = [collect(c) for c in dover_compare_segments(source, encodes, scorer=scorer)]
    assert len(scorer.seen) == 3
    (alone,) = [collect(dover_compare_segments(source, encodes[1], scorer=scorer))]
    pd.testing.assert_frame_equal(tables[1], alone)


@pytest.mark.parametrize("lost", ["_Matrix", "_Range"])
def test_a_lost_matrix_or_range_costs_nothing(lost: str, scorer: Counting) -> None:
    source = moving(40).resize.Bicubic(format=vs.YUV420P8, matrix_s="709", range_s="full")
    encode = source.std.RemoveFrameProps(lost)
    said: list[str] = []
    handle = core.add_log_handler(lambda kind, text: said.append(text))
    try:
        for pair in ((source, encode), (encode, source)):
            (row,) = collect(dover_compare_segments(*pair, scorer=scorer)).to_dict("records")
            assert row["DoverOverallDifference"] == row["DoverAestheticDifference"] == 0
    finally:
        core.remove_log_handler(handle)
    (told,) = [text for text in said if "dover: " in text]
    assert "only one of the compared clips states its" in told
    tagged, untagged = (collect(dover_segments(c, scorer=scorer)) for c in (source, encode))
    assert tagged["DoverOverall"][0] != untagged["DoverOverall"][0]


def test_times_of_segments(scorer: Counting) -> None:
    segments = dover_segments(moving(100, 120, 160), scorer=scorer, segment="2s")
    assert segments.fps == 25
    props = segments.get_frame(1).props
    assert props["_AbsoluteTime"] == 2
    assert (props["_DurationNum"], props["_DurationDen"]) == (2, 1)
    table = collect(segments)
    assert table["start_seconds"].tolist() == [0, 2]
    assert table["end_seconds"].tolist() == [2, 4]
    assert table["time_code"].tolist() == ["00:00:00.000", "00:00:02.000"]
