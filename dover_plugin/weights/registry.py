"""The registry of published weights: files, URLs, hashes and licenses."""

import difflib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dover_plugin.errors import SettingsError
from dover_plugin.preprocessing import sampling_rule
from dover_plugin.preprocessing.sampling_rule import SamplingRule

DEFAULT_MODEL = "dover-open"
S_LAB = (
    "S-Lab License 1.0: non-commercial use only "
    "(https://github.com/VQAssessment/DOVER/blob/master/LICENSE)"
)
MIT = "MIT License (https://github.com/VQAssessment/FAST-VQA-and-FasterVQA)"


@dataclass(frozen=True)
class Published:
    """Published weights of one model.

    Attributes:
        model: name of the model.
        file: file name in the package or the cache.
        urls: download URLs; empty for weights in the package.
        sha256: published hash of the file; None if there is none. The hash is then stored at the
            first use, and later uses are verified against it.
        size: approximate size in bytes.
        license: license in one sentence.
        note: description in one line.
        agreement: correlation with human ratings, with the name of the data set.
        trained_on_images: it was trained on still images, too.
        sampling: what the model sees of a video.
        commercial: whether the license allows commercial use; other licenses need consent before a
            download.
    """

    model: str
    file: str
    urls: tuple[str, ...]
    sha256: str | None
    size: int
    license: str
    note: str
    agreement: str
    trained_on_images: bool = False
    sampling: SamplingRule = sampling_rule.DOVER
    commercial: bool = False

    @property
    def verified_against(self) -> str:
        """The hash that the file is verified against, for tables."""
        return (
            "published SHA-256" if self.sha256 else "SHA-256 of the first use (no published hash)"
        )

    @property
    def one_score(self) -> bool:
        """Whether the model has one branch, whose score is the overall score, too."""
        return len(self.sampling.branches) == 1


def packaged_facts(model: str) -> Path:
    """Path of the JSON beside packaged weights: their "sha256", "size" and "calibration"."""
    return Path(__file__).parents[1] / "data" / f"{model}.json"


@cache
def facts(model: str) -> dict[str, Any]:
    """Content of the JSON beside packaged weights."""
    found: dict[str, Any] = json.loads(packaged_facts(model).read_text())
    return found


_RELEASES = "https://github.com/QualityAssessment/DOVER/releases/download"
_HUB = "https://huggingface.co/teowu/DOVER/resolve/main"
_FAST_VQA = (
    "https://github.com/TimothyHTimothy/FAST-VQA/releases/download/v2.0.0",
    "https://github.com/VQAssessment/FAST-VQA-and-FasterVQA/releases/download/v2.0.0",
)

_ONE_SCORE = ("fast-vqa", "fastervqa", "fast-vqa-m")
MODELS = ("dover-open", *_ONE_SCORE, "dover", "dover-mobile", "dover++")
TWO_BRANCH_MODELS = tuple(name for name in MODELS if name not in _ONE_SCORE)


def _fast_vqa(
    model: str, file: str, size: int, note: str, agreement: str, rule: SamplingRule
) -> Published:
    """A model of FAST-VQA's second release, for whose files no hash is published."""
    urls = tuple(f"{release}/{file}" for release in _FAST_VQA)
    return Published(
        model, file, urls, None, size, MIT, note, agreement, sampling=rule, commercial=True
    )


@cache
def registry() -> tuple[Published, ...]:
    """Published weights of all models, in the order of MODELS."""
    return (
        Published(
            "dover-open",
            "dover-open.safetensors",
            (),
            facts("dover-open")["sha256"],
            facts("dover-open")["size"],
            "Apache License 2.0, as the code",
            "Bundled; trained on human ratings of photographs and on degradation ladders",
            "SROCC .871 on photographs (BIQ2021 test)",
            trained_on_images=True,
            sampling=sampling_rule.DOVER_OPEN,
            commercial=True,
        ),
        _fast_vqa(
            "fast-vqa",
            "FAST_VQA_B_1_4.pth",
            128_000_000,
            "FAST-VQA-B, trained on LSVQ; one score",
            "PLCC .855 on KoNViD-1k",
            sampling_rule.FAST_VQA,
        ),
        _fast_vqa(
            "fastervqa",
            "FAST_VQA_3D_1_1.pth",
            128_000_000,
            "FasterVQA, trained on LSVQ: a quarter of the compute of fast-vqa; one score",
            "PLCC .864 on KoNViD-1k",
            sampling_rule.FASTER_VQA,
        ),
        _fast_vqa(
            "fast-vqa-m",
            "FAST_VQA_M_1_4.pth",
            111_000_000,
            "FAST-VQA-M, trained on LSVQ: an eighth of the compute of fast-vqa; one score",
            "PLCC .832 on KoNViD-1k",
            sampling_rule.FAST_VQA_M,
        ),
        Published(
            "dover",
            "DOVER.pth",
            (f"{_RELEASES}/v0.1.0/DOVER.pth", f"{_HUB}/DOVER.pth"),
            "f4a42c0bbc94c94dd7409e7f40887d44c5c30314d1d09e7edf03cc35813b4838",
            240_000_000,
            S_LAB,
            "The model of the paper, trained on LSVQ",
            "PLCC .883 on KoNViD-1k",
        ),
        Published(
            "dover-mobile",
            "DOVER-Mobile.pth",
            (f"{_RELEASES}/v0.5.0/DOVER-Mobile.pth",),
            "81b487be2aa4b3dd6920afa2e92294ed8fdd46a306911f75ecc8e6938a670884",
            42_800_000,
            S_LAB,
            "A sixth of the compute of dover, slightly lower correlation with MOS",
            "PLCC .853 on KoNViD-1k",
        ),
        Published(
            "dover++",
            "DOVER_plus_plus.pth",
            (f"{_HUB}/DOVER_plus_plus.pth",),
            None,
            240_000_000,
            S_LAB,
            "DOVER trained on DIVIDE-3k, with MOS labels for each branch",
            "SROCC .807 on DIVIDE-3k",
        ),
    )


def published(model: str) -> Published:
    """The registry entry of ``model``.

    Raises:
        SettingsError: the model does not exist; the message suggests the nearest name.
    """
    for row in registry():
        if row.model == model:
            return row
    near = difflib.get_close_matches(model.lower(), MODELS, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise SettingsError(f"No model is named {model!r}.{hint} Choose from {', '.join(MODELS)}.")
