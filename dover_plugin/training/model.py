"""Initial weights of a training run, and the weights file that it writes."""

from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from dover_plugin import __version__
from dover_plugin.errors import SettingsError
from dover_plugin.networks import Dover
from dover_plugin.training.settings import TRAINABLE, TrainSettings
from dover_plugin.weights import load, state_dict, store
from dover_plugin.weights.registry import MODELS

HEADS = TRAINABLE["heads"]


def load_initial(settings: TrainSettings) -> tuple[Dover, str]:
    """The network with its initial weights on the CPU, and the SHA-256 of the weights.

    Raises:
        SettingsError: unknown model, or gradient checkpointing of a model without a Swin backbone.
        WeightsError: the weights are missing or do not fit the model.
    """
    model, init = settings.model, settings.init
    file = store.find(model, None if init in MODELS else init)
    network, digest = load.load_network(model, file)
    if settings.checkpointing:
        if not hasattr(network.technical_backbone, "checkpointing"):
            raise SettingsError(
                f"Gradient checkpointing needs a Swin backbone, which {model} does not have. "
                "Remove 'checkpointing' from the configuration."
            )
        network.technical_backbone.checkpointing = True
    return cast(Dover, network), digest


def backbones_sha256(network: Dover) -> str:
    """Hash of the weights of both backbones; cached features depend on nothing else."""
    digest = sha256()
    for name, tensor in sorted(network.state_dict().items()):
        if not name.startswith(HEADS):
            digest.update(name.encode() + tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def save_weights(
    network: Dover, path: Path, *, base_sha256: str | None, about: dict[str, Any]
) -> None:
    """Write weights as safetensors.

    Args:
        network: network to save.
        path: the file.
        base_sha256: hash of the published weights that hold the backbones; only the heads are
            written then. None writes all weights.
        about: description of the training run; it is written to the file's metadata.

    Raises:
        WeightsError: the file cannot be written.
    """
    state = {
        name: tensor
        for name, tensor in network.state_dict().items()
        if base_sha256 is None or name.startswith(HEADS)
    }
    base = {} if base_sha256 is None else {load.BASE: base_sha256}
    state_dict.save(state, path, {"version": __version__, "training": about, **base})
