"""Load a network with its weights, and convert weight files."""

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from dover_plugin.errors import WeightsError
from dover_plugin.weights import store
from dover_plugin.weights.download import sha256_of
from dover_plugin.weights.registry import published
from dover_plugin.weights.state_dict import ABOUT, check_fit, read_state_dict, save

BASE = "base_sha256"  # in what a file of heads tells: of the weights they are laid over


def load_network(model: str, path: Path) -> tuple[Any, str]:
    """A network with weights, in evaluation mode, float32, on the CPU.

    Every layout that is met loads: a flat state dict, one under "state_dict", safetensors, and a
    file of heads alone, which is laid over the published weights of ``model``.

    Returns:
        A networks.Dover, and the SHA-256 of the file ("heads+base" for a file of heads).

    Raises:
        WeightsError: the file does not fit, is damaged, or holds values that are not finite.
    """
    import torch

    from dover_plugin.networks.dover import CONFIGS, Dover

    if model not in CONFIGS:
        published(model)  # says which there are
    with torch.inference_mode(False):  # weights made inside it could not be used outside
        state, digest = _full_state_dict(model, path)
        with torch.device("meta"):
            network = Dover(CONFIGS[model])
        network.load_state_dict(state, assign=True)
        return network.float().eval().requires_grad_(False), digest


def weights_digest(model: str, path: str | PathLike[str] | None = None) -> str | None:
    """The hash that load_network returns for these weights, without loading a network.

    Returns:
        The SHA-256; None where published weights are not on this machine.

    Raises:
        SettingsError: no such model.
        WeightsError: no such file, or a file that cannot be read.
    """
    if path is None:
        return store.verify(model) if store.cached(model).is_file() else None
    file = store.find(model, path)
    digest = sha256_of(file)
    if not _heads_only(read_state_dict(file)):
        return digest
    return f"{digest}+{sha256_of(store.find(model))}"


def _heads_only(state: Mapping[str, Any]) -> bool:
    return bool(state) and all(
        key.startswith(("technical_head.", "aesthetic_head.")) for key in state
    )


def _full_state_dict(model: str, path: Path) -> tuple[dict[str, Any], str]:
    """Tensors that fit ``model``, heads alone laid over the published weights, and the hash."""
    state, digest = read_state_dict(path), sha256_of(path)
    if _heads_only(state):
        base = store.find(model)
        base_digest = sha256_of(base)
        wanted = _trained_on(path)
        if wanted not in (None, base_digest):
            raise WeightsError(
                f"The heads in '{path}' were trained on weights with SHA-256 {wanted}, and those "
                f"of {model} here have {base_digest}. Get the ones that they belong to."
            )
        state, digest = read_state_dict(base) | state, f"{digest}+{base_digest}"
    check_fit(state, model, path)
    return state, digest


def _trained_on(path: Path) -> str | None:
    """SHA-256 of the weights under a file of heads; None where the file does not tell."""
    from safetensors import safe_open

    if path.suffix != ".safetensors":
        return None
    with safe_open(path, "pt") as file:
        told: str | None = json.loads((file.metadata() or {}).get(ABOUT, "{}")).get(BASE)
    return told


def convert(source: Path, target: Path, model: str) -> None:
    """Write weights of any layout as safetensors, with the source's hash in the metadata.

    Raises:
        WeightsError: the source does not fit ``model``, or the target cannot be written.
    """
    if target.suffix != ".safetensors" or not target.parent.is_dir() or target.is_dir():
        raise WeightsError(
            f"Cannot write '{target}'. Name a .safetensors file in a folder that is."
        )
    state, digest = _full_state_dict(model, source)
    save(state, target, {"model": model, "source": source.name, "source_sha256": digest})
