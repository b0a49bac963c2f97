"""Weights to begin with when there are none: random, but a narrow ConvNeXt sees faults at once.

What is wrong with a picture shows in how strong its frequencies are: too weak when it is blurred,
too strong when it is noisy. With random weights all of that lies in how much features vary, and
hardly any of it in their means, which are what heads see; such a network learns next to nothing
in hundreds of steps. So here the first filters are frequencies, the first block takes their
strength, and what follows hands it on.
"""

from math import hypot
from typing import cast

import torch
from torch import Tensor, nn

from dover_plugin.errors import SettingsError
from dover_plugin.networks.convnext3d import ConvNeXt3d, ConvNeXtBlock
from dover_plugin.networks.dover import CONFIGS, Dover

GREY = torch.tensor([0.577, 0.577, 0.577])  # axes of colour, of length 1
RED = torch.tensor([0.816, -0.408, -0.408])
BLUE = torch.tensor([0.0, 0.707, -0.707])
# By how much filters are raised, so that all deviate alike in natural pictures: the mean, what
# lies one step of frequency higher (and ever more beyond), colours, and what moves.
LEVEL, FALL, POWER, COLOUR, MOTION = 0.3, 2.4, 1.5, 5.0, 4.8
CONSTANT = 3.0  # a channel that is always so, lest norms take away how strong the others are
STEEP = 3.0  # slope of the rectifiers
OTHERS = 0.3  # random depthwise filters, beside the one that hands on
QUIET = 0.15  # random blocks, beside the path around them


def untrained(model: str, seed: int) -> Dover:
    """A network that has learnt nothing.

    Args:
        model: a name in CONFIGS.
        seed: of the random weights.

    Raises:
        SettingsError: no such model.
    """
    if model not in CONFIGS:
        raise SettingsError(f"No model is named {model!r}. Choose from {', '.join(CONFIGS)}.")
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        network = Dover(CONFIGS[model])
        for module in network.modules():
            if isinstance(module, nn.Linear | nn.Conv3d):
                _draw(module)
        for backbone in (network.technical_backbone, network.aesthetic_backbone):
            if isinstance(backbone, ConvNeXt3d):
                _see_strength(backbone)
    return network


def _draw(layer: nn.Linear | nn.Conv3d) -> None:
    """Weights that keep the deviation of what comes in, whatever the layer's width."""
    weight = layer.weight
    middle = weight.shape[2] // 2 if weight.ndim > 2 else 0
    depthwise = isinstance(layer, nn.Conv3d) and layer.groups > 1
    inputs = weight[0, :, middle].numel() if depthwise else weight[0].numel()
    nn.init.trunc_normal_(weight, std=inputs**-0.5, a=-2.0, b=2.0)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    if depthwise:  # a filter of pictures first; motion is learnt later
        weight[:, :, :middle] = 0
        weight[:, :, middle + 1 :] = 0


def _see_strength(backbone: ConvNeXt3d) -> None:
    stem = cast(nn.Conv3d, backbone.get_submodule("downsample_layers.0.0"))
    signed = _see_frequencies(stem)
    for module in backbone.modules():
        if isinstance(module, ConvNeXtBlock):
            _centre(module.dwconv)[:] = OTHERS * _centre(module.dwconv)
            _centre(module.dwconv)[:, 3, 3] += 1
            module.pwconv2.weight.mul_(QUIET)
    first = cast(ConvNeXtBlock, backbone.get_submodule("stages.0.0"))
    _rectify(first, [each for each in range(stem.out_channels) if each not in signed])
    for name in ("1.1", "2.1", "3.1"):  # the mean of four places, and as many random sums
        half = cast(nn.Conv3d, backbone.get_submodule(f"downsample_layers.{name}"))
        half.weight[: half.in_channels] = torch.eye(half.in_channels)[:, :, None, None, None] / 4


def _see_frequencies(stem: nn.Conv3d) -> list[int]:
    """Make the first filters a discrete cosine transform of brightness and of two colours.

    They see the first of two frames (a mean of both would blur whatever moves), but one sees how
    both differ, and one nothing. Returns those whose sign tells more than their strength.
    """
    size = stem.weight.shape[-1]
    stem.weight[: size**2 + 8] = 0
    place = 0
    signed = []
    for axis, gain, count in ((GREY, 1.0, size), (RED, COLOUR, 2), (BLUE, COLOUR, 2)):
        signed.append(place)
        for row in range(count):
            for column in range(count):
                if gain == 1 or row * column == 0:
                    raised = FALL * hypot(row, column) ** POWER or LEVEL
                    stem.weight[place, :, 0] = gain * raised * _wave(axis, row, column, size)
                    place += 1
    moves = MOTION * _wave(GREY, 1, 1, size)
    stem.weight[place] = torch.stack([moves, -moves], dim=1)
    stem.bias[place + 1] = CONSTANT  # type: ignore[index]
    return [*signed, place + 1]


def _wave(axis: Tensor, row: int, column: int, size: int) -> Tensor:
    """(3, size, size): one function of the cosine transform, of length 1."""
    places = torch.arange(size) + 0.5
    down, across = (
        torch.cos(torch.pi * places * each / size) * (1 if each else 0.5**0.5)
        for each in (row, column)
    )
    return axis[:, None, None] * (down[:, None] * across) * (2 / size)


def _rectify(block: ConvNeXtBlock, channels: list[int]) -> None:
    """Make the block add to each of these channels how strong it is, whatever its sign."""
    filters = _centre(block.dwconv)
    filters[:] = 0
    filters[:, 3, 3] = 1
    for place, channel in enumerate(channels):
        for hidden, sign in ((2 * place, 1), (2 * place + 1, -1)):
            block.pwconv1.weight[hidden] = 0
            block.pwconv1.weight[hidden, channel] = sign * STEEP
            block.pwconv2.weight[:, hidden] = 0
            block.pwconv2.weight[channel, hidden] = 2 / STEEP
    if block.gamma is not None:  # of V1, which begins with next to nothing
        block.gamma.fill_(1)


def _centre(depthwise: nn.Conv3d) -> Tensor:
    """(C, 7, 7): what the filters make of the frame in the middle."""
    return depthwise.weight[:, 0, depthwise.weight.shape[2] // 2]
