import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dover_plugin import SettingsError
from dover_plugin.preprocessing.sampling import (
    BRANCHES,
    SamplingRule,
    draw,
    draws,
    fragment_size,
)
from dover_plugin.preprocessing.views import samples
from dover_plugin.weights.registry import published

GOLDEN_FOLDER = Path(__file__).parents[1] / "golden"
GOLDEN = json.loads((GOLDEN_FOLDER / "frame_indices.json").read_text())


@pytest.mark.parametrize("num_frames", GOLDEN)
def test_frames_are_those_of_the_reference(num_frames: str) -> None:
    choice = draw(int(num_frames), 360, 640)
    assert choice.technical.ravel().tolist() == GOLDEN[num_frames]["technical"]
    if int(num_frames) >= 32:
        assert choice.aesthetic.tolist() == GOLDEN[num_frames]["aesthetic"]


@pytest.mark.parametrize("model", ["fast-vqa", "fastervqa"])
def test_frames_are_those_of_fast_vqa(model: str) -> None:
    golden = json.loads((GOLDEN_FOLDER / f"{model}_frame_indices.json").read_text())
    for num_frames, expected in golden.items():
        choice = draw(int(num_frames), 360, 640, rule=published(model).sampling)
        assert choice.technical.ravel().tolist() == expected, num_frames
        assert choice.aesthetic.size == 0


@pytest.mark.parametrize("seed", [None, 3])
def test_a_branch_sees_the_same_alone(seed: int | None) -> None:
    both, *_ = draws(300, 720, 1280, seed=seed)
    for branch in BRANCHES:
        rule = SamplingRule().only((branch,), "dover")
        alone, *_ = draws(300, 720, 1280, seed=seed, rule=rule)
        assert np.array_equal(getattr(alone, branch), getattr(both, branch))
        assert np.array_equal(alone.offsets, both.offsets[: len(alone.technical)])
        assert len(alone.technical) == (3 if branch == "technical" else 0)
        assert all(sample.branch == branch for sample in samples(alone))


def test_a_seed_moves_the_fragments_of_fast_vqa_but_not_its_clips() -> None:
    rule = published("fast-vqa-m").sampling
    centred, *_ = draws(300, 720, 1280, rule=rule)
    seeded, *_ = draws(300, 720, 1280, seed=1, rule=rule)
    assert np.array_equal(centred.technical, seeded.technical)
    assert centred.offsets.shape == (4, 4, 4, 2)
    assert not np.array_equal(centred.offsets, seeded.offsets)


@pytest.mark.parametrize("branches", [(), ("sound",), ("aesthetic", "sound"), "sound"])
def test_a_branch_that_the_model_lacks_is_refused(branches: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError, match=r"The model 'dover' has .* Use branches="):
        SamplingRule().only(branches, "dover")


@pytest.mark.parametrize("num_frames", [1, 2, 31])
def test_a_short_video_is_spread_over_the_aesthetic_view(num_frames: int) -> None:
    expected = [k * num_frames // 32 for k in range(32)]
    assert draw(num_frames, 240, 320).aesthetic.tolist() == expected


@given(
    num_frames=st.integers(1, 5000),
    height=st.integers(1, 4320),
    width=st.integers(1, 8192),
    seed=st.integers(0, 99),
)
def test_every_draw_lies_inside_the_video(
    num_frames: int, height: int, width: int, seed: int
) -> None:
    rows, cols = fragment_size(height, width)
    for choice in (
        *draws(num_frames, height, width),
        *draws(num_frames, height, width, seed=seed, repeats=2),
    ):
        assert choice.technical.shape == (3, 32)
        assert choice.aesthetic.shape == (32,)
        assert choice.offsets.shape == (3, 7, 7, 2)
        for indices in (choice.technical, choice.aesthetic):
            assert indices.min() >= 0
            assert indices.max() < num_frames
        assert choice.offsets.min() >= 0
        assert choice.offsets[..., 0].max() <= max(0, rows // 7 - 33)
        assert choice.offsets[..., 1].max() <= max(0, cols // 7 - 33)


def test_a_seed_draws_the_same_again_and_repeats_differ() -> None:
    first, second = draws(300, 720, 1280, seed=4, repeats=2)
    again, _ = draws(300, 720, 1280, seed=4, repeats=2)
    assert np.array_equal(first.offsets, again.offsets)
    assert np.array_equal(first.technical, again.technical)
    assert not np.array_equal(first.offsets, second.offsets)
    assert not np.array_equal(first.offsets[0], first.offsets[1])
    # the seeded clips still start inside their own third of the video
    assert (first.technical[:, 0] // 100 == [0, 1, 2]).all()


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((224, 224), (224, 224)),
        ((1080, 1920), (1080, 1920)),
        ((144, 192), (224, 192 * 224 // 144)),
        ((300, 200), (300 * 224 // 200, 224)),
        ((16, 16), (224, 224)),
        ((31, 62), (224, 448)),
    ],
)
def test_small_frames_are_enlarged_to_a_short_side_of_224(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert fragment_size(*size) == expected
