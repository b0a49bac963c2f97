import pytest
import torch
from network_helpers import INFERENCE, name_of, random
from torch import nn

from dover_plugin.networks import ConvNeXt3d, ConvNeXtConfig
from dover_plugin.networks.convnext3d import GlobalResponseNorm
from dover_plugin.networks.kernels import ExportKernels, Kernels, use_kernels


@pytest.mark.parametrize("kernels", [Kernels(), ExportKernels(), *INFERENCE], ids=name_of)
def test_global_response_norm_spans_time_and_height_not_width(kernels: Kernels) -> None:
    norm = GlobalResponseNorm(3)
    nn.init.normal_(norm.gamma)
    nn.init.normal_(norm.beta)
    use_kernels(norm, kernels)
    x = random(2, 4, 5, 6, 3)
    response = x.pow(2).sum((1, 2), keepdim=True).sqrt()
    share = response / (response.mean(-1, keepdim=True) + 1e-6)
    expected = norm.gamma * (x * share) + norm.beta + x
    with torch.no_grad():
        assert torch.allclose(norm(x), expected, atol=1e-5)


@pytest.mark.parametrize("global_response_norm", [True, False])
@pytest.mark.parametrize("kernels", INFERENCE, ids=name_of)
def test_kernels_agree_on_both_versions(kernels: Kernels, global_response_norm: bool) -> None:
    torch.manual_seed(0)
    network = ConvNeXt3d(ConvNeXtConfig((1, 3), (8, 16), global_response_norm)).eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    clips = random(2, 3, 8, 32, 48)
    expected = network(clips)
    assert expected.shape == (2, 4, 4, 6, 16)
    use_kernels(network, kernels)
    with torch.inference_mode():
        assert torch.allclose(network(clips), expected, atol=1e-5)
