"""The table of published weights: what there is, where, and under which licence."""

import difflib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dover_plugin.errors import SettingsError

DEFAULT_MODEL = "dover-open"
S_LAB = (
    "S-Lab License 1.0: non-commercial use only "
    "(https://github.com/VQAssessment/DOVER/blob/master/LICENSE)"
)


@dataclass(frozen=True)
class Published:
    """Weights that someone published.

    Attributes:
        model: the name users give.
        file: its name in the package or the cache.
        urls: where it is published; none for what is in the package.
        sha256: of the file; None where nobody published it. It is then pinned at first download.
        size: in bytes, about.
        licence: in one sentence.
        note: what it is.
    """

    model: str
    file: str
    urls: tuple[str, ...]
    sha256: str | None
    size: int
    licence: str
    note: str


def packaged_facts(model: str) -> Path:
    """The JSON beside weights in the package: their "sha256", "size" and "calibration"."""
    return Path(__file__).parents[1] / "data" / f"{model}.json"


@cache
def facts(model: str) -> dict[str, Any]:
    """What that JSON holds."""
    found: dict[str, Any] = json.loads(packaged_facts(model).read_text())
    return found


_RELEASES = "https://github.com/QualityAssessment/DOVER/releases/download"
_HUB = "https://huggingface.co/teowu/DOVER/resolve/main"

MODELS = ("dover-open", "dover", "dover-mobile", "dover++")


@cache
def registry() -> tuple[Published, ...]:
    """All models, in the order of MODELS."""
    return (
        Published(
            "dover-open",
            "dover-open.safetensors",
            (),
            facts("dover-open")["sha256"],
            facts("dover-open")["size"],
            "Apache License 2.0, as the code",
            "Small, in the package; learnt from spoilt clips, without human opinions",
        ),
        Published(
            "dover",
            "DOVER.pth",
            (f"{_RELEASES}/v0.1.0/DOVER.pth", f"{_HUB}/DOVER.pth"),
            "f4a42c0bbc94c94dd7409e7f40887d44c5c30314d1d09e7edf03cc35813b4838",
            240_000_000,
            S_LAB,
            "The model of the paper, trained on LSVQ",
        ),
        Published(
            "dover-mobile",
            "DOVER-Mobile.pth",
            (f"{_RELEASES}/v0.5.0/DOVER-Mobile.pth",),
            "81b487be2aa4b3dd6920afa2e92294ed8fdd46a306911f75ecc8e6938a670884",
            42_800_000,
            S_LAB,
            "A sixth of the cost, slightly less accurate",
        ),
        Published(
            "dover++",
            "DOVER_plus_plus.pth",
            (f"{_HUB}/DOVER_plus_plus.pth",),
            None,
            240_000_000,
            S_LAB,
            "DOVER trained on DIVIDE-3k with labels for each branch",
        ),
    )


def published(model: str) -> Published:
    """The row of the table for ``model``.

    Raises:
        SettingsError: no such model; it suggests the nearest name.
    """
    for row in registry():
        if row.model == model:
            return row
    near = difflib.get_close_matches(model.lower(), MODELS, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise SettingsError(f"No model is named {model!r}.{hint} Choose from {', '.join(MODELS)}.")
