"""Weights that a training begins with, and the files it ends in."""

from dataclasses import dataclass
from math import hypot
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from dover_plugin import __version__, weights
from dover_plugin.errors import SettingsError
from dover_plugin.networks.convnext3d import ConvNeXt3d
from dover_plugin.networks.dover import CONFIGS, Dover
from dover_plugin.training.run import TrainSettings

HEADS = ("technical_head.", "aesthetic_head.")
STEM = "downsample_layers.0.0"
GREY = torch.tensor([0.577, 0.577, 0.577])  # axes of colour, of length 1
RED = torch.tensor([0.816, -0.408, -0.408])
BLUE = torch.tensor([0.0, 0.707, -0.707])
# By how much frequencies are raised: the mean, those of one wave in 8 pixels, and colours.
LEVEL, FALL, COLOUR = 0.1, 1.2, 5.0


@dataclass(frozen=True)
class Start:
    """A network to train.

    Attributes:
        network: in float32, on the CPU.
        sha256: of the weights it has; "" from scratch.
    """

    network: Dover
    sha256: str


def start(settings: TrainSettings) -> Start:
    """The network that a training begins with.

    Raises:
        SettingsError: no such model.
        WeightsError: weights that cannot be had or do not fit.
    """
    model, init = settings.model, settings.init
    if init == "scratch":
        network, digest = _untrained(model, settings.seed), ""
    else:
        network, digest = weights.load_network(
            model, weights.find(model, None if init in CONFIGS else init)
        )
    if settings.checkpointing:
        if not hasattr(network.technical_backbone, "checkpointing"):
            raise SettingsError(
                f"--checkpointing is for the Swin branch, which {model} does not have."
            )
        network.technical_backbone.checkpointing = True
    return Start(network, digest)


def head_names(network: Dover) -> set[str]:
    """Names of the parameters of both heads."""
    return {name for name, _ in network.named_parameters() if name.startswith(HEADS)}


def save_trained(
    network: Dover, path: Path, *, base_sha256: str | None, about: dict[str, Any]
) -> None:
    """Write weights as safetensors.

    Args:
        network: to be saved.
        path: the file.
        base_sha256: of the weights that the backbones are of, which are left out then: when the
            file is loaded, it is laid over them. None writes everything.
        about: the training; written to the file.

    Raises:
        WeightsError: the disk is full.
    """
    state = {
        name: tensor
        for name, tensor in network.state_dict().items()
        if base_sha256 is None or name.startswith(HEADS)
    }
    base = {} if base_sha256 is None else {weights.BASE: base_sha256}
    weights.save(state, path, {"version": __version__, "training": about, **base})


def _untrained(model: str, seed: int) -> Dover:
    """Random weights, but for the stems of narrow networks, which see frequencies at once."""
    if model not in CONFIGS:
        raise SettingsError(f"No model is named {model!r}. Choose from {', '.join(CONFIGS)}.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Dover(CONFIGS[model])
        for module in network.modules():
            if isinstance(module, nn.Linear | nn.Conv3d):
                _draw(module)
        for backbone in (network.technical_backbone, network.aesthetic_backbone):
            if isinstance(backbone, ConvNeXt3d):
                _see_frequencies(cast(nn.Conv3d, backbone.get_submodule(STEM)))
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
        with torch.no_grad():
            weight[:, :, :middle] = 0
            weight[:, :, middle + 1 :] = 0


def _see_frequencies(stem: nn.Conv3d) -> None:
    """Make the first filters a discrete cosine transform of brightness and of two colours.

    What a picture lacks or has too much of shows in its high frequencies, which hold a hundredth
    of its energy: each is raised to the deviation that it has in natural pictures. Random filters
    see little but brightness, and do not learn a single fault in the time that these learn all.
    They see one frame: a mean of several would blur whatever moves.
    """
    size = stem.weight.shape[-1]
    basis = [
        torch.cos(torch.pi * (torch.arange(size) + 0.5) * k / size) * (1 if k else 0.5**0.5)
        for k in range(size)
    ]
    filters = [
        axis[:, None, None]
        * (basis[row][:, None] * basis[column])
        * (2 / size * gain * (FALL * hypot(row, column) ** 1.5 or LEVEL))
        for axis, gain, frequencies in ((GREY, 1, size), (RED, COLOUR, 2), (BLUE, COLOUR, 2))
        for row in range(frequencies)
        for column in range(frequencies)
    ]
    with torch.no_grad():
        for index, taps in enumerate(filters[: len(stem.weight)]):
            stem.weight[index] = 0
            stem.weight[index, :, 0] = taps
