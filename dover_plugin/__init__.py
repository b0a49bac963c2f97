"""No-reference video quality: technical, aesthetic and overall scores of a video.

Public names are imported on first use, so that ``import dover_plugin`` does not load torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from dover_plugin.analysis.change import Change
    from dover_plugin.analysis.comparing import compare, compare_many
    from dover_plugin.analysis.comparison import Comparison, NotCompared
    from dover_plugin.analysis.diagnosis import Diagnosis, Finding, diagnose
    from dover_plugin.analysis.segments import Segment, SegmentScores, cut
    from dover_plugin.analysis.timeline import Timeline
    from dover_plugin.batch.journal import Journal
    from dover_plugin.batch.many import score_many, to_frame
    from dover_plugin.batch.ray import score_on_ray
    from dover_plugin.batch.run import score_batch
    from dover_plugin.calibration import Calibration
    from dover_plugin.errors import (
        DoverError,
        EngineError,
        LicenseError,
        SettingsError,
        VideoError,
        WeightsError,
    )
    from dover_plugin.io.memory import ArraySource
    from dover_plugin.io.open import open_source
    from dover_plugin.io.sequence import ImageSequence
    from dover_plugin.io.source import FrameSource, VideoInfo
    from dover_plugin.ranks import Rank, ReferenceSet
    from dover_plugin.readers.reading import Limits, ReadOptions, VideoViews, read
    from dover_plugin.scorer import Scorer
    from dover_plugin.scores import Failure, Maps, Raw, Result, Scores, Settings

_HOMES = {
    "calibration": ("Calibration",),
    "analysis.change": ("Change",),
    "analysis.comparing": ("compare", "compare_many"),
    "analysis.comparison": ("Comparison", "NotCompared"),
    "analysis.diagnosis": ("Diagnosis", "Finding", "diagnose"),
    "errors": (
        "DoverError",
        "EngineError",
        "LicenseError",
        "SettingsError",
        "VideoError",
        "WeightsError",
    ),
    "batch.journal": ("Journal",),
    "batch.many": ("score_many", "to_frame"),
    "batch.ray": ("score_on_ray",),
    "batch.run": ("score_batch",),
    "ranks": ("Rank", "ReferenceSet"),
    "readers.reading": ("Limits", "ReadOptions", "VideoViews", "read"),
    "scorer": ("Scorer",),
    "scores": ("Failure", "Maps", "Raw", "Result", "Scores", "Settings"),
    "analysis.segments": ("Segment", "SegmentScores", "cut"),
    "analysis.timeline": ("Timeline",),
    "io.open": ("open_source",),
    "io.memory": ("ArraySource",),
    "io.sequence": ("ImageSequence",),
    "io.source": ("FrameSource", "VideoInfo"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "ArraySource",
    "Calibration",
    "Change",
    "Comparison",
    "Diagnosis",
    "DoverError",
    "EngineError",
    "Failure",
    "Finding",
    "FrameSource",
    "ImageSequence",
    "Journal",
    "LicenseError",
    "Limits",
    "Maps",
    "NotCompared",
    "Rank",
    "Raw",
    "ReadOptions",
    "ReferenceSet",
    "Result",
    "Scorer",
    "Scores",
    "Segment",
    "SegmentScores",
    "Settings",
    "SettingsError",
    "Timeline",
    "VideoError",
    "VideoInfo",
    "VideoViews",
    "WeightsError",
    "compare",
    "compare_many",
    "cut",
    "diagnose",
    "open_source",
    "read",
    "score_batch",
    "score_many",
    "score_on_ray",
    "to_frame",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'dover_plugin' has no attribute {name!r}")
    return getattr(import_module(f"dover_plugin.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
