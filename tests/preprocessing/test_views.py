import itertools
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from dover_plugin import ArraySource, VideoError
from dover_plugin.preprocessing.normalise import normalise
from dover_plugin.preprocessing.pictures import aesthetic_picture, technical_mosaic
from dover_plugin.preprocessing.sampling import draw
from dover_plugin.preprocessing.streaming import build_views

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/views.json").read_text())
PICKS = [(0, 0, 0, 0), (1, 5, 31, 32), (2, 17, 100, 200), (0, 31, 223, 223), (1, 16, 112, 112)]


def synthetic(seed: int, shape: list[int]) -> Iterator[NDArray[np.uint8]]:
    """The video that the golden numbers were made of."""
    num_frames, height, width, _ = shape
    base = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.int64)
    y, x = np.mgrid[:height, :width]
    ramp = 2 * y[..., None] + x[..., None] * (np.arange(3) + 1)
    for t in range(num_frames):
        yield ((base // 4 + 3 * t + ramp) % 256).astype(np.uint8)


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Torch's own resizing gives other last bits on one; what was set is set again after."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def interpolate(frame: NDArray[np.uint8], size: tuple[int, int]) -> torch.Tensor:
    x = torch.from_numpy(frame).permute(2, 0, 1)[None].float().contiguous()
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)[0].permute(1, 2, 0)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda g: "x".join(map(str, g["shape"][1:3])))
def test_views_are_those_of_the_reference(golden: dict[str, Any]) -> None:
    offsets = draw(100, *golden["shape"][1:3]).offsets[0]
    frames = list(synthetic(golden["seed"], golden["shape"]))
    technical = np.stack([technical_mosaic(f, offsets) for f in frames]).transpose(3, 0, 1, 2)
    aesthetic = np.stack([aesthetic_picture(f) for f in frames]).transpose(3, 0, 1, 2)
    assert zlib.crc32(np.ascontiguousarray(technical)) == golden["technical_crc32"]
    assert [technical[p] for p in PICKS] == golden["technical_pick"]
    assert [aesthetic[p] for p in PICKS] == golden["aesthetic_pick"]
    assert aesthetic.mean() == pytest.approx(golden["aesthetic_mean"], abs=1e-4)
    assert aesthetic.std(ddof=1) == pytest.approx(golden["aesthetic_std"], abs=1e-4)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(
    "size", [(1, 1), (2, 3), (16, 16), (223, 225), (224, 224), (271, 483), (1080, 1919), (90, 4000)]
)
def test_aesthetic_picture_is_a_bilinear_resize_without_antialias(size: tuple[int, int]) -> None:
    frame = np.random.default_rng(5).integers(0, 256, (*size, 3)).astype(np.uint8)
    expected = interpolate(frame, (224, 224)).round().byte().numpy()
    difference = np.abs(aesthetic_picture(frame).astype(int) - expected)
    assert difference.max() <= 1  # torch's kernels differ in the last bit between machines
    assert (difference > 0).mean() < 1e-4


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("size", [(144, 192), (200, 113), (31, 31), (16, 16), (8, 60), (223, 700)])
def test_fragments_of_a_small_frame_come_from_the_enlarged_one(size: tuple[int, int]) -> None:
    frame = np.random.default_rng(6).integers(0, 256, (*size, 3)).astype(np.uint8)
    height, width = size
    enlarged = (224, width * 224 // height) if height <= width else (height * 224 // width, 224)
    big = interpolate(frame, enlarged).byte().numpy()
    offsets = draw(100, height, width).offsets[0]
    mosaic = technical_mosaic(frame, offsets)
    for i in range(7):
        for j in range(7):
            row, col = offsets[i, j] + (enlarged[0] // 7 * i, enlarged[1] // 7 * j)
            fragment = mosaic[32 * i : 32 * i + 32, 32 * j : 32 * j + 32]
            differing = fragment != big[row : row + 32, col : col + 32]
            assert differing.mean() < 2e-3


@pytest.mark.usefixtures("two_threads")
def test_threads_change_no_pixel() -> None:
    frames = ArraySource(np.stack(list(synthetic(3, [40, 64, 80, 3]))))
    choice = draw(40, 64, 80)
    found = []
    for threads in (1, 2, 4):
        torch.set_num_threads(threads)
        found += build_views(frames, [choice])
    for views in found[1:]:
        assert np.array_equal(views.technical, found[0].technical)
        assert np.array_equal(views.aesthetic, found[0].aesthetic)


def test_a_strip_too_narrow_to_enlarge_is_refused() -> None:
    strip = np.zeros((2, 8192, 3), np.uint8)
    with pytest.raises(VideoError, match=r"8192x2 pixels.*Crop or scale"):
        technical_mosaic(strip, draw(1, 2, 8192).offsets[0])


def test_views_hold_each_frame_at_its_place() -> None:
    frames = np.arange(200, dtype=np.uint8)[:, None, None, None].repeat(240, 1).repeat(320, 2)
    choice = draw(200, 240, 320)
    (views,) = build_views(ArraySource(frames.repeat(3, 3)), [choice])
    assert views.technical.shape == (3, 32, 224, 224, 3)
    assert views.aesthetic.shape == (1, 32, 224, 224, 3)
    assert np.array_equal(views.technical[:, :, 100, 100, 0], choice.technical)
    assert np.array_equal(views.aesthetic[0, :, 100, 100, 0], choice.aesthetic)


def test_fragments_follow_the_motion_inside_a_clip_only() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1, 480, 640, 3)).astype(np.uint8)
    choice = draw(200, 480, 640, np.random.default_rng(1))
    (views,) = build_views(ArraySource(noise.repeat(200, 0)), [choice])
    first, second, _ = views.technical
    assert (first == first[0]).all()
    assert not np.array_equal(first[0], second[0])


def test_normalise() -> None:
    clip = np.zeros((1, 2, 224, 224, 3), np.uint8)
    clip[0, 1, 5, 7] = (255, 0, 10)
    x = normalise(torch.from_numpy(clip))
    assert x.shape == (1, 3, 2, 224, 224)
    assert x[0, :, 1, 5, 7].tolist() == pytest.approx(
        [(255 - 123.675) / 58.395, -116.28 / 57.12, (10 - 103.53) / 57.375], abs=1e-6
    )


def test_a_source_that_leaves_out_a_frame_gets_no_score() -> None:
    class Short(ArraySource):
        def frames(self, indices: Any) -> Any:
            return itertools.islice(super().frames(indices), 3)

    with pytest.raises(VideoError, match="did not yield frame 3 of 40"):
        build_views(Short(np.zeros((40, 240, 320, 3), np.uint8)), [draw(40, 240, 320)])


def test_a_change_of_size_gets_no_score() -> None:
    class Changing(ArraySource):
        def frames(self, indices: Any) -> Any:
            for i, frame in super().frames(indices):
                yield i, frame[:200] if i > 9 else frame

    with pytest.raises(VideoError, match=r"Frame 10 of None is \(200, 320, 3\).*Split the video"):
        build_views(Changing(np.zeros((40, 240, 320, 3), np.uint8)), [draw(40, 240, 320)])


def test_frames_may_be_views_of_memory_with_any_strides() -> None:
    small = np.random.default_rng(0).integers(0, 256, (60, 90, 3)).astype(np.uint8)
    offsets = draw(9, 60, 90).offsets[0]
    flipped = small[..., ::-1]
    assert np.array_equal(
        technical_mosaic(flipped, offsets), technical_mosaic(flipped.copy(), offsets)
    )
