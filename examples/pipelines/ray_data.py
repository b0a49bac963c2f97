"""Score a column of paths in Ray Data with map_batches.

    python examples/pipelines/ray_data.py VIDEO...

The scorer is pickled into each actor, which loads the network at its first video. ``dover
cluster`` also isolates crashing decoders and resumes.
"""

import sys
from typing import Any

from dover_plugin import Scorer
from dover_plugin.batch.ray_cluster import connect


class ScoreVideos:
    """Adds the columns overall and error to batches with a column path."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        rows = [each.to_dict() for each in self.scorer.score_many(batch["path"].tolist())]
        return {**batch, **{name: [row[name] for row in rows] for name in ("overall", "error")}}


def main() -> None:
    connect("local")
    import ray.data

    videos = ray.data.from_items([{"path": path} for path in sys.argv[1:]])
    scored = videos.map_batches(
        ScoreVideos,
        fn_constructor_args=(Scorer(),),
        compute=ray.data.ActorPoolStrategy(size=1),
        batch_size=4,
        num_cpus=1,  # or num_gpus=1 with Scorer(device="cuda")
    )
    for row in sorted(scored.take_all(), key=lambda row: sys.argv.index(row["path"])):
        score = "failed: " + row["error"] if row["error"] else f"{row['overall']:.4f}"
        print(row["path"], score)


if __name__ == "__main__":
    main()
