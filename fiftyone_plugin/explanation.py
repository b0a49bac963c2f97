"""Explanation of the quality of one sample."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import fiftyone as fo
from fiftyone import ViewField as F
from fiftyone.core.collections import SampleCollection

from dover_plugin.analysis.diagnosis import diagnose
from dover_plugin.analysis.distortions import DISTORTIONS
from dover_plugin.analysis.quality_map import draw_maps, middle_frame
from dover_plugin.errors import SettingsError
from dover_plugin.grades import grade
from dover_plugin.preprocessing.sampling import BRANCHES
from dover_plugin.ranks import ranks
from dover_plugin.scores import SCORES
from fiftyone_plugin.distortions import distortion_fields
from fiftyone_plugin.fields import scored, segments_field
from fiftyone_plugin.low_quality import HIGH, LOW

if TYPE_CHECKING:
    from dover_plugin.scorer import Scorer

WORST_SEGMENTS = 3
ADVICE = {  # (technical, aesthetic) levels -> advice
    ("low", "low"): "Low technical and aesthetic quality.",
    ("low", "medium"): "Acceptable content with visible distortions.",
    ("low", "high"): "Good content in a distorted copy: look for a better source or encode.",
    ("medium", "low"): "Acceptable technical quality, unattractive content or exposure.",
    ("medium", "medium"): "Middling in both.",
    ("medium", "high"): "Attractive content with some distortions.",
    ("high", "low"): "Technically clean, but unattractive content or exposure.",
    ("high", "medium"): "A clean picture.",
    ("high", "high"): "Good in both.",
}


@dataclass(frozen=True)
class Place:
    """One score of a sample.

    Attributes:
        name: "overall", "technical" or "aesthetic".
        score: in [0, 1].
        word: grade, from "bad" to "excellent".
        percentile: share of the scored samples of the collection with a lower score, in percent.
    """

    name: str
    score: float
    word: str
    percentile: float


@dataclass(frozen=True)
class Moment:
    """A segment of a sample.

    Attributes:
        frames: first and last frame, from 1.
        seconds: start and end in seconds; None if the frame rate is unknown.
        score: overall score, or that of the one branch.
    """

    frames: tuple[int, int]
    seconds: tuple[float, float] | None
    score: float

    def in_words(self) -> str:
        """Text such as "0:02.0 to 0:04.0 (poor, 0.312)"."""
        if self.seconds is None:
            where = f"frames {self.frames[0]:,} to {self.frames[1]:,}"
        else:
            where = " to ".join(f"{int(s // 60)}:{s % 60:04.1f}" for s in self.seconds)
        return f"{where} ({grade(self.score)}, {self.score:.3f})"


@dataclass(frozen=True)
class Explanation:
    """Quality of a sample in words and numbers.

    Attributes:
        path: path of the video.
        model: model that scored it.
        places: overall, technical and aesthetic scores.
        advice: one sentence.
        ranks: {set: {branch: percent of its videos that are worse}}; empty unless dover scored it.
        worst_segments: segments with the lowest overall scores, worst first.
        warnings: warnings of the scores.
    """

    path: str
    model: str
    places: tuple[Place, ...]
    advice: str
    ranks: dict[str, dict[str, float]]
    worst_segments: tuple[Moment, ...]
    warnings: tuple[str, ...]


def explain(samples: SampleCollection, sample: fo.Sample, field: str) -> Explanation:
    """Explain the scores of a sample from the database.

    Args:
        samples: samples to rank the sample in; they should have scores of the same settings.
        sample: sample of a video.
        field: field of scores.

    Raises:
        SettingsError: the sample has no scores.
    """
    scores = sample[field] if sample.has_field(field) else None
    if scores is None or all(scores[name] is None for name in SCORES):
        reason = f": {scores.error}" if scores is not None and scores.error else ""
        raise SettingsError(f"This sample has no scores in '{field}'{reason}. Run score_videos.")
    peers = scored(samples, field).match(F(f"{field}.model") == scores.model)
    total = len(peers)
    places = []
    for name in SCORES:
        value = getattr(scores, name)
        if value is None:  # the model has no such score
            continue
        worse = len(peers.match(F(f"{field}.{name}") < value))
        share = 100 * worse / total if total else 0.0
        places.append(Place(name, value, grade(value), share))
    published = {}
    if scores.model == "dover":
        found = ranks("dover", scores.technical_raw, scores.aesthetic_raw)
        for name, branches in found.items():
            if len(branches) == len(BRANCHES):
                published[name] = {str(b): rank.percentile for b, rank in branches.items()}
    return Explanation(
        path=sample.filepath,
        model=scores.model,
        places=tuple(places),
        advice=_advice(places),
        ranks=published,
        worst_segments=_worst(sample, field),
        warnings=tuple(scores.warnings or ()),
    )


def _advice(places: list[Place]) -> str:
    levels = {place.name: _level(place.score) for place in places}
    if "technical" in levels and "aesthetic" in levels:
        return ADVICE[levels["technical"], levels["aesthetic"]]
    return f"The quality is {places[0].word}."


def _level(score: float) -> str:
    """The grade in three steps, for the advice."""
    return "low" if score < LOW else "medium" if score < HIGH else "high"


def quality_map(path: str, scorer: "Scorer") -> bytes:
    """PNG of the quality map of a video over its middle frame.

    Raises:
        VideoError: it cannot be read.
    """
    maps = scorer.score(path).maps
    assert maps is not None
    return draw_maps(maps, middle_frame(scorer.read_options.open(path)))


def distortion_values(sample: fo.Sample) -> dict[str, float | None]:
    """Values of the distortions of a sample: those of find_distortions, or else measured now.

    Raises:
        VideoError: the video cannot be read.
    """
    for name in distortion_fields(sample._dataset):
        stored = sample[name]
        if stored is not None and stored.tags is not None:
            return {distortion.name: stored[distortion.name] for distortion in DISTORTIONS}
    return {found.name: found.value for found in diagnose(sample.filepath).found.findings}


def distortions_in_words(values: Mapping[str, float | None]) -> list[str]:
    """The visible and strong distortions, such as "strong blur (12 pixels; visible from 8)"."""
    words = []
    for distortion in DISTORTIONS:
        value = values.get(distortion.name)
        severity = "none" if value is None else distortion.severity(value)
        if severity != "none":
            side = "to" if distortion.strong < distortion.visible else "from"
            words.append(
                f"{severity} {distortion.name} ({value:.3g} {distortion.unit}; "
                f"visible {side} {distortion.visible:g})"
            )
    return words


def _worst(sample: fo.Sample, field: str) -> tuple[Moment, ...]:
    name = segments_field(field)
    labels = sample[name] if sample.has_field(name) else None
    parts = labels.detections if labels else []
    of_part = [(part, [part[s] for s in SCORES if part[s] is not None]) for part in parts]
    main = [(values[0], part) for part, values in of_part if values]  # overall, or of one branch
    ordered = sorted(main, key=lambda each: each[0])
    rate = sample.metadata.frame_rate if sample.metadata else None
    return tuple(
        Moment(
            (first, last),
            ((first - 1) / rate, last / rate) if rate else None,
            score,
        )
        for score, part in ordered[:WORST_SEGMENTS]
        for first, last in [part.support]
    )
