"""Find, download and verify model weights in the package or the cache."""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import platformdirs

from dover_plugin.errors import LicenseError, SettingsError, WeightsError
from dover_plugin.io.write import write_text
from dover_plugin.weights.download import Progress, download, sha256_of
from dover_plugin.weights.registry import Published, published
from dover_plugin.weights.state_dict import read_state_dict

ACCEPT_VARIABLE = "DOVER_ACCEPT_LICENSE"
PACKAGED = Path(__file__).parents[1] / "data"

MAX_GROWTH = 2  # times the size in the registry; a longer file is not downloaded

type Consent = Callable[[Published], bool]

log = logging.getLogger(__name__)


def cache_dir() -> Path:
    """Folder of the cache: $DOVER_HOME, else the platform's cache folder for 'dover'."""
    home = os.environ.get("DOVER_HOME")
    return Path(home).expanduser() if home else Path(platformdirs.user_cache_dir("dover"))


def cached(model: str) -> Path:
    """Path of the published weights of ``model`` in the package or the cache."""
    row = published(model)
    return (cache_dir() / "weights" if row.urls else PACKAGED) / row.file


def consent_by_environment(_: Published) -> bool:
    """Whether $DOVER_ACCEPT_LICENSE accepts the license."""
    return os.environ.get(ACCEPT_VARIABLE, "").lower() in ("1", "true", "yes")


def find(
    model: str,
    path: str | os.PathLike[str] | None = None,
    *,
    consent: Consent = consent_by_environment,
    progress: Progress | None = None,
) -> Path:
    """Path of the weights of ``model``: the given file, the package or cache, or a download.

    Args:
        model: name of a model in the registry.
        path: weights file of the user, used without verification.
        consent: called before a download of non-commercial weights; whether the license is
            accepted.
        progress: called as bytes arrive.

    Raises:
        SettingsError: the model does not exist.
        LicenseError: a download is needed and its license was not accepted.
        WeightsError: the file does not exist, the download failed, or the hash is wrong.
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
        raise _missing(row)
    if row.commercial:
        log.warning(
            "Downloading the weights of %s (%.0f MB, %s).", model, row.size / 1e6, row.license
        )
    elif not consent(row):
        raise LicenseError(
            f"The weights of {model} ({row.size / 1e6:.0f} MB) are not on this machine, and "
            f"their license was not accepted: {row.license}. Accept it with "
            f"'dover weights download {model} --accept-license' or {ACCEPT_VARIABLE}=1, or pass a "
            "weights file with weights=."
        )
    download(row.urls, file, row.sha256, progress, max_bytes=MAX_GROWTH * row.size)
    if row.sha256 is None:
        try:
            read_state_dict(file)
        except WeightsError:
            file.unlink()
            raise
        _pin(file).unlink(missing_ok=True)
        log.warning(
            "%s has no published hash; its SHA-256 %s is stored and verified from now on.",
            row.file,
            verify(model),
        )
    return file


def verify(model: str) -> str:
    """Verify the weights of ``model`` on this machine against their SHA-256.

    The hash of weights without a published one is stored at the first use and verified later.

    Returns:
        The SHA-256.

    Raises:
        WeightsError: the weights are missing, or their hash differs.
    """
    row, file = published(model), cached(model)
    if not file.is_file():
        raise _missing(row)
    got, pin = sha256_of(file), _pin(file)
    if row.sha256 is None and not pin.exists():
        with suppress(SettingsError):  # the cache is read-only
            write_text(pin, got)
    expected = row.sha256 or (pin.read_text().strip() if pin.exists() else got)
    if got != expected:
        raise WeightsError(
            f"'{file}' has SHA-256 {got}, not {expected}: it is damaged or not {model}. Delete it, "
            f"and {_remedy(row)}."
        )
    return got


def _missing(row: Published) -> WeightsError:
    return WeightsError(
        f"The weights of {row.model} are missing: there is no '{cached(row.model)}'. To get them, "
        f"{_remedy(row)}."
    )


def _remedy(row: Published) -> str:
    return f"run 'dover weights download {row.model}'" if row.urls else "reinstall dover-plugin"


def _pin(file: Path) -> Path:
    """File that stores the hash of weights without a published one."""
    return file.with_name(file.name + ".sha256")
