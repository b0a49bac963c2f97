import copy
import pickle

import pytest
import torch
from network_helpers import INFERENCE, name_of, random, small_swin
from torch import Tensor

from dover_plugin.networks.cpu_kernels import CpuKernels
from dover_plugin.networks.kernels import ExportKernels, Kernels
from dover_plugin.networks.swin3d import Swin3d, WindowAttention

CLIP = random(1, 3, 32, 56, 56)
CPU = CpuKernels(onednn=True)


def run(swin: Swin3d, x: Tensor = CLIP) -> Tensor:
    with torch.inference_mode():
        return swin(x)


def attention(swin: Swin3d) -> WindowAttention:
    return next(m for m in swin.modules() if isinstance(m, WindowAttention))


def kept(swin: Swin3d) -> Tensor | None:
    entry = attention(swin).cached_bias._entry
    return None if entry is None else entry[2]


@pytest.mark.parametrize("kernels", [ExportKernels(), *INFERENCE], ids=name_of)
def test_kernels_agree(kernels: Kernels) -> None:
    clips = random(2, 3, 32, 56, 56, seed=1)
    expected = small_swin()(clips)
    assert expected.requires_grad
    assert torch.allclose(run(small_swin(kernels), clips), expected, atol=1e-5)


@pytest.mark.parametrize("kernels", INFERENCE, ids=name_of)
def test_kernels_for_inference_keep_the_bias_between_calls(kernels: Kernels) -> None:
    swin = small_swin(kernels)
    before = run(swin)
    bias = kept(swin)
    assert bias is not None
    assert torch.equal(run(swin), before)
    assert kept(swin) is bias


@pytest.mark.parametrize("kernels", [Kernels(), ExportKernels()], ids=name_of)
def test_plain_kernels_keep_no_bias(kernels: Kernels) -> None:
    swin = small_swin(kernels)
    run(swin)
    swin(CLIP)
    assert kept(swin) is None


def test_bias_is_rebuilt_when_weights_change() -> None:
    before = run(small_swin(CPU))
    changed = {
        k: (v + 1) * torch.linspace(0, 3, len(v))[:, None] if "bias_table" in k else v
        for k, v in small_swin().state_dict().items()
    }
    fresh = small_swin(CPU)
    fresh.load_state_dict(changed)
    expected = run(fresh)
    assert not torch.allclose(expected, before, atol=1e-4)
    for assign in (False, True):
        swin = small_swin(CPU)
        run(swin)
        with torch.inference_mode(assign is False):
            swin.load_state_dict(copy.deepcopy(changed), assign=assign)
        assert torch.equal(run(swin), expected)


def test_bias_follows_a_training_step() -> None:
    swin = small_swin(CPU)
    before = run(swin)
    table = attention(swin).relative_position_bias_table
    swin(CLIP).square().mean().backward()  # kernels for inference record gradients if asked to
    assert table.grad is not None
    assert table.grad.abs().sum() > 0
    torch.optim.SGD(swin.parameters(), lr=100.0).step()
    after = run(swin)
    swin.eval()
    with torch.enable_grad():
        rebuilt = swin(CLIP).detach()
    assert torch.allclose(after, rebuilt, atol=1e-4, equal_nan=True)
    assert not torch.allclose(after, before, atol=1e-4)


def test_changing_the_mode_drops_the_bias() -> None:
    swin = small_swin(CPU)
    before = run(swin)
    attention(swin).relative_position_bias_table.data.add_(torch.arange(2.0))  # not counted
    attention(swin).relative_position_bias_table.data.mul_(3)
    swin.eval()
    assert kept(swin) is None
    assert not torch.equal(run(swin), before)


def test_bias_follows_the_dtype_and_is_not_copied() -> None:
    swin = small_swin(CPU)
    expected = run(swin)
    for copied in (copy.deepcopy(swin), pickle.loads(pickle.dumps(swin))):
        assert kept(copied) is None
        assert isinstance(attention(copied).kernels, CpuKernels)
        assert torch.equal(run(copied), expected)
    double = run(swin.double(), CLIP.double())
    assert double.dtype == torch.float64
    assert torch.allclose(double.float(), run(swin.float()), atol=1e-4)
