"""A stage of a curation pipeline, with the methods of a NeMo Curator ProcessingStage.

    python examples/pipelines/curation_stage.py VIDEO...

In NeMo Curator derive the class from ProcessingStage[VideoTask, VideoTask]. The stage is pickled
with its settings only; ``setup`` loads the network on the worker.
"""

import sys
from dataclasses import dataclass, field
from typing import Any

from dover_plugin import Failure, Scorer


@dataclass
class Clip:
    """A clip and what stages found out about it."""

    path: str
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass
class QualityStage:
    """Adds scores to clips, and drops those below a threshold and those that cannot be read."""

    minimum: float = 0.2
    device: str = "auto"
    name: str = "dover_quality"

    def inputs(self) -> tuple[list[str], list[str]]:
        return ["path"], []

    def outputs(self) -> tuple[list[str], list[str]]:
        return ["path"], ["dover"]

    def setup(self, worker_metadata: object = None) -> None:  # noqa: ARG002
        self.scorer = Scorer(device=self.device)

    def process_batch(self, clips: list[Clip]) -> list[Clip]:
        kept = []
        results = self.scorer.score_many([clip.path for clip in clips])
        for clip, result in zip(clips, results, strict=True):
            clip.metadata["dover"] = result.to_dict()
            if isinstance(result, Failure):
                continue
            if getattr(result, result.main) >= self.minimum:
                kept.append(clip)
        return kept


def main() -> None:
    stage, clips = QualityStage(), [Clip(path) for path in sys.argv[1:]]
    stage.setup()
    stage.process_batch(clips)
    for clip in clips:
        row = clip.metadata["dover"]
        print(clip.path, f"failed: {row['error']}" if row["error"] else f"{row['overall']:.4f}")


if __name__ == "__main__":
    main()
