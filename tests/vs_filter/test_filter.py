import gc
import json
import subprocess
import sys
import time
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import vapoursynth as vs
from clips import scene, write_clip
from vs_helpers import Counting, Viewer, moving

import vs_filter
import vsdover
from dover_plugin import ArraySource, Scorer, VideoInfo
from dover_plugin.preprocessing.sampling import draws
from dover_plugin.preprocessing.views import build_views
from vs_filter import (
    PROPS,
    collect,
    dover,
    dover_compare,
    dover_compare_segments,
    dover_overlay,
    dover_segments,
    low_quality,
    scorers,
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
    assert table["DoverWeights"].unique().tolist() == [scorer.settings.weights_sha256[:12]]


@pytest.mark.parametrize("size", [(240, 320), (360, 640), (90, 120), (241, 321)])
def test_identical_frames_give_identical_views(size: tuple[int, int], viewer: Viewer) -> None:
    views = viewer(moving(70, *size))
    ((info, _),) = viewer.scorer.seen
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


def levels(viewer: Viewer, path: Path, clip: vs.VideoNode) -> float:
    """Mean difference of the views of a clip from those of its file, in levels."""
    _, (expected,) = viewer.scorer.read(path)
    found = viewer(clip)
    pairs = zip(
        (found.technical, found.aesthetic), (expected.technical, expected.aesthetic), strict=True
    )
    return max(float(np.abs(a.astype(int) - b).mean()) for a, b in pairs)


FILES = [  # pixel format, matrix, full range
    ("yuv420p", None, False),
    ("yuv420p", "bt709", False),
    ("yuv420p", "bt601", True),
    ("yuv422p", "bt709", False),
    ("yuv444p", None, False),
    ("yuv420p10le", "bt709", False),
    ("yuv420p10le", None, False),
    ("yuv422p10le", "bt2020", False),
    ("yuv444p10le", "bt709", True),
    ("gray", None, False),
    ("yuv420p10le", "pq", False),
    ("yuv420p10le", "hlg", False),
]


@pytest.mark.parametrize(("pix_fmt", "colour", "full_range"), FILES)
def test_a_file_has_the_views_that_the_core_sees(
    pix_fmt: str, colour: str | None, full_range: bool, viewer: Viewer, tmp_path: Path
) -> None:
    path = write_clip(
        tmp_path / "a.mp4", 33, (288, 512), pix_fmt=pix_fmt, colour=colour, full_range=full_range
    )
    clip = core.bs.VideoSource(str(path), cachemode=0)
    assert levels(viewer, path, clip) == 0


@pytest.mark.parametrize("name", ["1724.mp4", "eWgy8eG3stA_000164_000174.mp4", "bluesky_10b.mp4"])
def test_real_files_have_the_views_that_the_core_sees(
    name: str, viewer: Viewer, shared_clips: Path
) -> None:
    clip = core.bs.VideoSource(str(shared_clips / name), cachemode=0)
    assert levels(viewer, shared_clips / name, clip) == 0


def test_a_clip_that_the_user_converts_to_rgb_scores_alike(
    scorer: Counting, shared_clips: Path
) -> None:
    path = shared_clips / "1724.mp4"
    clip = core.bs.VideoSource(str(path), cachemode=0)
    rgb = clip.resize.Bicubic(format=vs.RGB24, matrix_in_s="470bg", dither_type="error_diffusion")
    scores = [
        collect(dover_segments(c, scorer=scorer, segment=1000))["DoverOverall"][0]
        for c in (clip, rgb)
    ]
    assert scores[0] == scorer.score(path).overall
    assert abs(scores[0] - scores[1]) < 0.01


@pytest.mark.parametrize("wrong", [{"_Matrix": 1}, {"_Range": 1}])
def test_a_wrong_matrix_or_range_would_be_seen(
    wrong: dict[str, int], viewer: Viewer, tmp_path: Path
) -> None:
    path = write_clip(tmp_path / "a.mp4", 33, (288, 512), colour="bt601")
    clip = core.bs.VideoSource(str(path), cachemode=0).std.SetFrameProps(**wrong)
    assert levels(viewer, path, clip) > 3


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


def test_tagged_matrix_holds_and_untagged_follows_the_rule(viewer: Viewer) -> None:
    rgb = moving(33, 720, 960)
    yuv = rgb.resize.Bicubic(format=vs.YUV444P8, matrix_s="709")
    untagged = yuv.std.RemoveFrameProps("_Matrix")

    def picture(clip: vs.VideoNode, **kwargs: Any) -> np.ndarray:
        return viewer(clip, **kwargs).aesthetic.astype(int)

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
    pd.testing.assert_frame_equal(
        table, collect(dover_compare_segments(before, after, scorer=scorer, segment=40))
    )
    losses = table["DoverOverallDifference"]
    assert low_quality(compared, below=-1, by="difference") == []
    (lost,) = low_quality(compared, below=losses.max() + 0.001, by="difference")
    assert lost == (0, 80, losses.min())
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
        ({"repeats": 0}, "repeats must be from 1 to 20"),
        ({"fusion": "none.json"}, "none.json"),
        ({"scorer": "x"}, "scorer must be a dover_plugin.Scorer, got 'x'"),
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
        ({}, "Name one of below, quantile and worst, got none"),
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
    assert len(scorer.seen) == 1


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
