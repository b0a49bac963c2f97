"""Read, check and write state dicts."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from dover_plugin.errors import WeightsError

IMAGENET_HEADS = ("technical_backbone.head.", "aesthetic_backbone.head.")
ABOUT = "dover_plugin"  # the only key in the metadata of a file


def read_state_dict(path: Path) -> dict[str, Any]:
    """Read the tensors of a .safetensors, .pth or .pt file by name, without ImageNet heads.

    Names of FAST-VQA's files become those of the network. Pickles are read with weights_only; NumPy
    scalars are allowed, since published files hold some.

    Raises:
        WeightsError: the file holds no weights.
    """
    import torch
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            state: Any = load_file(path)
        else:
            with torch.serialization.safe_globals(_numpy_scalars()):
                state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the readers raise many types of error on damaged files
        raise _unreadable(path, error) from None
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if not isinstance(state, Mapping) or not all(
        isinstance(key, str) and torch.is_tensor(tensor) and tensor.layout is torch.strided
        for key, tensor in state.items()
    ):
        raise WeightsError(f"'{path}' holds no state dict. Use a file that maps names to tensors.")
    return {
        _name_here(key): tensor
        for key, tensor in state.items()
        if not key.startswith(IMAGENET_HEADS)
    }


def read_names(path: Path) -> list[str]:
    """Names of the tensors that read_state_dict reads.

    Raises:
        WeightsError: the file holds no weights.
    """
    if path.suffix != ".safetensors":
        return list(read_state_dict(path))
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            return [name for name in file.keys() if not name.startswith(IMAGENET_HEADS)]  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> WeightsError:
    from safetensors import SafetensorError

    words = str(error).strip().splitlines()
    if isinstance(error, OSError | SafetensorError) and words:
        reason = words[0][:120]
    elif isinstance(error, UnpicklingError):
        reason = "the pickle is damaged or holds other objects than tensors"
    else:  # the words of other errors describe the reader, as in "pop from empty list"
        reason = "the file is damaged or of another kind"
    return WeightsError(
        f"Cannot read weights from '{path}' ({reason}). Use a .pth or .safetensors file."
    )


def _name_here(key: str) -> str:
    """The network's name of a tensor in a published file."""
    from dover_plugin.networks.dover import CONFIGS

    for config in CONFIGS.values():
        for theirs, ours in config.published_names:
            if key.startswith(theirs):
                return ours + key.removeprefix(theirs)
    return key


def check_fit(state: Mapping[str, Any], model: str, path: Path) -> None:
    """Raise WeightsError with the keys unless ``state`` has exactly the tensors of the model."""
    from dover_plugin.networks.dover import CONFIGS

    expected = _shapes(model)
    got = {key: (*tensor.shape, tensor.is_floating_point()) for key, tensor in state.items()}
    misfits = {
        "missing": sorted(expected.keys() - got.keys()),
        "unexpected": sorted(got.keys() - expected.keys()),
        "misshapen": sorted(k for k in expected.keys() & got.keys() if expected[k] != got[k]),
    }
    if any(misfits.values()):
        details = "; ".join(
            f"{len(keys)} {kind}, such as {', '.join(keys[:3])}"
            for kind, keys in misfits.items()
            if keys
        )
        fits = [other for other in CONFIGS if _shapes(other) == got]
        hint = f"It fits {' and '.join(fits)}." if fits else "Use weights of this model."
        raise WeightsError(f"'{path}' does not fit {model}: {details}. {hint}")
    broken = [
        key for key, t in state.items() if t.is_floating_point() and not t.isfinite().all().item()
    ]
    if broken:
        raise WeightsError(
            f"'{path}' holds values that are not finite in {len(broken)} tensors, such as "
            f"{broken[0]}. The file is damaged or its training diverged; use another file."
        )


def save(state: Mapping[str, Any], target: Path, about: Mapping[str, Any]) -> None:
    """Write a safetensors file atomically; equal weights give equal bytes.

    Args:
        state: tensors by name.
        target: file to write.
        about: metadata, stored under one key, because the order of several keys is not fixed.

    Raises:
        WeightsError: the disk is full, or the folder cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in state.items()}
    try:
        save_file(tensors, part, {ABOUT: json.dumps(about)})
        part.replace(target)
    except (OSError, SafetensorError) as error:
        reason = next(iter(str(error).splitlines()), "the disk is full")
        raise WeightsError(
            f"Cannot write '{target}' ({reason}). Check free space and permissions."
        ) from None
    finally:
        part.unlink(missing_ok=True)


def _shapes(model: str) -> dict[str, tuple[int, ...]]:
    """The sizes of each tensor, followed by whether it holds floats."""
    import torch

    from dover_plugin.networks.dover import CONFIGS, Dover

    with torch.device("meta"):
        state = Dover(CONFIGS[model]).state_dict()
    return {key: (*tensor.shape, tensor.is_floating_point()) for key, tensor in state.items()}


def _numpy_scalars() -> list[Any]:
    """The types that a pickled NumPy scalar refers to, by their names in NumPy 1 and 2."""
    import numpy as np

    scalar = np.float64(0).__reduce__()[0]
    kinds = [type(np.dtype(name)) for name in ("float64", "float32", "int64")]
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    return [*((scalar, name) for name in names), np.dtype, *kinds]
