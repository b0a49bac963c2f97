"""The distortions that a diagnosis detects: units, thresholds and sources of the thresholds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

type Severity = Literal["none", "visible", "strong"]
type Measures = Mapping[str, NDArray[np.float64]]  # per frame; NaN where it was not measured

LADDERS = "measured on degradation ladders (benchmarks/distortions.py)"


@dataclass(frozen=True)
class Distortion:
    """One kind of distortion.

    Attributes:
        name: name of the distortion.
        tag: tag of a video that shows it.
        unit: unit of the value.
        visible: value from which the distortion is visible.
        strong: value from which it is strong; below ``visible`` if low values are bad.
        source: source of the measure and of both thresholds.
        value_of: value over some frames, from their measures; NaN if it cannot be measured.
    """

    name: str
    tag: str
    unit: str
    visible: float
    strong: float
    source: str
    value_of: Callable[[Measures], float]

    def severity(self, value: float) -> Severity:
        """The word for a value."""
        sign = 1 if self.strong > self.visible else -1
        if sign * value >= sign * self.strong:
            return "strong"
        return "visible" if sign * value >= sign * self.visible else "none"


def mean_of(name: str, scale: float = 1.0) -> Callable[[Measures], float]:
    """Mean of a measure over the frames in which it was taken."""

    def value(measures: Measures) -> float:
        known = measures[name][~np.isnan(measures[name])]
        return float(known.mean()) * scale if len(known) else float("nan")

    return value


def _median_flicker(measures: Measures) -> float:
    level = measures["level"]
    if len(level) < 3:
        return float("nan")
    swing = np.abs(level[2:] - 2 * level[1:-1] + level[:-2]) / 2
    known = swing[~np.isnan(swing)]
    return float(np.median(known)) if len(known) else float("nan")


def _bars_share(measures: Measures) -> float:
    """Area of the bars that all frames share, in percent of the frame."""
    edges = [measures[name][~np.isnan(measures[name])] for name in BARS]
    if not len(edges[0]):
        return float("nan")
    top, bottom, left, right = (float(edge.min()) for edge in edges)
    return 100 * (1 - (1 - top - bottom) * (1 - left - right))


BARS = ("bar_top", "bar_bottom", "bar_left", "bar_right")  # shares of the height or width

DISTORTIONS = (
    Distortion(
        "banding",
        "banding",
        "CAMBI",
        5.0,
        10.0,
        "CAMBI of libvmaf; about 5 is where banding becomes slightly annoying (Netflix)",
        mean_of("banding"),
    ),
    Distortion(
        "blockiness",
        "blocky",
        "ratio",
        2.3,
        5.0,
        f"Muijs and Kirenko 2005 on a grid of 8 pixels; {LADDERS}",
        mean_of("blockiness"),
    ),
    Distortion(
        "blur",
        "blurry",
        "pixels",
        8.0,
        11.0,
        "edge width of FFmpeg's blurdetect (Marziliano 2002); a Gaussian blur of 2 and 4 pixels",
        mean_of("blur"),
    ),
    Distortion(
        "noise",
        "noisy",
        "levels",
        2.5,
        8.0,
        "standard deviation by Immerkaer 1996; 2.5 and 8 of 255 levels are 40 and 30 dB of PSNR",
        mean_of("noise"),
    ),
    Distortion(
        "freeze",
        "frozen",
        "%",
        2.0,
        25.0,
        "frames in runs of at least 2 s without change, the duration of FFmpeg's freezedetect",
        mean_of("frozen", 100),
    ),
    Distortion(
        "duplicates",
        "duplicated_frames",
        "%",
        12.0,
        30.0,
        "frames that repeat the one before, outside of freezes; a change of 25 to 30 frames per "
        "second gives 17 %, of 25 to 50 gives 50 %",
        mean_of("duplicate", 100),
    ),
    Distortion(
        "black",
        "black",
        "%",
        5.0,
        50.0,
        "frames with 98 % of their pixels below 10 % luma, the limits of FFmpeg's blackdetect",
        mean_of("black", 100),
    ),
    Distortion(
        "letterbox",
        "letterboxed",
        "%",
        5.0,
        15.0,
        "area of black bars that all frames share; widescreen in 16:9 has 25 %",
        _bars_share,
    ),
    Distortion(
        "interlacing",
        "interlaced",
        "%",
        60.0,
        90.0,
        "frames that FFmpeg's idet finds interlaced, of those that it can tell; strong blocking of "
        "MJPEG reaches 53 %, interlaced video 100 %",
        mean_of("interlaced", 100),
    ),
    Distortion(
        "underexposure",
        "dark",
        "% luma",
        30.0,
        15.0,
        f"95th percentile of luma, of the full range; {LADDERS}",
        mean_of("highlights", 100 / 255),
    ),
    Distortion(
        "overexposure",
        "overexposed",
        "%",
        10.0,
        30.0,
        f"pixels of at least 250 of 255 levels; {LADDERS}",
        mean_of("clipped", 100),
    ),
    Distortion(
        "flicker",
        "flickering",
        "levels",
        2.0,
        6.0,
        "median swing of the mean luma between frames, peak to peak; "
        f"{LADDERS}",
        _median_flicker,
    ),
)  # fmt: skip
NAMES = tuple(distortion.name for distortion in DISTORTIONS)
TAGS = tuple(distortion.tag for distortion in DISTORTIONS)
