"""What a training may be told, and the parts of it that need no video."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from dover_plugin.errors import SettingsError
from dover_plugin.training.data import plan
from dover_plugin.training.run import TrainSettings, network_of

SETTINGS = TrainSettings(
    model="dover-open", init="scratch", what="all", epochs=2, batch_size=4, clip_len=2,
    backbone_rate=1.0, warmup_epochs=0.5, seed=1, draws=0,
)  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"what": "head"},
        {"precision": "half"},
        {"epochs": 0},
        {"learning_rate": float("nan")},
        {"ema": 1.0},
        {"together": 3},
        {"window": 100},
        {"batch_size": 1},
        {"clip_len": 3},
        {"what": "heads"},
        {"pair_weight": -1.0},
    ],
)
def test_settings_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        replace(SETTINGS, **wrong)


def test_heads_alone_see_no_pairs() -> None:
    heads = TrainSettings(model="dover-open", init="dover-open")
    with pytest.raises(SettingsError, match="neither mirrored nor spoilt"):
        replace(heads, pair_weight=1.0)


def test_which_network() -> None:
    assert network_of("dover-mobile", None) == "dover-mobile"
    assert network_of("scratch", "dover-open") == "dover-open"
    with pytest.raises(SettingsError, match="--model"):
        network_of("mine.pth", None)
    with pytest.raises(SettingsError, match="no dover"):
        network_of("dover-mobile", "dover")
    with pytest.raises(SettingsError, match="no dover"):
        network_of("dover", "dover++")


def test_checkpointing_changes_no_gradient() -> None:
    from dover_plugin.networks import Swin3d, SwinConfig

    torch.manual_seed(0)
    swin = Swin3d(SwinConfig(depths=(2, 2, 2, 2)))
    clip = torch.randn(1, 3, 8, 224, 224)
    gradients = []
    for checkpointing in (False, True):
        swin.checkpointing = checkpointing
        swin.zero_grad()
        swin(clip).square().mean().backward()
        gradients.append([p.grad.clone() for p in swin.parameters() if p.grad is not None])
    assert len(gradients[0]) == len(list(swin.parameters()))
    for plain, kept in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, kept, rtol=1e-4, atol=1e-7)


def test_those_of_one_group_stand_together() -> None:
    groups = ["a"] * 5 + ["b"] * 3 + ["c"]
    batches = plan(groups, batch_size=4, epochs=3, seed=0, together=2)
    chunks = [batch[i : i + 2] for batch in batches for i in range(0, len(batch), 2)]
    assert len(chunks) == 3 * 3  # of a two, of b one, in each epoch; rests wait
    assert all(groups[one[1]] == groups[other[1]] for one, other in chunks)
    assert len({key for chunk in chunks for key in chunk}) == 2 * len(chunks)
    with pytest.raises(SettingsError, match="No group has 6"):
        plan(groups, batch_size=6, epochs=1, seed=0, together=6)
