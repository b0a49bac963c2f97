"""The pixels that the network sees are those of the core."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs
from clips import scene, write_clip
from vs_helpers import Counting, Viewer, clip_of, moving

from dover_plugin import ArraySource, Scorer, Scores, VideoInfo
from dover_plugin.preprocessing.sampling import draws
from dover_plugin.preprocessing.streaming import build_views
from dover_plugin.preprocessing.views import Views
from vs_filter import collect, dover, dover_segments

core = vs.core


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


@pytest.mark.parametrize("prefetch", [True, False])
def test_black_bars_are_cut_as_in_the_core(
    prefetch: bool, scorer: Counting, _result: Scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bars that grow thinner within a segment: its samples are made again."""
    seen: dict[str, Views] = {}

    def remember(info: VideoInfo, views: Sequence[Views]) -> Scores:
        assert info.path
        assert info.path not in seen
        seen[info.path] = views[0]
        return _result

    monkeypatch.setattr(scorer, "score_views", remember)
    frames = np.maximum(np.stack(list(scene(120, 120, 160))), 30)
    for number, frame in enumerate(frames):
        depth = 30 - number // 4 % 20
        frame[:depth] = frame[120 - depth :] = 0
    frames[:10] = 0
    for order in (range(120), [80, 0, 40]):
        seen.clear()
        clip = dover(clip_of(frames), scorer=scorer, segment=40, prefetch=prefetch)
        for n in order:
            clip.get_frame(n)
        assert len(seen) == 3
        for start in range(0, 120, 40):
            source = ArraySource(frames[start : start + 40])
            [expected] = build_views(source, draws(40, 120, 160, rule=scorer.read_options.rule))
            found = seen[f"frames {start} to {start + 39}"]
            assert np.array_equal(found.technical, expected.technical)
            assert np.array_equal(found.aesthetic, expected.aesthetic)
            assert found.parts == expected.parts
    assert len({str(views.parts) for views in seen.values()}) > 1


def test_frames_that_differ_at_the_second_request(
    scorer: Counting, _result: Scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that adds noise, say, may have thinner bars when it is read again."""
    monkeypatch.setattr(scorer, "score_views", lambda *_: _result)
    requests: Counter[int] = Counter()
    white = core.std.BlankClip(width=160, height=120, format=vs.RGB24, length=40, color=[200] * 3)

    def draw(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        out = f.copy()
        depth = 30 - n // 8 - 3 * requests[n]
        requests[n] += 1
        for plane in range(3):
            np.asarray(out[plane])[:depth] = np.asarray(out[plane])[120 - depth :] = 0
        return out

    core.clear_cache()
    clip = dover(core.std.ModifyFrame(white, white, draw), scorer=scorer, segment=40)
    assert clip.get_frame(0).props["DoverOverall"] == _result.overall
    assert max(requests.values()) > 1


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
