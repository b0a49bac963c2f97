import gc
import weakref
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import vapoursynth as vs
from clips import scene, write_clip
from vs_helpers import Counting, moving

from dover_plugin import ArraySource, Scorer
from dover_plugin.preprocessing.sampling import draws
from dover_plugin.preprocessing.views import build_views
from vs_filter import PROPS, collect, dover, dover_compare, dover_segments, low_quality

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


def test_scores_are_those_of_the_core(scorer: Counting) -> None:
    frames = np.stack(list(scene(90, 240, 320)))
    expected = [scorer.score(part) for part in (frames[:60], frames[60:])]
    scorer.seen.clear()
    table = collect(dover_segments(moving(90), scorer=scorer, segment=60))
    assert table["DoverTechnicalRaw"].tolist() == [s.raw.technical for s in expected]
    assert table["DoverAestheticRaw"].tolist() == [s.raw.aesthetic for s in expected]
    assert table["DoverOverall"].tolist() == [s.overall for s in expected]
    assert table["DoverModel"].unique().tolist() == ["dover-open"]
    assert table["DoverFusion"].unique().tolist() == ["matched"]
    assert table["DoverWeights"].unique().tolist() == [scorer.settings.weights_sha256]


@pytest.mark.parametrize("size", [(240, 320), (360, 640), (90, 120), (241, 321)])
def test_identical_frames_give_identical_views(size: tuple[int, int], scorer: Counting) -> None:
    collect(dover_segments(moving(70, *size), scorer=scorer, segment=100))
    ((info, (views,)),) = scorer.seen
    source = ArraySource(np.stack(list(scene(70, *size))))
    (expected,) = build_views(source, draws(70, *size))
    assert np.array_equal(views.technical, expected.technical)
    assert np.array_equal(views.aesthetic, expected.aesthetic)
    assert (info.num_frames, info.height, info.width) == (70, *size)


def test_seeds_and_repeats_are_those_of_the_core(seeded: dict[str, Path]) -> None:
    scorer = Scorer("dover-open", "cpu", weights=seeded["dover-open"], seed=3, repeats=2)
    expected = scorer.score(np.stack(list(scene(90, 300, 400)))).raw
    table = collect(dover_segments(moving(90, 300, 400), scorer=scorer))
    assert table["DoverTechnicalRaw"].tolist() == [expected.technical]
    own = dover_segments(
        moving(90, 300, 400), device="cpu", weights=seeded["dover-open"], seed=3, repeats=2
    )
    assert collect(own)["DoverTechnicalRaw"].tolist() == [expected.technical]


class Distance(NamedTuple):
    """Of a clip from its file: of views in levels, of raw scores in deviations of the model."""

    views: float
    scores: float


def distance(scorer: Counting, path: Path, clip: vs.VideoNode) -> Distance:
    """Of a clip, scored as one segment."""
    _, (expected,) = scorer.read(path)
    raw, constants = scorer.score(path).raw, scorer.calibration
    scorer.seen.clear()
    (row,) = collect(dover_segments(clip, scorer=scorer, segment=1000)).to_dict("records")
    scores = max(
        abs(row["DoverTechnicalRaw"] - raw.technical) / constants.technical_std,
        abs(row["DoverAestheticRaw"] - raw.aesthetic) / constants.aesthetic_std,
    )
    ((_, (found,)),) = scorer.seen
    pairs = zip(
        (found.technical, found.aesthetic), (expected.technical, expected.aesthetic), strict=True
    )
    return Distance(max(float(np.abs(a.astype(int) - b).mean()) for a, b in pairs), scores)


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("colour", [None, "bt709", "bt601"])
def test_a_file_has_the_views_that_the_core_sees(
    colour: str | None, full_range: bool, scorer: Counting, tmp_path: Path
) -> None:
    path = write_clip(tmp_path / "a.mp4", 64, (288, 512), colour=colour, full_range=full_range)
    clip = core.bs.VideoSource(str(path), cachemode=0)
    found = distance(scorer, path, clip)
    assert found.views < 2
    assert found.scores < 0.08


@pytest.mark.parametrize("name", ["1724.mp4", "eWgy8eG3stA_000164_000174.mp4"])
def test_real_files_agree(name: str, scorer: Counting, shared_clips: Path) -> None:
    clip = core.bs.VideoSource(str(shared_clips / name), cachemode=0)
    found = distance(scorer, shared_clips / name, clip)
    assert found.views < 2
    assert found.scores < 0.08


@pytest.mark.parametrize("wrong", [{"_Matrix": 1}, {"_Range": 1}])
def test_a_wrong_matrix_or_range_would_be_seen(
    wrong: dict[str, int], scorer: Counting, tmp_path: Path
) -> None:
    path = write_clip(tmp_path / "a.mp4", 64, (288, 512), colour="bt601")
    clip = core.bs.VideoSource(str(path), cachemode=0).std.SetFrameProps(**wrong)
    found = distance(scorer, path, clip)
    assert found.views > 3
    assert found.scores > 0.08


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


def test_tagged_matrix_holds_and_untagged_follows_the_rule(scorer: Counting) -> None:
    rgb = moving(33, 720, 960)
    yuv = rgb.resize.Bicubic(format=vs.YUV444P8, matrix_s="709")
    untagged = yuv.std.RemoveFrameProps("_Matrix")

    def picture(clip: vs.VideoNode, **kwargs: Any) -> np.ndarray:
        scorer.seen.clear()
        collect(dover_segments(clip, scorer=scorer, **kwargs))
        return scorer.seen[0][1][0].aesthetic.astype(int)

    true = picture(rgb)
    assert np.abs(picture(yuv) - true).mean() < 1
    assert np.abs(picture(untagged, matrix="resolution") - true).mean() < 1
    assert np.abs(picture(untagged) - true).mean() > 2  # BT.601, as decord takes it
    small = picture(untagged.resize.Bicubic(640, 480), matrix="resolution")
    assert np.abs(small - true).mean() > 2


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
    with pytest.raises(vs.Error, match="before has 80 frames and after 79"):
        dover_compare(before, after[:79], scorer=scorer)


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
    scorer = Scorer("dover-open", "cpu", weights=seeded["dover-open"])
    bias = scorer.engine._network.technical_head.fc_last.bias  # type: ignore[attr-defined]
    good = bias.clone()
    bias.fill_(float("nan"))
    scored = dover(moving(40), scorer=scorer)
    with pytest.raises(vs.Error) as caught:
        scored.get_frame(0)
    assert str(caught.value).strip().splitlines()[-1].endswith("'dover weights verify'.")
    bias.copy_(good)
    assert 0 <= scored.get_frame(0).props["DoverOverall"] <= 1


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
    ],
)
def test_wrong_settings_are_one_line(
    settings: dict[str, Any], says: str, seeded: dict[str, Path]
) -> None:
    if settings.keys() & {"segment", "matrix", "device"}:
        settings = {"weights": seeded["dover-open"]} | settings
    with pytest.raises(vs.Error) as caught:
        dover(moving(40), **settings)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


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
    with pytest.raises(vs.Error, match="use a number from 0 to 1"):
        low_quality(segments, below=40)
    with pytest.raises(vs.Error, match="Unknown score"):
        low_quality(segments, below=0.4, by="mean")  # type: ignore[arg-type]


def test_collect_wants_scores() -> None:
    with pytest.raises(vs.Error, match="carries no DoverSegment"):
        collect(moving(3))


def test_nothing_is_left_behind(seeded: dict[str, Path]) -> None:
    own = Scorer("dover-open", "cpu", weights=seeded["dover-open"])
    alive = weakref.ref(own)
    scored = dover(moving(40), scorer=own)
    scored.get_frame(0).close()
    del scored, own
    gc.collect()
    assert alive() is None


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


def test_low_quality_wants_all_properties(scorer: Counting) -> None:
    scored = dover(moving(40), scorer=scorer, props=["DoverSegment", "DoverOverall"])
    with pytest.raises(vs.Error, match="dover: the clip carries no DoverSegmentEnd"):
        low_quality(scored, below=0.5)


def test_a_strip_is_refused_at_once(scorer: Counting) -> None:
    with pytest.raises(vs.Error, match=r"dover: Frames of 2000x1 are too narrow"):
        dover(core.std.BlankClip(width=2000, height=1, format=vs.GRAY8), scorer=scorer)


def test_frames_on_a_gpu(scorer: Counting) -> None:
    clip = moving(40)
    try:
        uploaded = clip.std.GPUUpload()
        uploaded.get_frame(0).close()
    except vs.Error as error:
        pytest.skip(f"no GPU for VapourSynth ({error})")
    assert 0 <= dover(uploaded, scorer=scorer).get_frame(0).props["DoverOverall"] <= 1
