"""DOVER as a FiftyOne model: ``dataset.apply_model(DoverModel(), "dover")``."""

from typing import Any

import fiftyone.core.models as fom

from dover_plugin.scorer import Scorer
from dover_plugin.scores import SCORES


class DoverModel(fom.SamplesMixin, fom.Model):  # type: ignore[misc]
    """Scores whole videos. apply_model writes <label_field>_overall, _technical and _aesthetic.

    FiftyOne opens each video with ffmpeg before it asks the model, one after the other, and keeps
    no errors; the operator score_videos reads ahead, and writes errors and settings too.

    Args:
        scorer: scorer to use.
    """

    def __init__(self, scorer: Scorer) -> None:
        fom.SamplesMixin.__init__(self)
        self.scorer = scorer

    @property
    def media_type(self) -> str:
        """Media type that apply_model accepts."""
        return "video"

    def predict(self, arg: Any, sample: Any = None) -> dict[str, float | None]:
        """Score one video.

        Args:
            arg: an eta VideoReader.
            sample: sample of the video; without one, the path of the reader is used.

        Returns:
            {"overall", "technical", "aesthetic"}, each in [0, 1], or None for a score
            that the model lacks.

        Raises:
            VideoError: it cannot be read.
        """
        scores = self.scorer.score(sample.filepath if sample is not None else arg.inpath)
        return {name: getattr(scores, name) for name in SCORES}
