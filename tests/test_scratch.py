"""What a network sees before it has learnt anything."""

import pytest
import torch
import torch.nn.functional as F
from scipy.stats import spearmanr
from torch import Tensor

from dover_plugin.errors import SettingsError
from dover_plugin.networks import Dover
from dover_plugin.networks.dover import CONFIGS
from dover_plugin.training.init import untrained

LEVELS = 4


def pictures(fault: str, contents: int = 6) -> Tensor:
    """(contents * LEVELS, 3, 2, 128, 128): rough surfaces, ever more blurred or noisy."""
    random = torch.Generator().manual_seed(0)
    found = []
    for _ in range(contents):
        shape = (1, 3, 1, 128, 128)
        picture = torch.randn(shape, generator=random).cumsum(3).cumsum(4)
        picture = (picture - picture.mean()) / picture.std()
        grain = 0.3 * torch.rand(1, generator=random)
        picture = picture + grain * torch.randn(shape, generator=random)
        for level in range(LEVELS):
            spoilt = picture
            if fault == "noise":
                spoilt = picture + 0.15 * level * torch.randn(shape, generator=random)
            for _ in range(level if fault == "blur" else 0):
                spoilt = F.avg_pool3d(spoilt, (1, 3, 3), 1, (0, 1, 1), count_include_pad=False)
            found.append(spoilt.expand(-1, -1, 2, -1, -1))
    return torch.cat(found)


@pytest.mark.parametrize("fault", ["blur", "noise"])
def test_mean_features_tell_of_faults_before_anything_is_learnt(fault: str) -> None:
    """Those of torch's own random weights hardly do (0.37 at most)."""
    clips = pictures(fault)
    levels = list(range(LEVELS)) * (len(clips) // LEVELS)

    def told(network: Dover) -> float:
        with torch.inference_mode():
            means = network.eval().technical_backbone(clips).mean(dim=(1, 2, 3))
        return max(abs(spearmanr(channel, levels).statistic) for channel in means.T.numpy())

    torch.manual_seed(0)
    assert told(Dover(CONFIGS["dover-open"])) < 0.6
    assert told(untrained("dover-open", 0)) > 0.8


@pytest.mark.parametrize("model", ["dover", "dover-mobile"])
def test_any_model_can_begin_from_scratch(model: str) -> None:
    first, again, other = (untrained(model, seed).state_dict() for seed in (1, 1, 2))
    assert all(tensor.isfinite().all() for tensor in first.values())
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    head = "technical_head.fc_hid.weight"
    assert not torch.equal(first[head], other[head])


def test_no_such_model() -> None:
    with pytest.raises(SettingsError, match="No model is named 'dovr'"):
        untrained("dovr", 0)
