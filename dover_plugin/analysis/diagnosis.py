"""Distortions of a video and of its segments, with values, severities and tags."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dover_plugin.analysis.distortions import DISTORTIONS, Distortion, Measures, Severity, mean_of
from dover_plugin.analysis.measuring import measure_frames
from dover_plugin.analysis.segments import Segment, by_length, by_seconds, checked, cut, time_code
from dover_plugin.errors import DoverError
from dover_plugin.io.open import open_source, open_with
from dover_plugin.io.options import OpenOptions
from dover_plugin.io.source import Video, VideoInfo

SECONDS = 10.0  # of a segment


@dataclass(frozen=True)
class Finding:
    """What a diagnosis says about one distortion.

    Attributes:
        name: name of the distortion, such as "blur".
        value: measured value; None if it cannot be measured in these frames.
        unit: unit of the value.
        severity: "none", "visible" or "strong"; None without a value.
        visible: value from which the distortion is visible.
        strong: value from which it is strong. It is below ``visible`` if low values are bad.
        source: source of the measure and of its thresholds.
        tag: tag of a video that shows the distortion.
    """

    name: str
    value: float | None
    unit: str
    severity: Severity | None
    visible: float
    strong: float
    source: str
    tag: str

    @classmethod
    def of(cls, distortion: Distortion, measures: Measures) -> "Finding":
        """The finding about a distortion in some frames."""
        value = distortion.value_of(measures)
        known = bool(np.isfinite(value))
        return cls(
            distortion.name,
            value if known else None,
            distortion.unit,
            distortion.severity(value) if known else None,
            distortion.visible,
            distortion.strong,
            distortion.source,
            distortion.tag,
        )


@dataclass(frozen=True)
class Findings:
    """The findings about some frames.

    Attributes:
        findings: one per distortion, in the order of distortions.DISTORTIONS.
        spatial_information: mean SI of ITU-T P.910; None if the frames are too small.
        temporal_information: mean TI of ITU-T P.910; None for a single frame.
    """

    findings: tuple[Finding, ...]
    spatial_information: float | None
    temporal_information: float | None

    def __getitem__(self, name: str) -> Finding:
        """The finding about a distortion, by its name."""
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(name)

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags of the distortions that are visible or strong."""
        return tuple(f.tag for f in self.findings if f.severity in ("visible", "strong"))

    @classmethod
    def of(cls, measures: Measures) -> "Findings":
        """The findings about the frames of these measures."""
        information = (mean_of(name)(measures) for name in ("si", "ti"))
        return cls(
            tuple(Finding.of(distortion, measures) for distortion in DISTORTIONS),
            *(value if np.isfinite(value) else None for value in information),
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: the tags, SI and TI, and the value and the severity of each distortion."""
        return {
            "tags": list(self.tags),
            "spatial_information": self.spatial_information,
            "temporal_information": self.temporal_information,
            "distortions": {
                f.name: {"value": f.value, "severity": f.severity} for f in self.findings
            },
        }


@dataclass(frozen=True)
class SegmentFindings:
    """The findings about one segment.

    Attributes:
        segment: frames of the segment.
        start_seconds: time of its first frame; None if the video has no times.
        end_seconds: time at which its last frame ends; None if the video has no times.
        found: the findings.
    """

    segment: Segment
    start_seconds: float | None
    end_seconds: float | None
    found: Findings

    def __getitem__(self, name: str) -> Finding:
        """The finding about a distortion, by its name."""
        return self.found[name]

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags of the distortions that are visible or strong in the segment."""
        return self.found.tags


@dataclass(frozen=True)
class Diagnosis:
    """The distortions of a video.

    Attributes:
        info: metadata of the video; its warnings say what may surprise.
        found: the findings over all segments.
        segments: the findings of each segment, in order.
    """

    info: VideoInfo
    found: Findings
    segments: Sequence[SegmentFindings]

    def __getitem__(self, name: str) -> Finding:
        """The finding about a distortion over the whole video, by its name."""
        return self.found[name]

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags of the distortions that are visible or strong over the whole video."""
        return self.found.tags

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: the video, its findings, its segments, and the thresholds."""
        info = self.info
        return {
            "path": info.path,
            "num_frames": info.num_frames,
            "width": info.width,
            "height": info.height,
            "fps": info.fps,
            **self.found.to_dict(),
            "segments": [
                {
                    "start_frame": part.segment.start,
                    "end_frame": part.segment.end,
                    "start_seconds": part.start_seconds,
                    "end_seconds": part.end_seconds,
                    "time_code": None
                    if part.start_seconds is None
                    else time_code(part.start_seconds),
                    **part.found.to_dict(),
                }
                for part in self.segments
            ],
            "thresholds": {
                f.name: {
                    "tag": f.tag,
                    "unit": f.unit,
                    "visible": f.visible,
                    "strong": f.strong,
                    "source": f.source,
                }
                for f in DISTORTIONS
            },
            "warnings": list(info.warnings),
        }


def diagnose(
    video: Video,
    seconds: float = SECONDS,
    *,
    segments: Sequence[Segment] | None = None,
    stream: int | None = None,
    allow_damaged: bool = False,
    start: str | int | None = None,
    end: str | int | None = None,
) -> Diagnosis:
    """Detect and measure the distortions of a video. No network is needed.

    All frames are decoded once. Pixels are measured in a frame each half second; change between
    frames and fields in every frame. Interlaced frames are measured as they are stored.

    Args:
        video: a path, frames (T, H, W, 3) uint8 RGB, or a FrameSource.
        seconds: length of a segment. A rest shorter than half of it joins the last one.
        segments: where they lie instead, in order of their starts; see segments.cut. Frames
            outside of them are left out.
        stream: see open_source.
        allow_damaged: see open_source.
        start: first second or frame of the part that is measured; see open_source.
        end: its end.

    Raises:
        VideoError: the video cannot be read.
        SettingsError: no such length, or segments that lie outside of the video.
    """
    source = open_source(video, stream=stream, allow_damaged=allow_damaged, start=start, end=end)
    info = source.info
    chosen = _whole_video(info, seconds) if segments is None else checked(segments, info)
    measures = measure_frames(source, chosen)
    times = info.frame_times if info.times is not None or info.fps else None
    parts = [
        SegmentFindings(
            part,
            None if times is None else float(times[part.start]),
            None if times is None else float(times[part.end]),
            Findings.of({name: values[part.start : part.end] for name, values in measures.items()}),
        )
        for part in chosen
    ]
    return Diagnosis(source.info, Findings.of(measures), parts)  # reading may have added warnings


@dataclass(frozen=True)
class NotDiagnosed:
    """A video that could not be diagnosed.

    Attributes:
        path: path of the file.
        error: why, in one sentence.
    """

    path: str
    error: str


def diagnose_many(
    paths: Iterable[str],
    length: str = f"{SECONDS:g}s",
    opening: OpenOptions | None = None,
) -> Iterator[Diagnosis | NotDiagnosed]:
    """Diagnose files one after the other.

    Args:
        paths: paths of the videos.
        length: length of a segment, such as "5s", "240f" or "scenes"; see segments.cut.
        opening: how the files are opened; None for the defaults.

    Yields:
        A Diagnosis each, in order, or the error of a file.
    """
    for path in paths:
        try:
            source = open_with(path, opening or OpenOptions())
            yield diagnose(source, segments=cut(source, length))
        except DoverError as error:
            yield NotDiagnosed(path, str(error))
        except MemoryError:
            yield NotDiagnosed(path, f"{path!r} needs more memory than there is.")


def _whole_video(info: VideoInfo, seconds: float) -> Sequence[Segment]:
    if info.times is None and not info.fps:
        return by_length(info.num_frames, info.num_frames)
    return by_seconds(info, seconds)
