"""The settings of a Scorer as one typed dictionary, shared by every surface."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from dover_plugin.errors import SettingsError

if TYPE_CHECKING:
    from dover_plugin.calibration import Fusion

# Scores are comparable if these settings are equal. The others (device, engine, decoder) move a
# raw score by less than 1e-4.
COMPARABLE = (
    "version",
    "model",
    "weights_sha256",
    "precision",
    "branches",
    "fusion",
    "repeats",
    "seed",
    "reading",
)

MAX_REPEATS = 20  # the views of all are held at once


class ModelOptions(TypedDict, total=False):
    """Which network runs, where, and how its outputs become scores; see Scorer for each option."""

    model: str
    device: str
    weights: str | PathLike[str] | None
    fusion: "Fusion"
    seed: int | None
    repeats: int
    engine: str
    precision: str
    branches: Sequence[str] | None


class FileOptions(TypedDict, total=False):
    """How videos are read; see io.open.open_source for each option."""

    decoder: str
    stream: int | None
    deinterlace: bool
    allow_damaged: bool
    hdr: str
    start: str | int | None
    end: str | int | None
    as_sequence: bool
    fps: float | None


class ScorerOptions(ModelOptions, FileOptions, total=False):
    """All settings of a Scorer: those of the model, and how files are read."""


def comparable_settings(**options: Unpack[ScorerOptions]) -> dict[str, Any]:
    """The settings that a Scorer with these options records, of those in COMPARABLE.

    No network is loaded. "weights_sha256" is missing where the weights are not on this machine.

    Raises:
        SettingsError: unknown model, branch or fusion.
        WeightsError: the weights file does not exist.
    """
    from dover_plugin import __version__, calibration
    from dover_plugin.io.options import OpenOptions
    from dover_plugin.weights.load import weights_digest
    from dover_plugin.weights.registry import published

    model = options.get("model") or default_model()
    repeats = options.get("repeats") or 1
    digest = weights_digest(model, options.get("weights"))
    how: Any = {name: options[name] for name in FileOptions.__annotations__ if name in options}  # type: ignore[literal-required]
    return {
        "version": __version__,
        "model": model,
        **({"weights_sha256": digest} if digest else {}),
        "precision": options.get("precision") or "float32",
        "branches": published(model).sampling.only(options.get("branches"), model).label,
        "fusion": calibration.choose(options.get("fusion"), model).name,
        "repeats": repeats,
        "seed": recorded_seed(options.get("seed"), repeats),
        "reading": OpenOptions(**how).record(),
    }


def recorded_seed(seed: int | None, repeats: int) -> int | None:
    """The seed that is used and recorded: several draws need one, so None becomes 0."""
    return 0 if seed is None and repeats > 1 else seed


def check_sampling(seed: int | None, repeats: int) -> None:
    """Raise SettingsError for a seed or a number of repeats that is invalid."""
    if not isinstance(repeats, int) or not 1 <= repeats <= MAX_REPEATS:
        raise SettingsError(f"repeats must be from 1 to {MAX_REPEATS}, got {repeats!r}.")
    if seed is not None and (not isinstance(seed, int) or seed < 0):
        raise SettingsError(f"seed must be a whole number from 0, got {seed!r}.")


def check_types(options: Mapping[str, Any]) -> None:
    """Raise SettingsError for names and paths that are of another type."""
    for name in ("model", "device", "engine", "precision"):
        if not isinstance(options.get(name, ""), str):
            raise SettingsError(f"{name} must be a name, got {options[name]!r}.")
    if not isinstance(options.get("weights") or "", str | PathLike):
        raise SettingsError(f"weights must be a path, got {options['weights']!r}.")


def check_list(videos: object) -> None:
    """Raise SettingsError for one path in place of several; its characters are no videos."""
    if isinstance(videos, str | bytes | PathLike):
        raise SettingsError(
            f"A list of videos is needed, got {videos!r}. Use [video], or score for one video."
        )


def default_model() -> str:
    """Name of the model that is used where none is given."""
    from dover_plugin.weights.registry import DEFAULT_MODEL

    return DEFAULT_MODEL


def check_names(options: Mapping[str, object], allowed: type, caller: str) -> None:
    """Raise TypeError, as Python does, for an option that does not exist."""
    known = allowed.__optional_keys__ | allowed.__required_keys__  # type: ignore[attr-defined]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise TypeError(f"{caller}() got an unexpected keyword argument {unknown[0]!r}")
