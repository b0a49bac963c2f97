"""Inputs and small networks for the tests of this folder."""

import numpy as np
import torch
from torch import Tensor

from dover_plugin.networks import SwinConfig
from dover_plugin.networks.cpu_kernels import CpuKernels, InferenceKernels
from dover_plugin.networks.kernels import Kernels, use_kernels
from dover_plugin.networks.swin3d import Swin3d

TOLERANCE = 1e-5
SMALL = SwinConfig(depths=(2, 2), num_heads=(2, 4), embed_dim=16, fragment_bias_stages=1)
INFERENCE = (InferenceKernels(), CpuKernels(onednn=True), CpuKernels(onednn=False))


def name_of(kernels: Kernels) -> str:
    onednn = " with oneDNN" if getattr(kernels, "onednn", False) else ""
    return type(kernels).__name__ + onednn


def golden_inputs() -> dict[str, Tensor]:
    """The inputs that tests/golden/README.md describes."""
    rng = np.random.default_rng(7)
    shapes = {"technical": (3, 3, 32, 224, 224), "aesthetic": (1, 3, 32, 224, 224)}
    return {
        branch: torch.from_numpy(rng.standard_normal(shape).astype(np.float32))
        for branch, shape in shapes.items()
    }


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def small_swin(kernels: Kernels | None = None) -> Swin3d:
    torch.manual_seed(0)
    swin = Swin3d(SMALL).eval()
    use_kernels(swin, kernels or Kernels())
    return swin
