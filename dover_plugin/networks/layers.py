"""Building blocks shared by the branches. Tensors are channels-last: (N, T, H, W, C)."""

from collections.abc import Callable
from contextvars import ContextVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHUNK_TOKENS = 4096  # a chunk's hidden layer (4096 x 4C floats) stays in the CPU's cache


EXPORTING = ContextVar("EXPORTING", default=False)  # a graph is being made for other engines


def plain_form() -> bool:
    """Whether to compute by plain operations out of place.

    Gradients need them, and so do graphs for other engines, which cut and fuse by themselves.
    """
    return torch.is_grad_enabled() or EXPORTING.get()


def linear(layer: nn.Linear, x: Tensor) -> Tensor:
    """Apply ``layer``, on a CPU as a convolution of one pixel.

    It is the same sum, but oneDNN takes it, which on AMD's processors is twice as fast as MKL's
    matrix product that linear layers get.

    Args:
        layer: C -> D.
        x: (..., C).

    Returns:
        (..., D).
    """
    onednn = x.device.type == "cpu" and torch.backends.mkldnn.is_available()
    if plain_form() or not (onednn and torch.backends.mkldnn.enabled):
        return layer(x)
    pixels = x.reshape(1, -1, 1, x.shape[-1]).permute(0, 3, 1, 2)  # (1, C, tokens, 1), a view
    y = F.conv2d(pixels, layer.weight[:, :, None, None], layer.bias)
    return y.permute(0, 2, 3, 1).reshape(*x.shape[:-1], -1)


def conv3d_channels_last(conv: nn.Conv3d, x: Tensor) -> Tensor:
    """Apply ``conv`` to a channels-last tensor.

    Args:
        conv: any 3-D convolution.
        x: (N, T, H, W, C).

    Returns:
        (N, T', H', W', C'), contiguous.
    """
    weight = conv.weight.contiguous(memory_format=torch.channels_last_3d)
    y = F.conv3d(x.permute(0, 4, 1, 2, 3), weight, conv.bias, conv.stride, conv.padding)
    return y.permute(0, 2, 3, 4, 1).contiguous()


def depthwise_conv3d(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Depthwise 3-D convolution, zero-padded to keep its size, as a sum of 2-D ones.

    CPU libraries have fast kernels for 2-D depthwise convolutions and none for 3-D ones.

    Args:
        x: (N, T, H, W, C).
        weight: (C, 1, t, h, w), all of t, h, w odd.
        bias: (C,) or None.

    Returns:
        (N, T, H, W, C).
    """
    if plain_form() and x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
        with torch.autocast("cpu", enabled=False):  # whose gradients are slow in halves
            return depthwise_conv3d(x.float(), weight, bias)
    n, t, h, w, c = x.shape
    depth, rows, cols = weight.shape[2:]
    frames = x.reshape(n * t, h, w, c).permute(0, 3, 1, 2)  # (N*T, C, H, W), a view
    middle = depth // 2

    def conv2d(images: Tensor, step: int, bias: Tensor | None) -> Tensor:
        y = F.conv2d(images, weight[:, :, step], bias, padding=(rows // 2, cols // 2), groups=c)
        return y.permute(0, 2, 3, 1).reshape(n, t, h, w, c)

    out = conv2d(frames, middle, bias)
    for step in range(depth):
        shift = step - middle  # output frame i sees input frame i + shift
        if shift == 0 or abs(shift) >= t:
            continue
        part = conv2d(frames, step, None)
        if shift > 0:
            part = F.pad(part[:, shift:], (0, 0, 0, 0, 0, 0, 0, shift))
        else:
            part = F.pad(part[:, :shift], (0, 0, 0, 0, 0, 0, -shift, 0))
        out = out + part if plain_form() else out.add_(part)
    return out


def mlp(
    x: Tensor,
    expand: nn.Linear,
    contract: nn.Linear,
    between: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """``contract(between(gelu(expand(x))))`` with the exact (erf) GELU.

    Without gradients and with nothing in ``between``, tokens go through in chunks whose hidden
    layer stays in cache.

    Args:
        x: (..., C).
        expand: C -> hidden.
        contract: hidden -> C.
        between: applied to the activated hidden layer, which then is not cut into chunks.

    Returns:
        (..., C).
    """
    if plain_form():
        hidden = F.gelu(expand(x))
        return contract(between(hidden) if between else hidden)
    if between:
        return linear(contract, between(torch.ops.aten.gelu_(linear(expand, x))))
    tokens = x.reshape(-1, x.shape[-1])
    chunks = tokens.split(CHUNK_TOKENS) if x.device.type == "cpu" else (tokens,)
    out = [linear(contract, torch.ops.aten.gelu_(linear(expand, chunk))) for chunk in chunks]
    return torch.cat(out).view(x.shape)


class QualityHead(nn.Module):
    """Regresses the quality of every location of a feature map.

    Source: VQAHead of the reference (dover/models/head.py).
    """

    def __init__(self, channels: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.fc_hid = nn.Conv3d(channels, hidden, 1)
        self.fc_last = nn.Conv3d(hidden, 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(N, T, H, W, C) features -> (N, T, H, W) local quality, without unit or bound."""
        x = self.dropout(features)
        x = F.gelu(F.linear(x, self.fc_hid.weight.flatten(1), self.fc_hid.bias))
        x = self.dropout(x)
        x = F.linear(x, self.fc_last.weight.flatten(1), self.fc_last.bias)
        return x.squeeze(-1)
