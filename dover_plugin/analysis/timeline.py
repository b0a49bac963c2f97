"""The quality of a video over time: scored segments and their summary."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dover_plugin.analysis.segments import SegmentScores, time_code
from dover_plugin.analysis.statistics import Statistics
from dover_plugin.io.source import VideoInfo
from dover_plugin.scores import SCORES, Settings
from dover_plugin.weights.registry import published

COLUMNS = (
    "start_frame",
    "end_frame",
    "start_seconds",
    "end_seconds",
    "time_code",
    "overall",
    "technical",
    "aesthetic",
    "technical_raw",
    "aesthetic_raw",
)


@dataclass(frozen=True)
class Timeline:
    """The scored segments of a video.

    Attributes:
        info: metadata of the video.
        settings: settings of the scorer.
        segments: scored segments in order, at least one.
    """

    info: VideoInfo
    settings: Settings
    segments: Sequence[SegmentScores]

    @property
    def present(self) -> tuple[str, ...]:
        """Names of the scores that the segments have; see Scores.present."""
        return self.segments[0].scores.present

    def summary(self, score: str | None = None) -> Statistics:
        """Statistics of one of the ``present`` scores; of the first without an argument."""
        score = score or self.present[0]
        return Statistics.of([getattr(part.scores, score) for part in self.segments])

    def worst(self, count: int = 3, score: str | None = None) -> list[SegmentScores]:
        """The segments with the lowest scores, worst first; see summary."""
        score = score or self.present[0]
        return sorted(self.segments, key=lambda part: getattr(part.scores, score))[:count]

    def warnings(self) -> list[str]:
        """Warnings of the video and of its segments, each once."""
        own = {w: None for part in self.segments for w in part.scores.warnings}
        clip_len = published(self.settings.model).sampling.clip_len
        short = [part for part in self.segments if part.scores.num_frames < clip_len]
        if len(short) > 1:  # one warning instead of one per segment length
            own = {w: None for w in own if "which the model sees repeatedly" not in w}
            own[
                f"{len(short)} segments have fewer than {clip_len} frames, which the model sees "
                "repeatedly"
            ] = None
        return list(dict.fromkeys([*self.info.warnings, *own]))

    def rows(self) -> list[dict[str, Any]]:
        """One JSON-ready row per segment; keys and order are those of COLUMNS."""
        return [segment_row(part) for part in self.segments]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: the video, the settings, the summary, the segments."""
        return {
            "path": self.info.path,
            "num_frames": self.info.num_frames,
            "width": self.info.width,
            "height": self.info.height,
            "fps": self.info.fps,
            "decoder": self.info.decoder,
            **asdict(self.settings),
            "summary": {
                score: asdict(self.summary(score)) if score in self.present else None
                for score in SCORES
            },
            "worst": [segment_row(part) for part in self.worst()],
            "segments": self.rows(),
            "warnings": self.warnings(),
        }


@dataclass(frozen=True)
class NoTimeline:
    """A video that could not be scored.

    Attributes:
        path: path of the file.
        error: why, in one sentence.
    """

    path: str
    error: str


def segment_row(part: SegmentScores) -> dict[str, Any]:
    """A segment as a JSON-ready row; keys and order are those of COLUMNS."""
    scores = part.scores
    return {
        "start_frame": part.segment.start,
        "end_frame": part.segment.end,
        "start_seconds": part.start_seconds,
        "end_seconds": part.end_seconds,
        "time_code": None if part.start_seconds is None else time_code(part.start_seconds),
        "overall": scores.overall,
        "technical": scores.technical,
        "aesthetic": scores.aesthetic,
        "technical_raw": scores.raw.technical,
        "aesthetic_raw": scores.raw.aesthetic,
    }
