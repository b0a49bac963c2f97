"""Operations of the networks with more than one implementation.

A module that needs such an operation is a KernelModule and calls it on ``self.kernels``. The
default, Kernels, is differentiable. ``use_kernels`` selects another implementation for a whole
network: InferenceKernels or CpuKernels for inference (cpu_kernels.py), ExportKernels for graphs.
Tensors are channels-last: (N, T, H, W, C).
"""

import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CachedTensor:
    """A tensor that is computed from parameters and kept until one of them changes.

    It may be used from several threads. Copies and pickles are empty.
    """

    def __init__(self) -> None:
        self._entry: tuple[Hashable, Sequence[Tensor], Tensor] | None = None
        self._lock = threading.Lock()

    @property
    def is_empty(self) -> bool:
        """Whether no tensor is kept."""
        return self._entry is None

    def get(self, key: Hashable, sources: Sequence[Tensor], build: Callable[[], Tensor]) -> Tensor:
        """The kept tensor, or a new one if ``key`` or a source has changed.

        Nothing is kept while autograd records, nor from inference tensors, whose changes PyTorch
        does not count.

        Args:
            key: everything else that the tensor depends on.
            sources: parameters that the tensor is computed from.
            build: computes the tensor.
        """
        if torch.is_grad_enabled() or any(source.is_inference() for source in sources):
            return build()
        full_key = (key, *((id(source), source._version) for source in sources))
        with self._lock:
            if self._entry is None or self._entry[0] != full_key:
                # The entry holds the sources, so that no new tensor gets the id of an old one.
                self._entry = (full_key, sources, build().contiguous())
            return self._entry[2]

    def clear(self) -> None:
        """Drop the kept tensor."""
        with self._lock:
            self._entry = None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


class Kernels:
    """Plain operations: differentiable, out of place, on any device.

    Attributes:
        keep_constants: whether modules keep tensors that depend on their parameters alone.
    """

    keep_constants = False

    def linear(self, layer: nn.Linear, x: Tensor) -> Tensor:
        """Apply ``layer``, C -> D.

        Args:
            layer: the layer.
            x: (..., C).

        Returns:
            (..., D).
        """
        return layer(x)

    def depthwise_conv3d(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Depthwise 3-D convolution, zero-padded to keep its size, as a sum of 2-D ones.

        CPU libraries have fast kernels for 2-D depthwise convolutions and none for 3-D ones. Under
        autocast on a CPU it stays in float32, because gradients in half precision are slow there.

        Args:
            x: (N, T, H, W, C).
            weight: (C, 1, t, h, w), all of t, h, w odd.
            bias: (C,) or None.

        Returns:
            (N, T, H, W, C).
        """
        if x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            with torch.autocast("cpu", enabled=False):
                return self.depthwise_conv3d(x.float(), weight, bias)
        n, t, h, w, c = x.shape
        depth, rows, cols = weight.shape[2:]
        frames = x.reshape(n * t, h, w, c).permute(0, 3, 1, 2)  # (N*T, C, H, W), a view
        middle = depth // 2

        def conv2d(step: int, bias: Tensor | None) -> Tensor:
            y = F.conv2d(frames, weight[:, :, step], bias, padding=(rows // 2, cols // 2), groups=c)
            return y.permute(0, 2, 3, 1).reshape(n, t, h, w, c)

        out = conv2d(middle, bias)
        for step in range(depth):
            shift = step - middle  # output frame i sees input frame i + shift
            if shift == 0 or abs(shift) >= t:
                continue
            part = conv2d(step, None)
            if shift > 0:
                part = F.pad(part[:, shift:], (0, 0, 0, 0, 0, 0, 0, shift))
            else:
                part = F.pad(part[:, :shift], (0, 0, 0, 0, 0, 0, -shift, 0))
            out = self._add(out, part)
        return out

    def mlp(
        self,
        x: Tensor,
        expand: nn.Linear,
        contract: nn.Linear,
        hidden_norm: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """``contract(hidden_norm(gelu(expand(x))))`` with the exact (erf) GELU.

        Args:
            x: (..., C).
            expand: C -> hidden.
            contract: hidden -> C.
            hidden_norm: normalises the activated hidden layer; it may overwrite its argument.

        Returns:
            (..., C).
        """
        hidden = self._gelu(self.linear(expand, x))
        return self.linear(contract, hidden_norm(hidden) if hidden_norm else hidden)

    def global_response_norm(self, x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
        """``gamma * (x * share) + beta + x``; see convnext3d.GlobalResponseNorm.

        Args:
            x: (N, T, H, W, C).
            gamma: broadcasts to x.
            beta: broadcasts to x.
            eps: added to the mean response.

        Returns:
            (N, T, H, W, C).
        """
        response = self._response(x)
        share = response / (response.mean(dim=-1, keepdim=True) + eps)
        return self._scale_and_shift(x, gamma * share + 1, beta)

    def attention(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        """Softmax attention inside windows.

        Clips are computed one at a time: the bias then has four dimensions, as fused kernels need.

        Args:
            q: (N, windows, heads, tokens, C / heads), like ``k`` and ``v``.
            k: keys.
            v: values.
            bias: (windows, heads, tokens, tokens), added to the scaled products.

        Returns:
            (N, windows, tokens, C).
        """
        return torch.stack([attend_clip(*clip, bias) for clip in zip(q, k, v, strict=True)])

    def _add(self, total: Tensor, part: Tensor) -> Tensor:
        return total + part

    def _gelu(self, x: Tensor) -> Tensor:
        return F.gelu(x)

    def _response(self, x: Tensor) -> Tensor:
        """L2 norm over time and height: (N, T, H, W, C) -> (N, 1, 1, W, C)."""
        return torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True)

    def _scale_and_shift(self, x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
        return x * gain + shift


class ExportKernels(Kernels):
    """Plain operations without a loop over clips, for graphs that take any number of them."""

    def attention(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        """See Kernels."""
        weights = (q * q.shape[-1] ** -0.5) @ k.mT + bias
        return join_heads(weights.softmax(-1) @ v)


class KernelModule(nn.Module):
    """A module that computes with kernels.

    Attributes:
        kernels: the implementation; see use_kernels.
    """

    kernels: Kernels = Kernels()


def use_kernels(network: nn.Module, kernels: Kernels) -> None:
    """Select the implementation that every module of ``network`` computes with."""
    for module in network.modules():
        if isinstance(module, KernelModule):
            module.kernels = kernels


def attend_clip(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """Attention of one clip: (windows, heads, tokens, C / heads) -> (windows, tokens, C)."""
    return join_heads(F.scaled_dot_product_attention(q, k, v, attn_mask=bias))


def join_heads(x: Tensor) -> Tensor:
    """(..., heads, tokens, C / heads) -> (..., tokens, C)."""
    return x.transpose(-2, -3).flatten(-2)
