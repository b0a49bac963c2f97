"""Raw scores of labelled videos, and their correlation with the MOS."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dover_plugin.calibration import AESTHETIC_WEIGHT, TECHNICAL_WEIGHT
from dover_plugin.evaluation.labels import LabelledVideo
from dover_plugin.evaluation.metrics import Correlations, correlations
from dover_plugin.networks import Dover
from dover_plugin.preprocessing.sampling import BRANCHES
from dover_plugin.training.data import load_batches
from dover_plugin.training.dataset import CENTRED, VideoDataset
from dover_plugin.training.features import branch_features, raw_scores

type Progress = Callable[[str, int, int], None]  # name of the task, number done, total


@dataclass(frozen=True)
class Predictions:
    """Raw scores of the videos of a split.

    Attributes:
        labels: the videos and their labels.
        technical: (N,) raw scores.
        aesthetic: (N,) raw scores.
    """

    labels: Sequence[LabelledVideo]
    technical: np.ndarray
    aesthetic: np.ndarray

    @property
    def overall(self) -> np.ndarray:
        """(N,) weighted sum of both branches, each standardised over this split."""
        parts = [(raw - raw.mean()) / (raw.std() or 1) for raw in (self.technical, self.aesthetic)]
        fused: np.ndarray = TECHNICAL_WEIGHT * parts[0] + AESTHETIC_WEIGHT * parts[1]
        return fused

    def correlations(self, name: str = "overall") -> Correlations | None:
        """Correlations of one of SCORES with the overall MOS.

        Returns:
            None if scores are not finite or all equal, so that there is no correlation.
        """
        scores = getattr(self, name)
        if not np.isfinite(scores).all() or not np.ptp(scores):
            return None
        return correlations(scores, [row.overall for row in self.labels])


def predict(
    network: Dover,
    dataset: VideoDataset,
    device: torch.device,
    workers: int,
    progress: Progress = lambda *_: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Predictions:
    """Raw scores of the centred sample of every video.

    Args:
        network: network in evaluation mode.
        dataset: the videos.
        device: device of the network.
        workers: number of processes that read videos.
        progress: called after every video.
        stopping: whether to stop.

    Raises:
        VideoError: a video cannot be read.
        KeyboardInterrupt: ``stopping`` returned True.
    """
    count = len(dataset.labels)
    raw: dict[str, list[float]] = {branch: [] for branch in BRANCHES}
    with torch.inference_mode():
        batches = load_batches(dataset, [[(CENTRED, index)] for index in range(count)], workers)
        for done, batch in enumerate(batches, start=1):
            batch = {name: tensor.to(device) for name, tensor in batch.items()}
            for branch, scores in raw_scores(network, branch_features(network, batch)).items():
                raw[branch].append(float(scores[0]))
            progress("validating", done, count)
            if stopping():
                raise KeyboardInterrupt
    return Predictions(dataset.labels, np.array(raw["technical"]), np.array(raw["aesthetic"]))
