"""Black bars: what is cut, and what it does to views and scores."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from clips import scene, write_clip

from dover_plugin import Scorer, VideoError
from dover_plugin.io.memory import ArraySource, DeviceSource
from dover_plugin.io.source import Frame
from dover_plugin.preprocessing.bars import BLACK, bars_of, inside
from dover_plugin.preprocessing.pictures import Picture
from dover_plugin.preprocessing.sampling import draws
from dover_plugin.preprocessing.sampling_rule import DOVER, DOVER_OPEN
from dover_plugin.preprocessing.streaming import build_views, stream_views

SIZE = (240, 320)


def boxed(frames: Picture, rows: int, columns: int, level: int = 0) -> Picture:
    pads = ((0, 0), (rows, rows), (columns, columns), (0, 0))
    return np.pad(frames, pads, constant_values=level)


@pytest.fixture(scope="module")
def frames() -> Picture:
    """(40, 240, 320, 3), nowhere black."""
    return np.maximum(np.stack(list(scene(40, *SIZE))), BLACK + 1)


@pytest.mark.parametrize(
    ("rows", "columns"), [(0, 0), (1, 0), (30, 0), (0, 41), (120, 0), (0, 500), (40, 60), (400, 0)]
)
@pytest.mark.parametrize("level", [0, 16, BLACK])
def test_views_are_those_of_the_picture(
    frames: Picture, rows: int, columns: int, level: int
) -> None:
    found, expected = (
        build_views(ArraySource(each), draws(len(each), *each.shape[1:3], rule=DOVER_OPEN))[0]
        for each in (boxed(frames, rows, columns, level), frames)
    )
    assert np.array_equal(found.technical, expected.technical)
    assert np.array_equal(found.aesthetic, expected.aesthetic)


def test_random_fragments_lie_inside_the_picture(frames: Picture) -> None:
    around = boxed(frames, 60, 0)
    for seed in range(5):
        [views] = build_views(
            ArraySource(around), draws(len(around), *around.shape[1:3], seed=seed, rule=DOVER_OPEN)
        )
        assert views.technical.max(axis=-1).min() > BLACK


def test_other_models_see_the_bars(frames: Picture) -> None:
    around = boxed(frames, 30, 0)
    [views] = build_views(ArraySource(around), draws(len(around), *around.shape[1:3], rule=DOVER))
    assert not views.aesthetic[0, 0, :20].any()


# Bars that all frames have in common.
COMMON = {"fade in": (30, 20), "thinner": (10, 20), "jitter": (28, 36), "flash": (0, 0)}


def unsteady(frames: Picture) -> Iterator[tuple[str, Picture]]:
    """Videos whose frames differ in their bars."""
    fade = boxed(frames, 30, 20)
    fade[:9] = 0
    yield "fade in", fade
    thinner = boxed(frames, 30, 20)
    thinner[24:28, 10:-10, 20:-20] = 200
    yield "thinner", thinner
    jitter = boxed(frames, 28, 36)
    for number, frame in enumerate(jitter):
        frame[: 28 + number % 5] = frame[-28 - number % 5 :] = 0
    jitter[::7] = 3
    yield "jitter", jitter
    flash = boxed(frames, 30, 20)
    flash[18:22] = 255
    yield "flash", flash


class Counted:
    """A source that counts the frames that are read more than once."""

    def __init__(self, source: ArraySource) -> None:
        self._source, self._seen = source, set[int]()
        self.info, self.again = source.info, 0

    def frames(self, indices: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        self.again += len(self._seen.intersection(indices))
        self._seen.update(indices)
        return self._source.frames(indices)


def window(height: int, width: int, top: int, left: int, bottom: int, right: int) -> Picture:
    """A black frame with a bright part."""
    frame = np.zeros((height, width, 3), np.uint8)
    frame[top:bottom, left:right] = 200
    return frame


@pytest.mark.parametrize(
    ("frame", "part"),
    [
        (window(90, 160, 0, 0, 90, 160), (0, 0, 90, 160)),
        (window(90, 160, 10, 0, 80, 160), (10, 0, 80, 160)),
        (window(90, 160, 30, 0, 90, 160), (0, 0, 90, 160)),  # dark on one side only
        (window(90, 160, 10, 0, 60, 160), (10, 0, 80, 160)),  # the thinner bar counts
        (window(90, 160, 0, 0, 0, 0), (0, 0, 90, 160)),  # a black frame
        (window(90, 160, 44, 80, 46, 81), (0, 0, 90, 160)),  # nearly black
        (window(160, 90, 60, 0, 100, 90), (60, 0, 100, 90)),  # widescreen on a phone held upright
    ],
)
def test_the_part_inside(frame: Picture, part: tuple[int, int, int, int]) -> None:
    rows, columns = inside(bars_of(frame), *frame.shape[:2])
    assert (rows.start, columns.start, rows.stop, columns.stop) == part


def test_all_frames_of_a_view_are_cut_alike(frames: Picture) -> None:
    for kind, around in unsteady(frames):
        (rows, columns), (_, height, width, _) = COMMON[kind], around.shape
        inner = around[:, rows : height - rows, columns : width - columns]
        [expected] = build_views(ArraySource(inner), draws(len(inner), *inner.shape[1:3]))
        chosen = draws(len(around), height, width, rule=DOVER_OPEN)
        array = ArraySource(around)
        for source in (array, DeviceSource(torch.from_numpy(around), array.info)):
            [found] = build_views(source, chosen)
            assert np.array_equal(found.technical, expected.technical), kind
            assert np.array_equal(found.aesthetic, expected.aesthetic), kind
            part = slice(rows, height - rows), slice(columns, width - columns)
            assert found.parts == {"technical": part, "aesthetic": part}


def test_segments_and_branches_are_cut_on_their_own(frames: Picture) -> None:
    """Segments that overlap and a branch alone show what they show without the others."""
    around = boxed(frames, 40, 0)
    around[30:, 10:40] = 90  # the upper bar is thinner in the last frames
    around[30:, -40:-10] = 90
    source = ArraySource(around)
    size = around.shape[1:3]
    spans = [(0, 24), (12, 40), (24, 40), (0, 40)]
    chosen = [(start, draws(end - start, *size, rule=DOVER_OPEN)) for start, end in spans]
    together = list(stream_views(source, chosen))
    for (start, end), [views] in zip(spans, together, strict=True):
        [alone] = build_views(
            ArraySource(around[start:end]), draws(end - start, *size, rule=DOVER_OPEN)
        )
        assert np.array_equal(views.technical, alone.technical)
        assert views.parts == alone.parts
        for branch in DOVER_OPEN.branches:
            rule = DOVER_OPEN.only([branch], "dover-open")
            [one] = build_views(
                ArraySource(around[start:end]), draws(end - start, *size, rule=rule)
            )
            assert np.array_equal(getattr(one, branch), getattr(alone, branch))


def test_a_source_that_can_be_read_once_only(frames: Picture) -> None:
    """Its frames are never shown with an outdated cut."""

    class Once(Counted):
        def frames(self, indices: Sequence[int]) -> Iterator[tuple[int, Frame]]:
            return iter(()) if self._seen else super().frames(indices)

    steady, (_, fade) = boxed(frames, 30, 20), next(unsteady(frames))
    chosen = draws(len(fade), *fade.shape[1:3], rule=DOVER_OPEN)
    build_views(Once(ArraySource(steady)), chosen)
    with pytest.raises(VideoError, match="did not yield frame 0"):
        build_views(Once(ArraySource(fade)), chosen)


def test_small_pictures_inside_bars_are_enlarged_with_a_warning(seeded: dict[str, Any]) -> None:
    scorer = Scorer("dover-open", "cpu", weights=seeded["dover-open"])
    wide = np.maximum(np.stack(list(scene(40, 180, 320))), BLACK + 1)
    [warning] = scorer.score(boxed(wide, 40, 0)).warnings
    assert "frames of 320x180 inside black bars are enlarged" in warning


def test_steady_bars_are_read_once(frames: Picture) -> None:
    for rows in (0, 30):
        source = Counted(ArraySource(boxed(frames, rows, 0)))
        info = source.info
        build_views(source, draws(info.num_frames, info.height, info.width, rule=DOVER_OPEN))
        assert source.again == 0


def test_scores_and_maps(frames: Picture, seeded: dict[str, Any]) -> None:
    scorer = Scorer("dover-open", "cpu", weights=seeded["dover-open"])
    alone, around = scorer.score(frames), scorer.score(boxed(frames, 30, 20))
    assert alone.raw == around.raw
    assert np.array_equal(alone.maps.aesthetic, around.maps.aesthetic)  # type: ignore[union-attr]


def test_coded_bars_change_the_score_little(tmp_path: Any, frames: Picture) -> None:
    scorer = Scorer()
    clips = []
    for rows in (0, 32):
        coded = boxed(frames, rows, 0)
        path = tmp_path / f"{rows}.mp4"
        clips.append(write_clip(path, frames=iter(coded), size=coded.shape[1:3]))
    plain, around = (scorer.score(clip).overall for clip in clips)
    assert abs(plain - around) < 0.02
