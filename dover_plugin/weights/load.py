"""Load a network with its weights, and convert weight files."""

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

from dover_plugin.errors import WeightsError
from dover_plugin.io.json_object import check_name, parse_json_object
from dover_plugin.preprocessing.sampling_rule import SamplingRule
from dover_plugin.weights import store
from dover_plugin.weights.download import sha256_of
from dover_plugin.weights.registry import published
from dover_plugin.weights.state_dict import ABOUT, check_fit, read_names, read_state_dict, save

BASE = "base_sha256"  # metadata of head-only weights: hash of the weights they were trained on


def load_network(model: str, path: Path, rule: SamplingRule | None = None) -> tuple[Any, str]:
    """Load a network with its weights, in evaluation mode, float32, on the CPU.

    Supported layouts are a flat state dict, a state dict under "state_dict", safetensors, and
    head-only weights, which replace the heads of the published weights of ``model``.

    Args:
        model: name of the model.
        path: the file; all of it is checked.
        rule: what the network sees; only its branches are kept. None is the rule of the model.

    Returns:
        A networks.Dover, and the SHA-256 of the file ("heads+base" for head-only weights).

    Raises:
        SettingsError: the model does not exist.
        WeightsError: the file does not fit, is damaged, or holds values that are not finite.
    """
    import torch

    from dover_plugin.networks.dover import CONFIGS, Dover

    row = published(model)
    with torch.inference_mode(False):  # weights made in inference mode cannot be used outside it
        state, digest = _full_state_dict(model, path)
        with torch.device("meta"):
            network = Dover(CONFIGS[row.model], rule or row.sampling)
        kept = network.state_dict()
        network.load_state_dict({key: state[key] for key in kept}, assign=True)
        return network.float().eval().requires_grad_(False), digest


def weights_digest(model: str, path: str | PathLike[str] | None = None) -> str | None:
    """The hash that load_network returns for these weights, without loading a network.

    Returns:
        The SHA-256; None if published weights are not on this machine.

    Raises:
        SettingsError: the model does not exist.
        WeightsError: the file does not exist or cannot be read.
    """
    if path is None:
        return store.verify(model) if store.cached(model).is_file() else None
    return digest_of(model, store.find(model, path))


def digest_of(model: str, file: Path) -> str:
    """The hash that load_network returns for a file; torch is imported for pickles only.

    Raises:
        WeightsError: the file cannot be read.
    """
    digest = sha256_of(file)
    if not _heads_only(read_names(file)):
        return digest
    return f"{digest}+{sha256_of(store.find(model))}"


def _heads_only(names: Iterable[str]) -> bool:
    found = list(names)
    return bool(found) and all(
        name.startswith(("technical_head.", "aesthetic_head.")) for name in found
    )


def _full_state_dict(model: str, path: Path) -> tuple[dict[str, Any], str]:
    """Tensors that fit ``model``, and the hash; head-only weights are completed."""
    state, digest = read_state_dict(path), sha256_of(path)
    if _heads_only(state):
        base = store.find(model)
        base_digest = sha256_of(base)
        wanted = _trained_on(path)
        if wanted not in (None, base_digest):
            raise WeightsError(
                f"The heads in '{path}' were trained on weights with SHA-256 {wanted}, but those "
                f"of {model} have {base_digest}. Use the weights that the heads belong to."
            )
        state, digest = read_state_dict(base) | state, f"{digest}+{base_digest}"
    check_fit(state, model, path)
    return state, digest


def _trained_on(path: Path) -> str | None:
    """SHA-256 of the weights that heads were trained on; None if the file does not state it.

    Raises:
        WeightsError: the metadata of the file is invalid.
    """
    from safetensors import safe_open

    if path.suffix != ".safetensors":
        return None
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
    try:
        base = parse_json_object(metadata.get(ABOUT, "{}")).get(BASE)
        return None if base is None else check_name(base, BASE)
    except ValueError as error:
        raise WeightsError(
            f"The metadata of '{path}' is invalid ({error}). Export the heads again."
        ) from None


def convert(source: Path, target: Path, model: str) -> None:
    """Convert weights of any layout to safetensors; the metadata holds the hash of the source.

    Raises:
        WeightsError: the source does not fit ``model``, or the target cannot be written.
    """
    if target.suffix != ".safetensors" or not target.parent.is_dir() or target.is_dir():
        raise WeightsError(
            f"Cannot write '{target}'. Use a .safetensors file in a folder that exists."
        )
    state, digest = _full_state_dict(model, source)
    save(state, target, {"model": model, "source": source.name, "source_sha256": digest})
