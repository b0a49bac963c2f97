"""What a network says of labelled videos, and how well that agrees."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dover_plugin.calibration import AESTHETIC_WEIGHT, TECHNICAL_WEIGHT
from dover_plugin.evaluation.labels import LabelledVideo
from dover_plugin.evaluation.metrics import Correlations, agreement
from dover_plugin.networks import Dover
from dover_plugin.training.data import features_of, load, raw_scores
from dover_plugin.training.examples import CENTRED, VideoDataset

SCORES = ("overall", "technical", "aesthetic")

type Progress = Callable[[str, int, int], None]  # what is done, how much of it, of how much


@dataclass(frozen=True)
class Predictions:
    """Raw scores of the videos of a split, and how well they agree with the opinions.

    Attributes:
        labels: of the videos.
        technical: (N,) raw.
        aesthetic: (N,) raw.
        overall: (N,) weighted sum of both, each brought to zero mean and unit deviation.
    """

    labels: Sequence[LabelledVideo]
    technical: np.ndarray
    aesthetic: np.ndarray

    @property
    def overall(self) -> np.ndarray:
        """(N,), as the fusion with constants of this very split."""
        parts = [(raw - raw.mean()) / (raw.std() or 1) for raw in (self.technical, self.aesthetic)]
        fused: np.ndarray = TECHNICAL_WEIGHT * parts[0] + AESTHETIC_WEIGHT * parts[1]
        return fused

    def agreement(self, name: str = "overall") -> Correlations | None:
        """Of one branch, or of both fused, with the overall opinion; None if all score alike."""
        scores = getattr(self, name)
        if not np.isfinite(scores).all() or not np.ptp(scores):
            return None
        return agreement(scores, [row.overall for row in self.labels])


def predict(
    network: Dover,
    examples: VideoDataset,
    device: torch.device,
    workers: int,
    progress: Progress = lambda *_: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Predictions:
    """Raw scores of every example, centred, one by one.

    Raises:
        VideoError: a video cannot be read.
        KeyboardInterrupt: it is ``stopping``.
    """
    count = len(examples.labels)
    raws = []
    with torch.inference_mode():
        for batch in load(examples, [[(CENTRED, i)] for i in range(count)], workers):
            batch = {name: each.to(device) for name, each in batch.items()}
            found = raw_scores(network, features_of(network, batch))
            raws.append([float(raw[0]) for raw in found])
            progress("validating", len(raws), count)
            if stopping():
                raise KeyboardInterrupt
    technical, aesthetic = np.array(raws).T
    return Predictions(examples.labels, technical, aesthetic)
