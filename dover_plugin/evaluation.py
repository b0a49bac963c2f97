"""Accuracy on sets of videos with opinions: which set, where it is, how well scores agree."""

import difflib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dover_plugin.calibration import AESTHETIC_WEIGHT, TECHNICAL_WEIGHT
from dover_plugin.errors import SettingsError
from dover_plugin.metrics import agreement, intervals, logistic_fit
from dover_plugin.pictures import new_figure, save_figure

MEASURES = ("srocc", "plcc", "plcc_fitted", "krocc", "rmse")
CURVE = 200  # points that a fit is drawn through


@dataclass(frozen=True)
class Preset:
    """A public set of videos with opinions.

    Attributes:
        name: users give it.
        title: as papers call it, and how many videos.
        videos: where they are to be had.
        labels: which of the reference's files (examplar_data_labels) names the videos so.
        pattern: how a name without suffix becomes a file's.
        branches: whether a file without headers tells aesthetic and technical opinions. The
            reference's others hold length and frame rate in these places, or -1.
        technical_weight: of the technical z-score in the fusion that agrees best on the set
            (measured on DOVER's published predictions).
    """

    name: str
    title: str
    videos: str
    labels: str
    pattern: str
    branches: bool = False
    technical_weight: float = TECHNICAL_WEIGHT


PRESETS = (
    Preset(
        "lsvq-test",
        "LSVQ, test split (7,186 videos scored)",
        "github.com/baidut/PatchVQ",
        "LSVQ/labels_test.txt",
        "{name}.mp4",
        technical_weight=0.603,
    ),
    Preset(
        "lsvq-1080p",
        "LSVQ, 1080p split (3,573)",
        "github.com/baidut/PatchVQ",
        "LSVQ/labels_1080p.txt",
        "{name}.mp4",
        technical_weight=0.62,
    ),
    Preset(
        "konvid-1k",
        "KoNViD-1k (1,200)",
        "database.mmsp-kn.de/konvid-1k-database.html",
        "KoNViD/labels.txt",
        "KoNViD_1k_videos/{name}.mp4",
        technical_weight=0.54,
    ),
    Preset(
        "live-vqc",
        "LIVE-VQC (585)",
        "live.ece.utexas.edu/research/LIVEVQC",
        "LIVE_VQC/labels.txt",
        "Video/{name}.mp4",
        technical_weight=0.598,
    ),
    Preset(
        "youtube-ugc",
        "YouTube-UGC (1,147)",
        "media.withyoutube.com",
        "YouTubeUGC/labels.txt",
        "{name}_crf_10_ss_00_t_20.0.mp4",
        technical_weight=0.443,
    ),
    Preset(
        "cvd2014",
        "CVD2014 (234)",
        "doi.org/10.5281/zenodo.2646315",
        "CVD2014/labels.txt",
        "{name}.avi",
        technical_weight=0.576,
    ),
    Preset(
        "divide-3k",
        "DIVIDE-3k, validation split (MaxWell)",
        "github.com/VQAssessment/DOVER (get_divide_dataset)",
        "DIVIDE_MaxWell/val_labels.txt",
        "{name}.mp4",
        branches=True,
    ),
)


@dataclass(frozen=True)
class Accuracy:
    """How well one score agrees with the opinions.

    Attributes:
        score: "technical", "aesthetic", "overall" (as users get it), or "z-scores": both branches,
            each brought to zero mean and unit deviation over this set, and weighted as the set's
            preset says.
        videos: how many.
        values: of MEASURES. plcc_fitted is after the logistic fit, plcc before; rmse is in the
            unit of the opinions, of scores with their mean and deviation.
        intervals: 95 % of the bootstrap, without plcc_fitted.
    """

    score: str
    videos: int
    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        SettingsError: no such set; it suggests the nearest.
    """
    for row in PRESETS:
        if row.name == name.lower():
            return row
    names = [row.name for row in PRESETS]
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise SettingsError(f"No set is named {name!r}.{hint} Choose from {', '.join(names)}.")


def accuracy(
    rows: Sequence[dict[str, Any]], mos: Sequence[float], technical_weight: float | None = None
) -> list[Accuracy]:
    """Agreement of each branch and of both fused.

    Args:
        rows: of scored videos; see Scores.to_dict.
        mos: opinions of the same videos.
        technical_weight: of the z-scores; None takes the reference's weights.

    Raises:
        SettingsError: too few videos, or values that do not differ. A score that alone is the same
            for all, as a saturated one, is left out.
    """
    weights = (technical_weight, 1 - technical_weight) if technical_weight else None
    technical, aesthetic = weights or (TECHNICAL_WEIGHT, AESTHETIC_WEIGHT)
    raw = {name: np.array([row[f"{name}_raw"] for row in rows]) for name in _BRANCHES}
    z = {name: (values - values.mean()) / (values.std() or 1) for name, values in raw.items()}
    scores = {
        "overall": [row["overall"] for row in rows],
        "technical": raw["technical"],
        "aesthetic": raw["aesthetic"],
        "z-scores": technical * z["technical"] + aesthetic * z["aesthetic"],
    }
    values = {name: np.asarray(each) for name, each in scores.items()}
    alike = [name for name, each in values.items() if not np.ptp(each)]
    if len(alike) == len(values):
        raise SettingsError(
            f"All {len(rows)} videos got the same score: nothing agrees with it or does not."
        )
    return [_accuracy(name, each, mos) for name, each in values.items() if name not in alike]


def scatter(rows: Sequence[dict[str, Any]], mos: Sequence[float], title: str, path: Path) -> None:
    """Draw the overall score against the opinions, with the logistic fit, into a picture.

    Raises:
        SettingsError: matplotlib is missing, or the picture cannot be written.
    """
    scores = np.array([row["overall"] for row in rows])
    opinions = np.asarray(mos, np.float64)
    found = agreement(scores.tolist(), opinions.tolist())
    figure = new_figure((6, 5))
    axes = figure.add_subplot()
    axes.scatter(scores, opinions, s=14, color="#0072b2", alpha=0.45, linewidths=0)
    along = np.linspace(scores.min(), scores.max(), CURVE)
    fitted = logistic_fit(scores.tolist(), opinions.tolist(), along)
    axes.plot(along, fitted, color="#d55e00", linewidth=2, label="logistic fit")
    axes.set(xlabel="overall score", ylabel="opinion", title=title)
    axes.text(
        0.97,
        0.04,
        f"SROCC {found.srocc:.3f}\nPLCC {found.plcc:.3f}\n{found.videos} videos",
        transform=axes.transAxes,
        ha="right",
        va="bottom",
    )
    axes.grid(alpha=0.25)
    axes.legend(loc="upper left", frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    save_figure(figure, path)


_BRANCHES = ("technical", "aesthetic")


def _accuracy(name: str, scores: np.ndarray, mos: Sequence[float]) -> Accuracy:
    found = agreement(scores.tolist(), mos)
    fitted = np.corrcoef(logistic_fit(scores.tolist(), mos), mos)[0, 1]
    values = {**asdict(found), "plcc_fitted": float(fitted)}
    return Accuracy(
        name,
        found.videos,
        {measure: values[measure] for measure in MEASURES},
        intervals(scores.tolist(), mos),
    )
