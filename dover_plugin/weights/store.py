"""Find, download and verify model weights in the package or the cache."""

import os
from collections.abc import Callable
from pathlib import Path

import platformdirs

from dover_plugin.errors import LicenceError, WeightsError
from dover_plugin.weights.download import Progress, download, sha256_of
from dover_plugin.weights.registry import Published, published
from dover_plugin.weights.state_dict import read_state_dict

ACCEPT_VARIABLE = "DOVER_ACCEPT_LICENSE"
PACKAGED = Path(__file__).parents[1] / "data"

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


def _pin(file: Path) -> Path:
    return file.with_name(file.name + ".sha256")
