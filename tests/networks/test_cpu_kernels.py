from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from network_helpers import INFERENCE, name_of, random
from torch import nn

from dover_plugin.engines.torch_engine import TorchEngine, inference_kernels
from dover_plugin.networks import CONFIGS, Dover
from dover_plugin.networks.cpu_kernels import (
    CHUNK_TOKENS,
    CpuKernels,
    InferenceKernels,
    has_onednn,
)
from dover_plugin.networks.kernels import KernelModule, Kernels


def test_torch_engine_selects_kernels_for_its_device() -> None:
    network = Dover(CONFIGS["dover-mobile"]).eval()
    TorchEngine(network, torch.device("cpu"))
    kernels = {m.kernels for m in network.modules() if isinstance(m, KernelModule)}
    (selected,) = kernels
    assert isinstance(selected, CpuKernels)
    assert selected.onednn == has_onednn()
    for device in ("cuda", "mps"):
        assert type(inference_kernels(torch.device(device))) is InferenceKernels


def test_onednn_is_not_used_if_it_is_disabled() -> None:
    with torch.backends.mkldnn.flags(enabled=False):
        assert not has_onednn()
    assert has_onednn() == torch.backends.mkldnn.is_available()


@torch.no_grad()
def test_linear_layers_are_convolutions_only_with_onednn() -> None:
    layer, x = nn.Linear(6, 4), random(2, 5, 6)
    for onednn in (True, False):
        with mock.patch.object(F, "conv2d", wraps=F.conv2d) as conv2d:
            CpuKernels(onednn).linear(layer, x)
        assert conv2d.called == onednn


@torch.no_grad()
def test_hidden_layers_are_cut_into_chunks_on_a_cpu() -> None:
    expand, contract = nn.Linear(3, 12), nn.Linear(12, 3)
    x = random(1, 2 * CHUNK_TOKENS + 5, 3)
    for kernels, chunks in ((InferenceKernels(), 1), (CpuKernels(onednn=False), 3)):
        with mock.patch.object(expand, "forward", wraps=expand.forward) as forward:
            assert kernels.mlp(x, expand, contract).shape == x.shape
        assert forward.call_count == chunks


@pytest.mark.parametrize("kernels", INFERENCE, ids=name_of)
def test_global_response_norm_writes_in_place(kernels: Kernels) -> None:
    x = random(1, 4, 6, 5, 16)
    gamma, beta = random(1, 1, 1, 16, seed=1), random(1, 1, 1, 16, seed=2)
    expected = Kernels().global_response_norm(x, gamma, beta, 1e-6)
    found = kernels.global_response_norm(x, gamma, beta, 1e-6)
    assert found.data_ptr() == x.data_ptr()
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_global_response_norm_of_strong_activations_in_half_precision(dtype: torch.dtype) -> None:
    x = 20 * random(1, 16, 56, 7, 16, seed=1)
    gamma, beta = random(1, 1, 1, 16), torch.zeros(1, 1, 1, 16)
    expected = Kernels().global_response_norm(x, gamma, beta, 1e-6)
    halves = [each.to(dtype) for each in (x, gamma, beta)]
    found = CpuKernels(onednn=True).global_response_norm(*halves, 1e-6)
    assert found.dtype == dtype
    assert torch.isfinite(found).all()
    assert (found - expected).abs().max() < 0.02 * expected.abs().max()
