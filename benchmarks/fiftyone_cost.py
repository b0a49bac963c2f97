"""What FiftyOne adds to the core, how quick the panel is: ``python benchmarks/fiftyone_cost.py``.

Prints two tables. Times are of this machine; what carries over are the ratios.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
os.environ.setdefault("FIFTYONE_PLUGINS_DIR", str(ROOT))
os.environ.setdefault("FIFTYONE_DATABASE_VALIDATION", "false")
sys.path.insert(0, str(ROOT / "examples"))

import fiftyone as fo
import numpy as np
from clips import write_clip

from dover_plugin.preprocessing.views import Views
from dover_plugin.scores import Maps
from fiftyone_plugin import plots, scoring, statistics
from fiftyone_plugin.fields import declare

SAMPLES = 150
ROUNDS = 3  # in turn; the quickest counts
PANEL = (2000, 50_000)


class FreeEngine:
    """A network that costs nothing, so that what is left is everything else."""

    name, device, precision, parallel = "free", "cpu", "float32", 1

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)

    def run(self, views: Views) -> Maps:
        del views
        t, a = self._rng.normal(0.1, 0.07), self._rng.normal(-0.08, 0.04)
        return Maps(np.full((3, 8, 7, 7), t, np.float32), np.full((1, 8, 7, 7), a, np.float32))


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def cost(folder: Path) -> None:
    """Time per sample of the core alone, of the core with FiftyOne, and of the network."""
    clip = write_clip(folder / "clip.mp4", 120, (270, 480))
    scorer = scoring.make_scorer(device="cpu")
    scorer.score(clip)
    network = seconds(lambda: scorer.score(clip))
    type(scorer).engine = FreeEngine()  # type: ignore[assignment]
    paths = [str(clip)] * SAMPLES
    core, whole = [], []
    for _ in range(ROUNDS):
        core.append(seconds(lambda: list(scorer.score_many(paths))))
        dataset = fo.Dataset()
        dataset.add_samples([fo.Sample(path) for path in paths], progress=False)
        run = scoring.score(dataset, scorer, "dover")
        whole.append(seconds(lambda run=run: list(run)))  # type: ignore[misc]
        dataset.delete()
    alone, with_fiftyone = min(core) / SAMPLES, min(whole) / SAMPLES
    added = with_fiftyone - alone
    print(f"{SAMPLES} samples of 480x270, 120 frames, dover-open on the CPU, ms per sample")
    print(f"  reading and views, no network        {1000 * alone:8.1f}")
    print(f"  the same through score_videos        {1000 * with_fiftyone:8.1f}")
    print(f"  so FiftyOne adds                     {1000 * added:8.1f}")
    print(f"  with the network, for comparison     {1000 * network:8.1f}")
    print(f"  FiftyOne's share of that             {100 * added / network:8.1f} %\n")


def panel() -> None:
    """Seconds until the panel's figures are computed."""
    print("panel, seconds to compute its figures")
    for count in PANEL:
        dataset = fo.Dataset()
        declare(dataset, "dover", segments=False)
        rng = np.random.default_rng(0)
        scores = rng.random((count, 3))
        dataset.add_samples(
            [
                fo.Sample(
                    f"/nowhere/{i}.mp4",
                    dover=fo.DynamicEmbeddedDocument(
                        technical=float(t), aesthetic=float(a), overall=float(o)
                    ),
                )
                for i, (t, a, o) in enumerate(scores)
            ],
            progress=False,
        )

        def figures(dataset: fo.Dataset = dataset) -> None:
            table = statistics.ScoreTable.read(dataset, "dover")
            table.counts()
            plots.histograms(table.histograms())
            plots.scatter(statistics.points(dataset, "dover", table))

        print(f"  {count:>7,} samples {seconds(figures):8.2f}")
        dataset.delete()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        cost(Path(folder))
    panel()
