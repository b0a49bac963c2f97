"""Training one branch while the other stays as it is."""

import pytest
import torch

from dover_plugin.cli.train import _what
from dover_plugin.networks import CONFIGS
from dover_plugin.training.data import Batch
from dover_plugin.training.examples import BRANCHES
from dover_plugin.training.init import untrained
from dover_plugin.training.learner import Learner
from dover_plugin.training.model import start
from dover_plugin.training.run import WHAT, TrainSettings


@pytest.mark.parametrize("branch", BRANCHES)
def test_one_branch_learns_and_the_other_stays(branch: str) -> None:
    generator = torch.Generator().manual_seed(0)
    batch: Batch = {
        f"{name}_view": torch.randint(
            0, 256, (4, 1, 2, 64, 64, 3), generator=generator, dtype=torch.uint8
        )
        for name in BRANCHES
    }
    for name in ("overall", *BRANCHES):
        batch[name] = torch.rand(4, generator=generator)
    settings = TrainSettings(
        model="dover-open", init="scratch", what=branch, batch_size=4, clip_len=2, window=64,
        learning_rate=0.01, backbone_rate=1.0, warmup_epochs=0, draws=0, fused_weight=1.0,
    )  # fmt: skip
    network = untrained("dover-open", 0)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    learner = Learner(network, settings, torch.device("cpu"))
    for _ in range(2):
        learner.learn(batch, 1000, 500)
    for state in (learner.network.state_dict(), learner.best()):
        changed = {name for name in state if not torch.equal(state[name], before[name])}
        assert changed
        assert all(name.startswith(f"{branch}_") for name in changed)
        assert any(name.startswith(f"{branch}_backbone") for name in changed)
        assert any(name.startswith(f"{branch}_head") for name in changed)


@pytest.mark.parametrize("branch", BRANCHES)
def test_the_head_of_one_branch_learns_and_nothing_else(branch: str) -> None:
    generator = torch.Generator().manual_seed(0)
    width = CONFIGS["dover-open"].aesthetic.widths[-1]
    batch: Batch = {
        f"{name}_features": torch.randn(4, 1, 2, 7, 7, width, generator=generator)
        for name in BRANCHES
    }
    for name in ("overall", *BRANCHES):
        batch[name] = torch.rand(4, generator=generator)
    settings = TrainSettings(
        model="dover-open", init="dover-open", what=f"{branch} head", batch_size=4,
        learning_rate=0.01, warmup_epochs=0, fused_weight=1.0,
    )  # fmt: skip
    network = start(settings).network
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    learner = Learner(network, settings, torch.device("cpu"))
    losses = [learner.learn(batch, 1000, 500) for _ in range(20)]
    assert losses[-1] < losses[0]
    after = learner.network.state_dict()
    changed = {name for name in before if not torch.equal(after[name], before[name])}
    assert changed
    assert all(name.startswith(f"{branch}_head.") for name in changed)
    assert set(learner.best()) == {name for name in before if name.startswith(f"{branch}_head.")}


@pytest.mark.parametrize(
    ("head_only", "only", "what"),
    [
        (True, None, "heads"),
        (True, "technical", "technical head"),
        (False, None, "all"),
        (False, "aesthetic", "aesthetic"),
    ],
)
def test_what_the_command_trains(head_only: bool, only: str | None, what: str) -> None:
    assert _what(head_only, only) == what in WHAT
