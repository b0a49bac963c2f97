from typing import Any

import numpy as np
import pytest
import vapoursynth as vs
from vs_helpers import Counting, Viewer, moving

from vs_filter import collect, dover, dover_segments

core = vs.core
SAMPLES = [(vs.INTEGER, bits) for bits in (8, 9, 10, 12, 14, 16, 24, 32)] + [
    (vs.FLOAT, bits) for bits in (16, 32)
]
SUBSAMPLING = [(0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (2, 2)]


def formats() -> list[Any]:
    found = []
    for sample, bits in SAMPLES:
        for family in (vs.YUV, vs.GRAY, vs.RGB):
            for w, h in SUBSAMPLING if family == vs.YUV else [(0, 0)]:
                found.append(core.query_video_format(family, sample, bits, w, h))
    return found


def convert(rgb: vs.VideoNode, form: Any) -> vs.VideoNode:
    """To any format; integers above 16 bits, which resize lacks, by shifting."""
    wide = form.sample_type == vs.INTEGER and form.bits_per_sample > 16
    target = form.replace(bits_per_sample=16) if wide else form
    matrix = {} if form.color_family == vs.RGB else {"matrix_s": "709"}
    if form.color_family == vs.GRAY and form.sample_type == vs.INTEGER:
        matrix["range_s"] = "full"  # as FFmpeg reads grey video
    clip = rgb.resize.Bicubic(format=target.id, **matrix)
    if not wide:
        return clip
    blank = core.std.BlankClip(clip, format=form.id)

    def widen(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        out = f[1].copy()
        for plane in range(form.num_planes):
            wider = np.asarray(f[0][plane]).astype(np.uint32) << (form.bits_per_sample - 16)
            np.asarray(out[plane])[:] = wider
        out.props["_Matrix"] = f[0].props["_Matrix"]
        return out

    return core.std.ModifyFrame(blank, [clip, blank], widen)


@pytest.fixture(scope="module")
def rgb() -> vs.VideoNode:
    return moving(4, 240, 320)


@pytest.mark.parametrize("form", formats(), ids=lambda f: f.name)
def test_every_format(
    form: Any,
    rgb: vs.VideoNode,
    viewer: Viewer,
) -> None:
    true = rgb
    if form.color_family == vs.GRAY:
        true = rgb.resize.Bicubic(format=vs.GRAY8, matrix_s="709").resize.Bicubic(format=vs.RGB24)
    expected = viewer(true)
    found = viewer(convert(rgb, form))
    limit = 6 if form.subsampling_w + form.subsampling_h > 2 else 4
    for branch in ("technical", "aesthetic"):
        difference = getattr(found, branch).astype(int) - getattr(expected, branch)
        assert np.abs(difference).mean() < limit


@pytest.mark.parametrize(
    "size", [(1, 1), (16, 16), (31, 31), (50, 1000), (223, 225), (240, 321), (1081, 1921)]
)
def test_every_size(size: tuple[int, int], scorer: Counting) -> None:
    scored = dover(moving(3, *size), scorer=scorer)
    assert 0 <= scored.get_frame(2).props["DoverOverall"] <= 1


@pytest.mark.parametrize(
    ("num_frames", "segment"), [(1, 1), (2, 1), (1, 240), (2, 240), (31, 240), (33, 240)]
)
def test_few_frames(num_frames: int, segment: int, scorer: Counting) -> None:
    scored = dover(moving(num_frames), scorer=scorer, segment=segment)
    props = scored.get_frame(num_frames - 1).props
    assert props["DoverSegmentEnd"] == num_frames


def test_a_varying_format_or_size_is_refused(scorer: Counting) -> None:
    small, large = moving(3, 64, 64), moving(3, 64, 128)
    varying = core.std.Splice([small, large], mismatch=True)
    with pytest.raises(vs.Error, match=r"dover: The format or size of the clip varies\. Make it"):
        dover(varying, scorer=scorer)


@pytest.mark.parametrize("matrix", [0, 3, 8, 10, 11, 12, 13, 14, 15, 16, 255])
def test_a_matrix_that_cannot_be_converted(matrix: int, scorer: Counting) -> None:
    clip = core.std.BlankClip(width=64, height=64, format=vs.YUV420P8, length=2)
    scored = dover(clip.std.SetFrameProps(_Matrix=matrix), scorer=scorer)
    with pytest.raises(vs.Error) as caught:
        scored.get_frame(0)
    last = str(caught.value).strip().splitlines()[-1]
    assert f"dover: A YUV frame has _Matrix={matrix}" in last
    assert "std.SetFrameProps(clip, _Matrix=1)" in last


@pytest.mark.parametrize("matrix", [1, 2, 4, 5, 6, 7, 9])
def test_matrices_that_can_be_converted(matrix: int, scorer: Counting) -> None:
    clip = core.std.BlankClip(width=64, height=64, format=vs.YUV420P8, length=2)
    props = dover(clip.std.SetFrameProps(_Matrix=matrix), scorer=scorer).get_frame(0).props
    assert 0 <= props["DoverOverall"] <= 1


@pytest.mark.parametrize(
    ("props", "says"),
    [
        ({"_FieldBased": 1}, "interlaced"),
        ({"_Transfer": 16}, "HDR (PQ) is tone mapped"),
        ({"_Transfer": 18}, "HDR (HLG) is tone mapped"),
    ],
)
def test_what_may_surprise_is_said_once(props: dict[str, int], says: str, scorer: Counting) -> None:
    said: list[str] = []
    handle = core.add_log_handler(lambda kind, text: said.append(text))
    try:
        clip = moving(40, 64, 64).resize.Bicubic(format=vs.YUV420P8, matrix_s="709")
        dover(clip.std.SetFrameProps(**props), scorer=scorer).get_frame(0)
    finally:
        core.remove_log_handler(handle)
    assert len([text for text in said if says in text and text.startswith("dover: ")]) == 1


@pytest.mark.parametrize("family", [vs.RGB24, vs.GRAY8])
@pytest.mark.parametrize("matrix", [0, 1])
def test_a_matrix_says_nothing_of_rgb_and_grey(family: Any, matrix: int, scorer: Counting) -> None:
    clip = core.std.BlankClip(width=64, height=64, format=family, length=2)
    props = dover(clip.std.SetFrameProps(_Matrix=matrix), scorer=scorer).get_frame(0).props
    assert 0 <= props["DoverOverall"] <= 1


@pytest.mark.parametrize(
    ("form", "limited", "white"),
    [
        (vs.YUV444P8, True, 255),
        (vs.YUV444P8, False, 235),
        (vs.GRAY8, True, 235),  # FFmpeg reads grey as full range
        (vs.GRAY8, False, 235),
        (vs.RGB24, None, 235),
    ],
)
def test_ranges(form: Any, limited: bool | None, white: int, scorer: Counting) -> None:
    colour = {vs.YUV444P8: [235, 128, 128], vs.GRAY8: [235], vs.RGB24: [235] * 3}[form]
    clip = core.std.BlankClip(width=64, height=64, format=form, length=2, color=colour)
    clip = clip.std.SetFrameProps(_Matrix=6)
    if limited is not None:
        clip = clip.std.SetFrameProps(_Range=0 if limited else 1)
    collect(dover_segments(clip, scorer=scorer))
    assert (scorer.seen[0][1][0].aesthetic == white).all()


@pytest.mark.parametrize("segment", [240, 24])
@pytest.mark.timeout(60)
def test_two_hours_and_a_half(segment: int, scorer: Counting) -> None:
    clip = core.std.BlankClip(width=640, height=360, format=vs.YUV420P8, length=216_000)
    scored = dover(clip, scorer=scorer, segment=segment)
    assert scored.num_frames == 216_000
    assert scored.get_frame(150_000).props["DoverSegment"] == 150_000 // segment
    assert len(scorer.seen) == 1
