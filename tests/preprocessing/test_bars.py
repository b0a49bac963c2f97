"""Black bars: what is cut, and what it does to views and scores."""

from typing import Any

import numpy as np
import pytest
from clips import scene, write_clip

from dover_plugin import Scorer
from dover_plugin.io.memory import ArraySource
from dover_plugin.preprocessing.bars import BLACK, inside_bars
from dover_plugin.preprocessing.pictures import Picture
from dover_plugin.preprocessing.sampling import draws
from dover_plugin.preprocessing.sampling_rule import DOVER, DOVER_OPEN
from dover_plugin.preprocessing.views import build_views

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
    rows, columns = inside_bars(frame)
    assert (rows.start, columns.start, rows.stop, columns.stop) == part


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
