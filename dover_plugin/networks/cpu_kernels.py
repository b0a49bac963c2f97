"""Kernels for inference: InferenceKernels on any device, CpuKernels on a CPU.

They write in place and keep constants between calls. Training and ONNX export use the plain
kernels of kernels.py.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dover_plugin.networks.kernels import Kernels, attend_clip, join_heads

CHUNK_TOKENS = 4096  # the hidden layer of a chunk (4096 x 4C floats) stays in the CPU's cache


class InferenceKernels(Kernels):
    """In-place operations that save memory traffic, and constants kept between calls."""

    keep_constants = True

    def attention(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        """See Kernels. All clips are one call of the fused kernel; they share one bias.

        Windows count as heads, so that the bias has the four dimensions that fused kernels of
        devices need, and is not repeated in memory for each clip.
        """
        shape = q.shape
        q, k, v = (x.flatten(1, 2) for x in (q, k, v))  # (N, windows * heads, tokens, C / heads)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.flatten(0, 1)[None])
        return join_heads(out.view(shape))

    def _add(self, total: Tensor, part: Tensor) -> Tensor:
        return total.add_(part)

    def _gelu(self, x: Tensor) -> Tensor:
        return torch.ops.aten.gelu_(x)

    def _scale_and_shift(self, x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
        return x.mul_(gain).add_(shift)


def has_onednn() -> bool:
    """Whether PyTorch has oneDNN and may use it."""
    return bool(torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled)


class CpuKernels(InferenceKernels):
    """Inference on a CPU.

    Args:
        onednn: compute linear layers with oneDNN; see has_onednn.
    """

    def __init__(self, onednn: bool) -> None:
        self.onednn = onednn

    def linear(self, layer: nn.Linear, x: Tensor) -> Tensor:
        """See Kernels.

        With oneDNN the layer is computed as a convolution of one pixel. The sum is the same, but
        on AMD processors it is twice as fast as the MKL matrix product of linear layers.
        """
        if not self.onednn:
            return layer(x)
        pixels = x.reshape(1, -1, 1, x.shape[-1]).permute(0, 3, 1, 2)  # (1, C, tokens, 1), a view
        y = F.conv2d(pixels, layer.weight[:, :, None, None], layer.bias)
        return y.permute(0, 2, 3, 1).reshape(*x.shape[:-1], -1)

    def attention(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        """See Kernels. Each clip is one call, because smaller ones make better use of the cache."""
        n, num_windows, heads, tokens, head_channels = q.shape
        out = q.new_empty(n, num_windows, tokens, heads * head_channels)
        for i, clip in enumerate(zip(q, k, v, strict=True)):
            out[i] = attend_clip(*clip, bias)
        return out

    def mlp(
        self,
        x: Tensor,
        expand: nn.Linear,
        contract: nn.Linear,
        hidden_norm: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """See Kernels. Without ``hidden_norm``, tokens are processed in chunks."""
        mlp = super().mlp
        if hidden_norm:  # it needs the hidden layer of all tokens
            return mlp(x, expand, contract, hidden_norm)
        chunks = x.reshape(-1, x.shape[-1]).split(CHUNK_TOKENS)
        return torch.cat([mlp(chunk, expand, contract) for chunk in chunks]).view(x.shape)

    def _response(self, x: Tensor) -> Tensor:
        """See Kernels.

        Frames are summed one by one, so that their squares stay in the cache, and in float32,
        because half precision overflows.
        """
        frames = (frame.float().square().sum(dim=1) for frame in x.unbind(1))
        return torch.stack(list(frames)).sum(dim=0).sqrt_()[:, None, None].to(x.dtype)
