"""Optimizer steps: which parts learn, the EMA weights, and the learning rate."""

from dataclasses import replace

import pytest
import torch
from train_helpers import CPU, MODEL, SETTINGS, TINY

from dover_plugin.errors import SettingsError
from dover_plugin.networks import Dover, Swin3d, SwinConfig
from dover_plugin.preprocessing.sampling import BRANCHES
from dover_plugin.training.data import Batch
from dover_plugin.training.learner import Learner, _schedule
from dover_plugin.training.model import load_initial
from dover_plugin.training.settings import TrainSettings

STEPS = (1000, 500)  # total, per epoch


def labels(generator: torch.Generator) -> Batch:
    return {name: torch.rand(4, generator=generator) for name in ("overall", *BRANCHES)}


@pytest.fixture
def views() -> Batch:
    generator = torch.Generator().manual_seed(0)
    shape = (4, 1, 2, 64, 64, 3)
    batch: Batch = {
        f"{branch}_view": torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
        for branch in BRANCHES
    }
    return batch | labels(generator)


@pytest.fixture
def network() -> Dover:
    torch.manual_seed(0)
    return Dover(TINY)


@pytest.mark.parametrize("branch", BRANCHES)
def test_one_branch_learns_and_the_other_does_not_change(
    branch: str, views: Batch, network: Dover
) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    settings = replace(SETTINGS, trainable=branch, learning_rate=0.01, warmup_epochs=0)
    learner = Learner(network, settings, CPU)
    for _ in range(2):
        learner.learn(views, *STEPS)
    for state in (learner.network.state_dict(), learner.ema_weights()):
        changed = {name for name in state if not torch.equal(state[name], before[name])}
        assert changed
        assert all(name.startswith(f"{branch}_") for name in changed)
        assert any(name.startswith(f"{branch}_backbone") for name in changed)
        assert any(name.startswith(f"{branch}_head") for name in changed)


@pytest.mark.parametrize("model", [MODEL, "dover-open"])
@pytest.mark.parametrize("branch", BRANCHES)
def test_the_head_of_one_branch_learns_and_nothing_else(branch: str, model: str) -> None:
    settings = TrainSettings(
        model=model, init=model, trainable=f"{branch} head", batch_size=4, learning_rate=0.01,
        warmup_epochs=0,
    )  # fmt: skip
    network, _ = load_initial(settings)
    generator = torch.Generator().manual_seed(0)
    batch = labels(generator)
    for each in BRANCHES:
        clip = torch.randn(1, 3, 32, 224, 224, generator=generator)
        with torch.no_grad():
            features = getattr(network, f"{each}_backbone")(clip)
        offset = torch.randn(4, 1, 1, 1, 1, features.shape[-1], generator=generator)
        batch[f"{each}_features"] = (features + features.std() * offset).half()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    learner = Learner(network, settings, CPU)
    losses = [learner.learn(batch, *STEPS) for _ in range(20)]
    assert losses[-1] < losses[0]
    after = learner.network.state_dict()
    changed = {name for name in before if not torch.equal(after[name], before[name])}
    assert changed
    assert all(name.startswith(f"{branch}_head.") for name in changed)
    assert set(learner.ema_weights()) == {
        name for name in before if name.startswith(f"{branch}_head.")
    }


def test_backbones_learn_at_their_own_rate(views: Batch, network: Dover) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    settings = replace(SETTINGS, backbone_rate=0.0, learning_rate=0.01, warmup_epochs=0)
    learner = Learner(network, settings, CPU)
    learner.learn(views, *STEPS)
    after = learner.network.state_dict()
    changed = {name for name in before if not torch.equal(after[name], before[name])}
    assert changed
    assert all("_head." in name for name in changed)


def test_the_ema_weights_follow_slowly(views: Batch, network: Dover) -> None:
    settings = replace(SETTINGS, ema=0.999, learning_rate=0.01, warmup_epochs=0)
    learner = Learner(network, settings, CPU)
    name = "technical_head.fc_hid.weight"
    expected = None
    for step in range(3):
        learner.learn(views, *STEPS)
        current = learner.network.state_dict()[name].clone()
        keep = (1 + step) / (10 + step)  # the decay starts low
        expected = current if expected is None else keep * expected + (1 - keep) * current
    torch.testing.assert_close(learner.ema_weights()[name], expected)


def test_bfloat16_gives_nearly_the_same_loss(views: Batch) -> None:
    found = []
    for precision in ("float32", "bfloat16"):
        torch.manual_seed(0)
        learner = Learner(Dover(TINY), replace(SETTINGS, precision=precision), CPU)
        found.append(learner.learn(views, *STEPS))
    assert found[0] != found[1]
    assert found[1] == pytest.approx(found[0], abs=0.05)


def test_the_learning_rate_warms_up_and_decays() -> None:
    rates = [_schedule(step, 100, 10) for step in range(100)]
    assert rates[:10] == pytest.approx([(i + 1) / 11 for i in range(10)])
    assert rates[10] == 1
    assert rates[55] == pytest.approx(0.5)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.001


def test_short_runs_warm_up_for_half_of_their_steps(views: Batch, network: Dover) -> None:
    learner = Learner(network, replace(SETTINGS, warmup_epochs=10), CPU)
    rates = []
    for _ in range(4):
        learner.learn(views, 4, 4)
        rates.append(learner.learning_rate / SETTINGS.learning_rate)
    assert rates == pytest.approx([1 / 3, 2 / 3, 1, 0.5])


def test_gradient_checkpointing_changes_no_gradient() -> None:
    torch.manual_seed(0)
    swin = Swin3d(SwinConfig(depths=(2, 2, 2, 2)))
    clip = torch.randn(1, 3, 4, 224, 224)
    gradients = []
    for checkpointing in (False, True):
        swin.checkpointing = checkpointing
        swin.zero_grad()
        swin(clip).square().mean().backward()
        gradients.append([p.grad.clone() for p in swin.parameters() if p.grad is not None])
    assert len(gradients[0]) == len(list(swin.parameters()))
    for plain, checkpointed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, checkpointed, rtol=1e-4, atol=1e-7)


def test_gradient_checkpointing_needs_a_swin_backbone() -> None:
    with pytest.raises(SettingsError, match="needs a Swin backbone"):
        load_initial(replace(SETTINGS, checkpointing=True))
