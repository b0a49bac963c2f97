"""What is learnt from a cut-out: the views that the whole picture would give."""

from pathlib import Path

import numpy as np
from clips import write_clip

from dover_plugin.training.examples import MakeViews, _shuffled
from dover_plugin.training.labels import Labelled
from dover_plugin.views import aesthetic_picture

HEIGHT, WIDTH = 224, 288
LENGTH = 8


def test_a_cut_out_is_as_small_as_within_the_whole_picture(tmp_path: Path) -> None:
    file = tmp_path / "cut.mp4"
    write_clip(file, LENGTH, (HEIGHT, WIDTH))
    make = MakeViews(clip_len=2)
    whole, cut = (
        make(Labelled(file, 1.0, cut_from=height), [np.random.default_rng(0)])[0]
        for height in (0, 720)
    )
    assert np.array_equal(whole["technical_view"], cut["technical_view"])
    view = cut["aesthetic_view"]
    assert view.shape == whole["aesthetic_view"].shape == (1, 2, 224, 224, 3)
    rows, cols = round(224 * HEIGHT / 720), round(224 * WIDTH / 1280)
    tile = view[:, :, :rows, :cols]
    assert np.array_equal(view[:, :, rows : 2 * rows, :cols], tile[:, :, ::-1])  # mirrored
    assert np.array_equal(view[:, :, :rows, cols : 2 * cols], tile[:, :, :, ::-1])
    frames = [whole["aesthetic_view"][0, i].astype(int) for i in (0, 1)]
    for frame, small in zip(frames, tile[0], strict=True):  # of the same frames, in their order
        other = aesthetic_picture(frame.astype(np.uint8), rows, cols)
        assert np.abs(other.astype(int) - small).mean() < 12


def test_the_same_pixels_as_the_whole_picture_would_give(tmp_path: Path) -> None:
    file = tmp_path / "whole.mp4"
    write_clip(file, LENGTH, (90, 160))
    make = MakeViews(clip_len=2)
    views = [
        make(Labelled(file, 1.0, cut_from=height), [np.random.default_rng(0)])[0]["aesthetic_view"]
        for height in (0, 90)
    ]
    assert np.array_equal(*views)


def test_fragments_of_a_cut_out_are_as_far_apart_as_in_the_whole_picture() -> None:
    numbers = np.arange(49).reshape(7, 7).repeat(32, 0).repeat(32, 1)
    view = np.broadcast_to(numbers[None, None, :, :, None], (1, 2, 224, 224, 3)).astype(np.uint8)
    view = view + np.array([0, 100], np.uint8)[None, :, None, None, None]  # of two frames
    mixed = _shuffled(view, np.random.default_rng(0))
    assert mixed.shape == view.shape
    fragments = mixed.reshape(1, 2, 7, 32, 7, 32, 3)
    assert (fragments == fragments[:, :, :, :1, :, :1]).all()  # whole ones
    first, second = fragments[0, :, :, 0, :, 0, 0]
    assert sorted(first.ravel()) == list(range(49))
    assert np.array_equal(second, first + 100)  # both frames alike
    assert (first.ravel() != np.arange(49)).sum() > 40
