"""Networks with seeded weights."""

from collections.abc import Iterator

import pytest

from dover_plugin.networks import CONFIGS, Dover
from dover_plugin.networks.kernels import Kernels, use_kernels
from dover_plugin.networks.seeded import seeded_state_dict


@pytest.fixture(scope="session")
def _seeded_networks() -> dict[str, Dover]:
    made = {}
    for model in ("dover", "dover-mobile"):
        made[model] = Dover(CONFIGS[model]).eval()
        made[model].load_state_dict(seeded_state_dict(CONFIGS[model]))
    return made


@pytest.fixture
def networks(_seeded_networks: dict[str, Dover]) -> Iterator[dict[str, Dover]]:
    """Networks by model; every test gets them with plain kernels."""
    yield _seeded_networks
    for network in _seeded_networks.values():
        use_kernels(network, Kernels())
        network.train().eval()  # drops the kept position biases
        network.zero_grad()
