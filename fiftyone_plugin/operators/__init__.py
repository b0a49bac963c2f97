"""Operators: forms and results on top of the modules of this package."""

from fiftyone_plugin.evaluation import METRICS
from fiftyone_plugin.operators.compare import CompareTranscodes, GroupTranscodes
from fiftyone_plugin.operators.distortions import FindDistortions, TagDistortions
from fiftyone_plugin.operators.evaluate import EvaluateScores
from fiftyone_plugin.operators.explain import Explain
from fiftyone_plugin.operators.mark import TagLowQuality, UndoLowQuality
from fiftyone_plugin.operators.score import ScoreVideos
from fiftyone_plugin.operators.show import OpenPanel, ShowSamples
from fiftyone_plugin.operators.stop import StopScoring

OPERATORS = (
    ScoreVideos,
    StopScoring,
    TagLowQuality,
    UndoLowQuality,
    FindDistortions,
    TagDistortions,
    CompareTranscodes,
    GroupTranscodes,
    Explain,
    EvaluateScores,
    ShowSamples,
    OpenPanel,
    *METRICS,
)
