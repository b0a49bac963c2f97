"""A metric with the methods of torchmetrics: update with videos, then compute the means.

    python examples/pipelines/metric.py VIDEO...

Videos are paths, or tensors such as the output of a generator. DOVER is a metric only: no gradient
flows through the views, so it cannot be used as a loss.
"""

import sys
from statistics import fmean

from torch import Tensor

from dover_plugin import Scorer
from dover_plugin.io.source import Video
from dover_plugin.scores import SCORES


class VideoQuality:
    """Mean technical, aesthetic and overall score of all videos since the last reset."""

    def __init__(self, scorer: Scorer | None = None) -> None:
        self.scorer = scorer or Scorer()
        self.reset()

    def reset(self) -> None:
        self.values: dict[str, list[float]] = {name: [] for name in SCORES}

    def update(self, video: Video) -> None:
        """Add a video: any input of Scorer.score, or a batch (N, T, C, H, W) of them."""
        videos = list(video) if isinstance(video, Tensor) and video.ndim == 5 else [video]
        for each in videos:
            scores = self.scorer.score(each)
            for name in scores.present:
                self.values[name].append(getattr(scores, name))

    def compute(self) -> dict[str, float]:
        """The means of the scores that the model has; empty before the first update."""
        return {name: fmean(values) for name, values in self.values.items() if values}


def main() -> None:
    metric = VideoQuality()
    for path in sys.argv[1:]:
        metric.reset()
        metric.update(path)
        print(path, f"{metric.compute()['overall']:.4f}")


if __name__ == "__main__":
    main()
