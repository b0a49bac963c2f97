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
from dover_plugin.networks.seeded import seeded_state_dict
from dover_plugin.weights.registry import published

GOLDEN = Path(__file__).parents[1] / "golden"
# SHA-256 of the published files' "key dtype shape" lines, without the unused ImageNet heads.
LAYOUTS = {
    "dover": "bbc374aca583fb6acaf488926efc2eff5492208e9b1fa3972286ba84ba6283e3",
    "dover-mobile": "45a6b97a413dbfcce6e185393e689e7008fe160a5eec0e7374313f256a164fb8",
}
FAST_VQA_LAYOUTS = {
    "fast-vqa": "d5e1872a11fa44fb312343ee208cb786511e9e5bc5823b41cb884fbf260693df",
    "fast-vqa-m": "042c613b088e844f7446a0b42d967a04747c6c210c10165c2a0ba1b5d162f114",
}


@pytest.mark.parametrize("model", LAYOUTS)
def test_state_dict_is_that_of_the_published_file(model: str) -> None:
    with torch.device("meta"):
        state = Dover(CONFIGS[model]).state_dict()
    lines = [f"{k} {str(v.dtype)[6:]} {list(v.shape)}" for k, v in sorted(state.items())]
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == LAYOUTS[model]


@pytest.mark.parametrize("model", FAST_VQA_LAYOUTS)
def test_state_dict_is_that_of_fast_vqa_under_its_names(model: str) -> None:
    with torch.device("meta"):
        state = Dover(CONFIGS[model]).state_dict()
    lines = []
    for key, tensor in state.items():
        for theirs, ours in CONFIGS[model].published_names:
            if key.startswith(ours):
                name = theirs + key.removeprefix(ours)
                lines.append(f"{name} {str(tensor.dtype)[6:]} {list(tensor.shape)}")
    assert len(lines) == len(state)
    digest = hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
    assert digest == FAST_VQA_LAYOUTS[model]


@pytest.mark.parametrize(
    ("model", "kernels"),
    [
        ("fast-vqa", CpuKernels(onednn=True)),  # takes seconds for each clip
        ("fast-vqa-m", CpuKernels(onednn=True)),
        ("fast-vqa-m", Kernels()),
    ],
)
def test_features_and_maps_of_fast_vqa_are_those_of_its_implementation(
    model: str, kernels: Kernels
) -> None:
    network = Dover(CONFIGS[model], published(model).sampling).eval()
    network.load_state_dict(seeded_state_dict(CONFIGS[model]))
    use_kernels(network, kernels)
    frames, side, _, _ = published(model).sampling.clip_shape
    shape = (2, 3, frames, side, side)
    count = 1 if model == "fast-vqa" else 2
    clips = torch.from_numpy(np.random.default_rng(7).standard_normal(shape).astype(np.float32))
    golden = np.load(GOLDEN / f"{model}.npz")
    backbone, head = network.get_submodule("technical_backbone"), network.technical_head
    with torch.inference_mode():
        features = torch.cat([backbone(clip[None]) for clip in clips[:count]])
        maps = head(features).numpy()
    assert network.branches == ("technical",)
    means, corners = features.mean((1, 2, 3)).numpy(), features[:, 0, 0, 0, :16].numpy()
    assert np.abs(means - golden["feat_mean"][:count]).max() < TOLERANCE
    assert np.abs(corners - golden["feat_corner"][:count]).max() < TOLERANCE
    assert np.abs(maps - golden["head"][:count, 0]).max() < TOLERANCE


def test_a_network_of_one_branch_has_no_weights_of_the_other() -> None:
    rule = published("dover-mobile").sampling.only(("aesthetic",), "dover-mobile")
    network = Dover(CONFIGS["dover-mobile"], rule)
    assert {key.split("_")[0] for key in network.state_dict()} == {"aesthetic"}


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
