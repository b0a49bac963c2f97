"""Null scores have no frame property."""

import pytest
import vapoursynth as vs
from vs_helpers import moving

from dover_plugin import Scorer
from dover_plugin.io.source import ArraySource
from vs_filter import collect, dover, dover_compare, dover_segments, low_quality


@pytest.fixture(scope="module")
def technical() -> Scorer:
    return Scorer("dover-open", "cpu", branches=("technical",))


def test_a_model_with_one_score_has_no_aesthetic_property(one_score: Scorer) -> None:
    clip = moving(40)
    scored = dover(clip, segment=40, scorer=one_score)
    props = scored.get_frame(3).props
    assert props["DoverTechnical"] == props["DoverOverall"]
    assert props["DoverModel"] == "fast-vqa-m"
    assert not {"DoverAesthetic", "DoverAestheticRaw"} & set(props)
    (row,) = collect(dover_segments(clip, segment=40, scorer=one_score)).to_dict("records")
    assert row["DoverOverall"] == props["DoverOverall"]
    assert "DoverAesthetic" not in row


def test_a_branch_alone_is_compared(technical: Scorer) -> None:
    clip = moving(40)
    worse = clip.std.BoxBlur(hradius=3, vradius=3)
    compared = dover_compare(clip, worse, segment=40, scorer=technical)
    props = compared.get_frame(0).props
    assert "DoverTechnicalDifference" in props
    assert not {"DoverOverall", "DoverOverallDifference", "DoverAestheticDifference"} & set(props)
    found = low_quality(compared, below=1.0, by="technical")
    assert [(each.start, each.end) for each in found] == [(0, 40)]
    with pytest.raises(vs.Error, match="carries no DoverOverall"):
        low_quality(compared, below=1.0)


def test_the_filter_scores_the_frames_of_the_file(one_score: Scorer) -> None:
    import numpy as np
    from clips import scene

    expected = one_score.score(ArraySource(np.stack(list(scene(40, 240, 320)))))
    (row,) = collect(dover_segments(moving(40), segment=40, scorer=one_score)).to_dict("records")
    assert row["DoverTechnicalRaw"] == pytest.approx(expected.raw.technical, abs=1e-6)
