"""Labelled clips, and a small model with short clips in place of a published one."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from clips import write_clip
from torch import Tensor
from train_helpers import MODEL, TINY, publish

from dover_plugin.evaluation.labels import LabelledVideo
from dover_plugin.networks import CONFIGS
from dover_plugin.networks.seeded import seeded_state_dict
from dover_plugin.preprocessing.sampling import SamplingRule
from dover_plugin.training import dataset

VIDEOS = 16


@pytest.fixture(scope="session")
def labels(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledVideo]:
    """Clips of 4 frames whose MOS falls with their noise: 8 to train, 4 to validate, 4 to test."""
    folder = tmp_path_factory.mktemp("labelled")
    rows = []
    for i in range(VIDEOS):
        rng = np.random.default_rng(i)
        grain = rng.integers(-8 * i - 1, 8 * i + 1, (4, 224, 224, 3))
        frames = np.clip(128 + grain, 0, 255).astype(np.uint8)
        file = write_clip(folder / f"{i:02}.mp4", size=(224, 224), frames=iter(frames))
        split = "train" if i % 8 < 4 else "val" if i % 8 < 6 else "test"
        rows.append(LabelledVideo(file, 100 - 5.0 * i, group=file.name, split=split))
    return rows


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """The small model computes faster without the synchronisation of several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def initial(monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """Initial weights; they pass for the published weights of MODEL in the cache."""
    monkeypatch.setitem(CONFIGS, MODEL, TINY)
    monkeypatch.setattr(dataset, "RULE", SamplingRule(clip_len=2))
    state = seeded_state_dict(TINY)
    state["technical_backbone.downsample_layers.0.0.bias"][0] = -0.0  # averaging would lose it
    publish(monkeypatch, state)
    return state
