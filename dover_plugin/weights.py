"""Published weights: how to find, verify, load and convert them."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import platformdirs

from dover_plugin.download import Progress, download, sha256_of
from dover_plugin.errors import LicenceError, WeightsError
from dover_plugin.published import Published, published

ACCEPT_VARIABLE = "DOVER_ACCEPT_LICENSE"

ABOUT = "dover_plugin"  # the one name in the metadata of a file
PACKAGED = Path(__file__).parent / "data"
BASE = "base_sha256"  # in what a file of heads tells: of the weights they are laid over

type Consent = Callable[[Published], bool]


def cache_dir() -> Path:
    """Where weights are kept: $DOVER_HOME, else the platform's cache folder for 'dover'."""
    home = os.environ.get("DOVER_HOME")
    return Path(home).expanduser() if home else Path(platformdirs.user_cache_dir("dover"))


def cached(model: str) -> Path:
    """Where the published weights of ``model`` lie: in the package, or once downloaded."""
    row = published(model)
    return (cache_dir() / "weights" if row.urls else PACKAGED) / row.file


def consent_by_environment(_: Published) -> bool:
    """Whether $DOVER_ACCEPT_LICENSE accepts the licence."""
    return os.environ.get(ACCEPT_VARIABLE, "").lower() in ("1", "true", "yes")


def find(
    model: str,
    path: str | os.PathLike[str] | None = None,
    *,
    consent: Consent = consent_by_environment,
    progress: Progress | None = None,
) -> Path:
    """Weights of ``model``: the given file, else the package or the cache, else a download.

    Args:
        model: a name of the table.
        path: a file of the user's, taken as it is.
        consent: asked before a download whether the licence is accepted.
        progress: told how far a download is.

    Raises:
        SettingsError: no such model.
        LicenceError: a download is needed and its licence was not accepted.
        WeightsError: no such file, a failed download, or a wrong hash.
    """
    row = published(model)
    if path is not None:
        file = Path(path)
        if not file.is_file():
            raise WeightsError(f"There is no weights file '{file}'. Check the path.")
        return file
    file = cached(model)
    if file.is_file():
        verify(model)
        return file
    if not row.urls:
        verify(model)  # says that it is not there
    if not consent(row):
        raise LicenceError(
            f"The weights of {model} ({row.size / 1e6:.0f} MB) are not on this machine, and "
            f"their licence was not accepted: {row.licence}. Accept it with "
            f"'dover weights download {model} --accept-license' or {ACCEPT_VARIABLE}=1, or name a "
            "file of your own with weights=."
        )
    download(row.urls, file, row.sha256, progress)
    if row.sha256 is None:
        try:
            read_state_dict(file)
        except WeightsError:
            file.unlink()
            raise
        _pin(file).write_text(sha256_of(file) + "\n")
    return file


def verify(model: str) -> str:
    """Check the cached weights of ``model`` against their hash, which is returned.

    Raises:
        WeightsError: they are missing or differ.
    """
    row, file = published(model), cached(model)
    get = f"run 'dover weights download {model}'" if row.urls else "install dover-plugin anew"
    if not file.is_file():
        raise WeightsError(f"The weights of {model} are not there ('{file}'). To get them, {get}.")
    expected = row.sha256 or (_pin(file).read_text().strip() if _pin(file).exists() else None)
    got = sha256_of(file)
    if expected and got != expected:
        raise WeightsError(
            f"'{file}' has SHA-256 {got}, not {expected}: it is damaged or not {model}. Delete it, "
            f"and {get}."
        )
    return got


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


def _full_state_dict(model: str, path: Path) -> tuple[dict[str, Any], str]:
    """Tensors that fit ``model``, heads alone laid over the published weights, and the hash."""
    state, digest = read_state_dict(path), sha256_of(path)
    if state and all(key.startswith(("technical_head.", "aesthetic_head.")) for key in state):
        base = find(model)
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


def read_state_dict(path: Path) -> dict[str, Any]:
    """Tensors of a .safetensors, .pth or .pt file by name; ImageNet heads are left out.

    Pickles are read with weights_only, plus the NumPy scalars that some published files hold.

    Raises:
        WeightsError: not a file of weights.
    """
    import torch
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            state: Any = load_file(path)
        else:
            with torch.serialization.safe_globals(_numpy_scalars()):
                state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file makes the readers raise whatever it happens to hit
        reason = next(iter(str(error).strip().splitlines()), "no content")[:120]
        raise WeightsError(
            f"'{path}' cannot be read as weights ({reason}). Give a .pth or .safetensors file."
        ) from None
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if not isinstance(state, Mapping) or not all(
        isinstance(key, str) and torch.is_tensor(tensor) and tensor.layout is torch.strided
        for key, tensor in state.items()
    ):
        raise WeightsError(f"'{path}' holds no state dict. Give a file of tensors by name.")
    return {
        key: tensor
        for key, tensor in state.items()
        if not key.startswith(("technical_backbone.head.", "aesthetic_backbone.head."))
    }


def check_fit(state: Mapping[str, Any], model: str, path: Path) -> None:
    """Raise WeightsError, naming the keys, unless ``state`` has exactly the model's tensors."""
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
            f"{len(keys)} {kind}, as {', '.join(keys[:3])}"
            for kind, keys in misfits.items()
            if keys
        )
        fits = [other for other in CONFIGS if _shapes(other) == got]
        hint = f"It fits {' and '.join(fits)}." if fits else "It is of another model."
        raise WeightsError(f"'{path}' does not fit {model}: {details}. {hint}")
    broken = [
        key for key, t in state.items() if t.is_floating_point() and not t.isfinite().all().item()
    ]
    if broken:
        raise WeightsError(
            f"'{path}' holds values that are not finite in {len(broken)} tensors, as {broken[0]}. "
            "The file is damaged or its training diverged: use another."
        )


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


def save(state: Mapping[str, Any], target: Path, about: Mapping[str, Any]) -> None:
    """Write safetensors, all of them or nothing; equal weights give equal bytes.

    Args:
        state: tensors by name.
        target: the file.
        about: what the file tells of itself; under one name, since several have no fixed order.

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
        reason = next(iter(str(error).splitlines()), "no more room")
        raise WeightsError(
            f"Cannot write '{target}': {reason}. Make room, or write elsewhere."
        ) from None
    finally:
        part.unlink(missing_ok=True)


def _shapes(model: str) -> dict[str, tuple[int, ...]]:
    """Of each tensor its sizes, then whether it holds floats."""
    import torch

    from dover_plugin.networks.dover import CONFIGS, Dover

    with torch.device("meta"):
        state = Dover(CONFIGS[model]).state_dict()
    return {key: (*tensor.shape, tensor.is_floating_point()) for key, tensor in state.items()}


def _pin(file: Path) -> Path:
    return file.with_name(file.name + ".sha256")


def _numpy_scalars() -> list[Any]:
    """What a pickled NumPy scalar refers to, under its names of NumPy 1 and 2."""
    import numpy as np

    scalar = np.float64(0).__reduce__()[0]
    kinds = [type(np.dtype(name)) for name in ("float64", "float32", "int64")]
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    return [*((scalar, name) for name in names), np.dtype, *kinds]
