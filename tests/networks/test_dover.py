import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from network_helpers import INFERENCE, TOLERANCE, golden_inputs, name_of
from torch import nn

from dover_plugin.networks import CONFIGS, DOVER, Dover
from dover_plugin.networks.cpu_kernels import CpuKernels
from dover_plugin.networks.kernels import Kernels, use_kernels

GOLDEN = Path(__file__).parents[1] / "golden"
# SHA-256 of the published files' "key dtype shape" lines, without the unused ImageNet heads.
LAYOUTS = {
    "dover": "bbc374aca583fb6acaf488926efc2eff5492208e9b1fa3972286ba84ba6283e3",
    "dover-mobile": "45a6b97a413dbfcce6e185393e689e7008fe160a5eec0e7374313f256a164fb8",
}


@pytest.mark.parametrize("model", LAYOUTS)
def test_state_dict_is_that_of_the_published_file(model: str) -> None:
    with torch.device("meta"):
        state = Dover(CONFIGS[model]).state_dict()
    lines = [f"{k} {str(v.dtype)[6:]} {list(v.shape)}" for k, v in sorted(state.items())]
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == LAYOUTS[model]


@pytest.mark.parametrize("kernels", [Kernels(), CpuKernels(onednn=True)], ids=name_of)
@pytest.mark.parametrize("model", LAYOUTS)
def test_features_maps_and_raw_scores_are_those_of_the_reference(
    model: str, kernels: Kernels, networks: dict[str, Dover]
) -> None:
    network = networks[model]
    use_kernels(network, kernels)
    for branch, clips in golden_inputs().items():
        golden = np.load(GOLDEN / f"{model}_{branch}.npz")
        backbone, head = (getattr(network, f"{branch}_{part}") for part in ("backbone", "head"))
        with torch.inference_mode():
            features = torch.cat([backbone(clip[None]) for clip in clips])
            maps = head(features).numpy()
        assert np.abs(features.mean((1, 2, 3)).numpy() - golden["feat_mean"]).max() < TOLERANCE
        assert np.abs(features[:, 0, 0, 0, :16].numpy() - golden["feat_corner"]).max() < TOLERANCE
        assert np.abs(maps - golden["head"][:, 0]).max() < TOLERANCE
        assert maps.mean() == pytest.approx(golden["head"].mean(), abs=TOLERANCE)


@pytest.mark.parametrize("kernels", [Kernels(), *INFERENCE], ids=name_of)
def test_clips_of_a_batch_do_not_affect_each_other(
    kernels: Kernels, networks: dict[str, Dover]
) -> None:
    network, clips = networks["dover-mobile"], golden_inputs()["technical"]
    use_kernels(network, kernels)
    with torch.inference_mode():
        batch = network.technical_map(clips)
        alone = network.technical_map(clips[1:2])
    assert torch.allclose(batch[1:2], alone, atol=TOLERANCE)


@pytest.mark.parametrize("kernels", INFERENCE, ids=name_of)
def test_training_gives_the_same_numbers_as_inference(
    kernels: Kernels, networks: dict[str, Dover]
) -> None:
    network, clip = networks["dover-mobile"], golden_inputs()["aesthetic"]
    with torch.enable_grad():
        expected = network.aesthetic_map(clip)
    assert expected.requires_grad
    use_kernels(network, kernels)
    with torch.inference_mode():
        found = network.aesthetic_map(clip)
    assert torch.allclose(found, expected, atol=TOLERANCE)


def test_norms_have_the_reference_epsilons() -> None:
    with torch.device("meta"):
        dover = Dover(DOVER)

    def epsilons(module: nn.Module) -> set[float]:
        return {m.eps for m in module.modules() if isinstance(m, nn.LayerNorm)}

    assert epsilons(dover.technical_backbone) == {1e-5}
    assert epsilons(dover.aesthetic_backbone) == {1e-6}
