import copy
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dover_plugin.networks import CONFIGS, DOVER, Dover, SwinConfig
from dover_plugin.networks.convnext3d import GlobalResponseNorm
from dover_plugin.networks.layers import depthwise_conv3d
from dover_plugin.networks.seeded import seeded_state_dict
from dover_plugin.networks.swin3d import Swin3d, WindowAttention, fit_window, fragment_distance

GOLDEN = Path(__file__).parent / "golden"
# SHA-256 of the published files' "key dtype shape" lines, unused ImageNet heads left out
LAYOUTS = {
    "dover": "bbc374aca583fb6acaf488926efc2eff5492208e9b1fa3972286ba84ba6283e3",
    "dover-mobile": "45a6b97a413dbfcce6e185393e689e7008fe160a5eec0e7374313f256a164fb8",
}
TOLERANCE = 1e-5
SMALL = SwinConfig(depths=(2, 2), heads=(2, 4), width=16, gated_stages=1)


@pytest.fixture(scope="module")
def networks() -> dict[str, Dover]:
    made = {}
    for model in LAYOUTS:
        made[model] = Dover(CONFIGS[model]).eval()
        made[model].load_state_dict(seeded_state_dict(CONFIGS[model]))
    return made


def inputs() -> dict[str, Tensor]:
    rng = np.random.default_rng(7)
    shapes = {"technical": (3, 3, 32, 224, 224), "aesthetic": (1, 3, 32, 224, 224)}
    return {
        branch: torch.from_numpy(rng.standard_normal(shape).astype(np.float32))
        for branch, shape in shapes.items()
    }


@pytest.mark.parametrize("model", LAYOUTS)
def test_state_dict_is_that_of_the_published_file(model: str) -> None:
    with torch.device("meta"):
        state = Dover(CONFIGS[model]).state_dict()
    lines = [f"{k} {str(v.dtype)[6:]} {list(v.shape)}" for k, v in sorted(state.items())]
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == LAYOUTS[model]


@pytest.mark.parametrize("model", LAYOUTS)
def test_features_maps_and_raw_scores_are_those_of_the_reference(
    model: str, networks: dict[str, Dover]
) -> None:
    network = networks[model]
    for branch, clips in inputs().items():
        golden = np.load(GOLDEN / f"{model}_{branch}.npz")
        backbone, head = (getattr(network, f"{branch}_{part}") for part in ("backbone", "head"))
        with torch.inference_mode():
            features = torch.cat([backbone(clip[None]) for clip in clips])
            maps = head(features).numpy()
        assert np.abs(features.mean((1, 2, 3)).numpy() - golden["feat_mean"]).max() < TOLERANCE
        assert np.abs(features[:, 0, 0, 0, :16].numpy() - golden["feat_corner"]).max() < TOLERANCE
        assert np.abs(maps - golden["head"][:, 0]).max() < TOLERANCE
        assert maps.mean() == pytest.approx(golden["head"].mean(), abs=TOLERANCE)


def test_clips_of_a_batch_do_not_see_each_other(networks: dict[str, Dover]) -> None:
    clips = inputs()["technical"]
    with torch.inference_mode():
        together = networks["dover-mobile"].technical_map(clips)
        alone = networks["dover-mobile"].technical_map(clips[1:2])
    assert torch.allclose(together[1:2], alone, atol=TOLERANCE)


def test_norms_have_the_reference_epsilons() -> None:
    with torch.device("meta"):
        dover = Dover(DOVER)

    def epsilons(module: nn.Module) -> set[float]:
        return {m.eps for m in module.modules() if isinstance(m, nn.LayerNorm)}

    assert epsilons(dover.technical_backbone) == {1e-5}
    assert epsilons(dover.aesthetic_backbone) == {1e-6}


def test_response_norm_spans_time_and_height_not_width() -> None:
    norm = GlobalResponseNorm(3)
    nn.init.normal_(norm.gamma)
    nn.init.normal_(norm.beta)
    x = torch.randn(2, 4, 5, 6, 3)
    energy = x.pow(2).sum((1, 2), keepdim=True).sqrt()
    share = energy / (energy.mean(-1, keepdim=True) + 1e-6)
    assert torch.allclose(norm(x), norm.gamma * (x * share) + norm.beta + x, atol=1e-5)


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("gradients", [True, False])
def test_depthwise_convolution_equals_the_3d_one(depth: int, gradients: bool) -> None:
    conv = nn.Conv3d(4, 4, (depth, 7, 7), padding=(depth // 2, 3, 3), groups=4)
    x = torch.randn(2, 5, 9, 8, 4)
    with torch.set_grad_enabled(gradients):
        y = depthwise_conv3d(x, conv.weight, conv.bias)
        expected = conv(x.permute(0, 4, 1, 2, 3)).permute(0, 2, 3, 4, 1)
        with torch.autocast("cpu", torch.bfloat16):  # a training's gradients stay in float32
            halves = depthwise_conv3d(x, conv.weight, conv.bias)
    assert torch.allclose(y, expected, atol=1e-5)
    assert torch.equal(halves, y) == gradients


def test_gate_counts_rows_plus_columns_between_fragments() -> None:
    # the second window of the top row, unshifted: columns 7..13 of 56, fragments 0 and 1
    gate = fragment_distance((16, 56, 56), (8, 7, 7), (0, 0, 0))[1]
    assert gate[0, 1] == 1  # column 7 lies in fragment 0, column 8 in fragment 1
    assert gate[0, 0] == 0
    wide = fragment_distance((16, 14, 14), (8, 7, 7), (0, 0, 0))[0]
    assert wide.max() == 6  # 14 tokens over 7 fragments: rows 0..3 and columns 0..3


def test_a_window_shrinks_to_the_grid_and_then_does_not_shift() -> None:
    assert fit_window((16, 7, 7), (8, 7, 7), (4, 3, 3)) == ((8, 7, 7), (4, 0, 0))
    with pytest.raises(ValueError, match="do not tile"):
        fit_window((16, 10, 14), (8, 7, 7), (4, 3, 3))


def small_swin() -> Swin3d:
    torch.manual_seed(0)
    return Swin3d(SMALL).eval()


def run(net: Swin3d, x: Tensor) -> Tensor:
    with torch.inference_mode():
        return net(x)


def attention(net: Swin3d) -> WindowAttention:
    return next(m for m in net.modules() if isinstance(m, WindowAttention))


def test_bias_is_kept_between_calls_and_rebuilt_when_weights_change() -> None:
    net, x = small_swin(), torch.randn(1, 3, 32, 56, 56)
    before = run(net, x)
    kept = attention(net)._constant
    assert kept is not None
    assert torch.equal(run(net, x), before)
    assert attention(net)._constant is kept

    changed = {k: v + 1 if "bias_table" in k else v for k, v in net.state_dict().items()}
    changed = {
        k: v * torch.linspace(0, 3, len(v))[:, None] if "bias_table" in k else v
        for k, v in changed.items()
    }
    fresh = small_swin()
    fresh.load_state_dict(changed)
    expected = run(fresh, x)
    assert not torch.allclose(expected, before, atol=1e-4)
    for assign in (False, True):
        net = small_swin()
        run(net, x)
        with torch.inference_mode(assign is False):  # also where version counters are not seen
            net.load_state_dict(copy.deepcopy(changed), assign=assign)
        assert torch.equal(run(net, x), expected)


def test_bias_follows_a_training_step() -> None:
    net, x = small_swin(), torch.randn(1, 3, 32, 56, 56)
    before = run(net, x)
    table = attention(net).relative_position_bias_table
    net(x).square().mean().backward()
    assert table.grad is not None
    assert table.grad.abs().sum() > 0
    torch.optim.SGD(net.parameters(), lr=100.0).step()
    kept = run(net, x)
    net.eval()
    with torch.enable_grad():
        plain = net(x).detach()  # built anew under gradients
    assert torch.allclose(kept, plain, atol=1e-4, equal_nan=True)
    assert not torch.allclose(kept, before, atol=1e-4)


def test_bias_follows_another_type_and_is_not_copied() -> None:
    net, x = small_swin(), torch.randn(1, 3, 32, 56, 56)
    run(net, x)
    assert attention(copy.deepcopy(net))._constant is None
    double = run(net.double(), x.double())
    assert double.dtype == torch.float64
    assert torch.allclose(double.float(), run(net.float(), x), atol=1e-4)


def test_gradients_give_the_same_numbers_as_inference(networks: dict[str, Dover]) -> None:
    clip = inputs()["aesthetic"]
    with torch.inference_mode():
        expected = networks["dover-mobile"].aesthetic_map(clip)
    with torch.enable_grad():
        assert torch.allclose(
            networks["dover-mobile"].aesthetic_map(clip), expected, atol=TOLERANCE
        )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_response_norm_of_strong_activations_in_halves(dtype: torch.dtype) -> None:
    norm = GlobalResponseNorm(16)
    torch.nn.init.normal_(norm.gamma, generator=torch.Generator().manual_seed(0))
    x = 20 * torch.randn(1, 16, 56, 7, 16, generator=torch.Generator().manual_seed(1))
    expected = norm(x).detach()
    with torch.inference_mode():
        found = norm.to(dtype)(x.to(dtype))
    assert torch.isfinite(found).all()
    assert (found - expected).abs().max() < 0.02 * expected.abs().max()
