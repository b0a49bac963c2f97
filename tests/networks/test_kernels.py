import copy
import pickle
import threading
import time

import pytest
import torch
import torch.nn.functional as F
from network_helpers import INFERENCE, TOLERANCE, name_of, random, small_swin
from torch import Tensor, nn

from dover_plugin.networks import CONFIGS, Dover
from dover_plugin.networks.cpu_kernels import CpuKernels
from dover_plugin.networks.kernels import (
    CachedTensor,
    ExportKernels,
    KernelModule,
    Kernels,
    use_kernels,
)

ALL = (Kernels(), ExportKernels(), *INFERENCE)


@pytest.mark.parametrize("kernels", ALL, ids=name_of)
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("gradients", [True, False])
def test_depthwise_convolution_equals_the_3d_one(
    gradients: bool, depth: int, kernels: Kernels
) -> None:
    conv = nn.Conv3d(4, 4, (depth, 7, 7), padding=(depth // 2, 3, 3), groups=4)
    x = random(2, 5, 9, 8, 4)
    with torch.set_grad_enabled(gradients):
        y = kernels.depthwise_conv3d(x, conv.weight, conv.bias)
        expected = conv(x.permute(0, 4, 1, 2, 3)).permute(0, 2, 3, 4, 1)
        with torch.autocast("cpu", torch.bfloat16):  # it stays in float32
            autocast = kernels.depthwise_conv3d(x, conv.weight, conv.bias)
    assert y.requires_grad == gradients
    assert torch.allclose(y, expected, atol=TOLERANCE)
    assert torch.equal(autocast, y)


@pytest.mark.parametrize("kernels", ALL, ids=name_of)
def test_linear_equals_the_layer(kernels: Kernels) -> None:
    x = random(2, 3, 5, 6)
    for layer in (nn.Linear(6, 4), nn.Linear(6, 4, bias=False)):
        with torch.no_grad():
            assert torch.allclose(kernels.linear(layer, x), layer(x), atol=TOLERANCE)


@pytest.mark.parametrize("kernels", ALL, ids=name_of)
def test_mlp_equals_its_layers(kernels: Kernels) -> None:
    expand, contract = nn.Linear(6, 24), nn.Linear(24, 6)
    x = random(2, 3, 31, 47, 6)  # more than two chunks
    before = x.clone()
    with torch.no_grad():
        hidden = F.gelu(expand(x))
        found = kernels.mlp(x, expand, contract)
        assert torch.allclose(found, contract(hidden), atol=TOLERANCE)
        found = kernels.mlp(x, expand, contract, torch.sigmoid)
        assert torch.allclose(found, contract(hidden.sigmoid()), atol=TOLERANCE)
    assert torch.equal(x, before)


@pytest.mark.parametrize("kernels", ALL, ids=name_of)
def test_attention_is_softmax_of_scaled_products_and_bias(kernels: Kernels) -> None:
    n, windows, heads, tokens, channels = 3, 4, 2, 10, 8
    q, k, v = (random(n, windows, heads, tokens, channels, seed=seed) for seed in range(3))
    bias = random(windows, heads, tokens, tokens, seed=3)
    weights = (torch.einsum("nwhqc,nwhkc->nwhqk", q, k) / channels**0.5 + bias).softmax(-1)
    expected = torch.einsum("nwhqk,nwhkc->nwqhc", weights, v).flatten(-2)
    with torch.no_grad():
        assert torch.allclose(kernels.attention(q, k, v, bias), expected, atol=TOLERANCE)


@pytest.mark.parametrize("kernels", [Kernels(), ExportKernels()], ids=name_of)
def test_plain_kernels_change_no_argument_and_are_differentiable(kernels: Kernels) -> None:
    x = random(1, 4, 6, 6, 8).requires_grad_()
    expand, contract = nn.Linear(8, 16), nn.Linear(16, 8)
    gamma, beta = (nn.Parameter(random(1, 1, 1, 16, seed=seed)) for seed in (1, 2))

    def norm(hidden: Tensor) -> Tensor:
        before = hidden.detach().clone()
        y = kernels.global_response_norm(hidden, gamma, beta, 1e-6)
        assert torch.equal(hidden, before)
        return y

    kernels.mlp(x, expand, contract, norm).square().sum().backward()
    for tensor in (x, gamma, beta, expand.weight, contract.weight):
        assert tensor.grad is not None
        assert tensor.grad.abs().sum() > 0


@pytest.mark.parametrize("gradients", [True, False])
def test_only_use_kernels_selects_the_implementation(gradients: bool) -> None:
    """Neither the gradient mode nor the training mode does."""
    called = []

    class Recorded(Kernels):
        def attention(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
            called.append("attention")
            return super().attention(q, k, v, bias)

    swin, x = small_swin(), random(1, 3, 32, 56, 56)
    use_kernels(swin, Recorded())
    for training in (True, False):
        called.clear()
        with torch.set_grad_enabled(gradients):
            swin.train(training)(x)
        assert called == ["attention"] * 4
        assert all(m.cached_bias.is_empty for m in swin.modules() if hasattr(m, "cached_bias"))


def test_networks_have_plain_kernels_until_others_are_selected() -> None:
    with torch.device("meta"):
        networks = [Dover(CONFIGS[model]) for model in ("dover", "dover-mobile")]
    for network in networks:
        modules = [m for m in network.modules() if isinstance(m, KernelModule)]
        assert {type(m.kernels) for m in modules} == {Kernels}
    use_kernels(networks[0], CpuKernels(onednn=True))
    types = [
        {type(m.kernels) for m in network.modules() if isinstance(m, KernelModule)}
        for network in networks
    ]
    assert types == [{CpuKernels}, {Kernels}]
    use_kernels(networks[0].aesthetic_backbone, Kernels())  # also a part of a network
    types = [
        {type(m.kernels) for m in branch.modules() if isinstance(m, KernelModule)}
        for branch in (networks[0].technical_backbone, networks[0].aesthetic_backbone)
    ]
    assert types == [{CpuKernels}, {Kernels}]


def test_cached_tensor_is_built_once_for_all_threads() -> None:
    cache, source, built = CachedTensor(), torch.zeros(3), []

    def build() -> Tensor:
        built.append(1)
        time.sleep(0.05)
        return source + 1

    found: list[Tensor] = []

    @torch.no_grad()
    def get() -> None:
        found.append(cache.get("key", [source], build))

    threads = [threading.Thread(target=get) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert len({id(tensor) for tensor in found}) == 1


@torch.no_grad()
def test_cached_tensor_follows_its_sources_and_key() -> None:
    cache, source = CachedTensor(), torch.zeros(3)

    def get(key: object) -> Tensor:
        return cache.get(key, [source], lambda: source + 1)

    kept = get("key")
    assert get("key") is kept
    assert get("other key") is not kept
    kept = get("key")
    source += 1
    assert torch.equal(get("key"), torch.full((3,), 2.0))
    kept = get("key")
    cache.clear()
    assert cache.is_empty
    assert get("key") is not kept
    source = torch.full((3,), 5.0)
    assert torch.equal(get("key"), torch.full((3,), 6.0))
    for copied in (copy.deepcopy(cache), pickle.loads(pickle.dumps(cache))):
        assert copied.is_empty
        assert torch.equal(copied.get("key", [source], lambda: source + 1), get("key"))


def test_cached_tensor_keeps_nothing_with_gradients_or_from_inference_tensors() -> None:
    cache, source = CachedTensor(), nn.Parameter(torch.zeros(3))
    assert cache.get("key", [source], lambda: source + 1).requires_grad
    assert cache.is_empty
    with torch.inference_mode():
        uncounted = torch.zeros(3)
        cache.get("key", [uncounted], lambda: uncounted + 1)
    assert cache.is_empty
