"""Weights that a training begins with, and the files it ends in."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from dover_plugin import __version__
from dover_plugin.errors import SettingsError
from dover_plugin.networks.dover import CONFIGS, Dover
from dover_plugin.training.init import untrained
from dover_plugin.training.run import WHAT, TrainSettings
from dover_plugin.weights import load, state_dict, store


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
        network, digest = untrained(model, settings.seed), ""
    else:
        network, digest = load.load_network(
            model, store.find(model, None if init in CONFIGS else init)
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
    return {name for name, _ in network.named_parameters() if name.startswith(WHAT["heads"])}


def backbones_sha256(network: Dover) -> str:
    """Of the weights of both backbones, which all that heads learn from depends on."""
    digest = sha256()
    for name, tensor in sorted(network.state_dict().items()):
        if not name.startswith(WHAT["heads"]):
            digest.update(name.encode() + tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


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
        if base_sha256 is None or name.startswith(WHAT["heads"])
    }
    base = {} if base_sha256 is None else {load.BASE: base_sha256}
    state_dict.save(state, path, {"version": __version__, "training": about, **base})
