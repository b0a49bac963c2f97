"""Weights that a training begins with, and the files it ends in."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dover_plugin import __version__, weights
from dover_plugin.errors import SettingsError
from dover_plugin.networks.dover import CONFIGS, Dover
from dover_plugin.training.run import TrainSettings

HEADS = ("technical_head.", "aesthetic_head.")
SPREAD = 0.02  # of untrained weights, as ConvNeXt and Swin begin


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
    model = settings.model
    if settings.init == "scratch":
        return Start(_untrained(model, settings.seed), "")
    file = weights.find(model, None if settings.init in CONFIGS else settings.init)
    network, digest = weights.load_network(model, file)
    if settings.checkpointing and not hasattr(network.technical_backbone, "checkpointing"):
        raise SettingsError(f"--checkpointing is for the Swin branch, which {model} does not have.")
    if settings.checkpointing:
        network.technical_backbone.checkpointing = True
    return Start(network, digest)


def head_names(network: Dover) -> set[str]:
    """Names of the parameters of both heads."""
    return {name for name, _ in network.named_parameters() if name.startswith(HEADS)}


def save_trained(
    network: Dover, path: Path, *, heads: bool, half: bool = False, about: dict[str, Any]
) -> None:
    """Write weights as safetensors.

    Args:
        network: to be saved.
        path: the file.
        heads: leave out the backbones; the file is laid over its base when it is loaded.
        half: as float16.
        about: written to the file's metadata as JSON.
    """
    from safetensors.torch import save_file

    state = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in network.state_dict().items()
        if not heads or name.startswith(HEADS)
    }
    if half:
        state = {n: t.half() if t.is_floating_point() else t for n, t in state.items()}
    part = path.with_name(path.name + ".part")
    save_file(state, part, {"dover_plugin": __version__, "training": json.dumps(about)})
    part.replace(path)


def _untrained(model: str, seed: int) -> Dover:
    if model not in CONFIGS:
        raise SettingsError(f"No model is named {model!r}. Choose from {', '.join(CONFIGS)}.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Dover(CONFIGS[model])
        for module in network.modules():
            if isinstance(module, nn.Linear | nn.Conv3d):
                nn.init.trunc_normal_(module.weight, std=SPREAD)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            if isinstance(module, nn.Conv3d) and module.groups > 1:
                middle = module.weight.shape[2] // 2
                with torch.no_grad():  # a filter of pictures first; motion is learnt later
                    module.weight[:, :, :middle] = 0
                    module.weight[:, :, middle + 1 :] = 0
    return network
