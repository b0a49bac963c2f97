"""Presets of public video quality data sets for ``dover evaluate``."""

import difflib
from dataclasses import dataclass

from dover_plugin.calibration import TECHNICAL_WEIGHT
from dover_plugin.errors import SettingsError
from dover_plugin.text import listed


@dataclass(frozen=True)
class Preset:
    """A public data set of videos with MOS.

    Attributes:
        name: name for ``--set``.
        title: name in publications and number of videos.
        videos: source of the videos.
        labels: label file of the reference implementation, in its folder examplar_data_labels.
        pattern: converts a name without a suffix to a file name.
        branches: whether a label file without headers holds aesthetic and technical MOS. The other
            files hold length and frame rate, or -1, in these columns.
        technical_weight: weight of the technical z-score in the fusion that correlates best with
            the MOS of the data set (measured on DOVER's published predictions).
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
        "github.com/baidut/PatchVQ (form), huggingface.co/datasets/teowu/LSVQ-videos",
        "LSVQ/labels_test.txt",
        "{name}.mp4",
        technical_weight=0.603,
    ),
    Preset(
        "lsvq-1080p",
        "LSVQ, 1080p split (3,573)",
        "github.com/baidut/PatchVQ (form), huggingface.co/datasets/teowu/LSVQ-videos",
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


def preset(name: str) -> Preset:
    """The preset with this name.

    Raises:
        SettingsError: no preset has this name; the message suggests the most similar name.
    """
    for row in PRESETS:
        if row.name == name.lower():
            return row
    names = [row.name for row in PRESETS]
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise SettingsError(f"Unknown data set {name!r}.{hint} Use {listed(names)}.")
