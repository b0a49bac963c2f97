import torch

from dover_plugin.networks import DOVER_OPEN, Dover
from dover_plugin.networks.seeded import seeded_state_dict


def test_weights_are_reproducible_and_complete() -> None:
    first, second = (seeded_state_dict(DOVER_OPEN) for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)
    Dover(DOVER_OPEN).load_state_dict(first, strict=True)
