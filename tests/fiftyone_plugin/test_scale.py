"""1,000 samples: flat memory, batched writes, and a panel that shows them all."""

import gc
from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
import pytest
from clips import write_clip

from dover_plugin.preprocessing.views import Views
from dover_plugin.scores import Maps

SAMPLES = 600
MAX_GROWTH = 60 * 2**20  # bytes; keeping the views of 1,000 videos would take 19 GB


class FastEngine:
    """In place of the networks, which would take hours: a few means of the pixels."""

    name, device, precision, parallel = "fast", "cpu", "float32", 1

    def run(self, views: Views) -> Maps:
        spread = np.random.default_rng(int(views.aesthetic[0, 0, ::32, ::32].sum()))
        technical = spread.normal(0.1, 0.07, (3, 16, 7, 7)).mean() + spread.normal(0, 0.07)
        return Maps(
            np.full((3, 16, 7, 7), technical, np.float32),
            np.full((1, 16, 7, 7), spread.normal(-0.08, 0.04), np.float32),
        )


@pytest.fixture(scope="module")
def large(fo: Any, weights: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """1,000 links to a few short clips, and to one broken file."""
    folder = tmp_path_factory.mktemp("large")
    files = []
    for i in range(20):
        frames = np.random.default_rng(i).integers(0, 255, (4, 1, 1, 3), np.uint8)
        pictures = iter(np.broadcast_to(frames, (4, 224, 224, 3)).copy())
        files.append(write_clip(folder / f"{i}.mp4", frames=pictures, size=(224, 224)))
    files.append(folder / "broken.mp4")
    files[-1].write_bytes(b"no video")
    links = []
    for i in range(SAMPLES):
        link = folder / f"link{i}.mp4"
        link.symlink_to(files[i % len(files)])
        links.append(str(link))
    dataset = fo.Dataset(persistent=True)
    dataset.add_samples([fo.Sample(link) for link in links], progress=False)
    yield dataset
    dataset.delete()


@pytest.mark.timeout(900)
def test_many_samples_in_flat_memory(
    large: Any, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fiftyone_plugin import scoring, writer

    scorer = scoring.make_scorer(model="dover-open", weights=weights, device="cpu")
    monkeypatch.setattr(type(scorer), "engine", FastEngine())
    writes = []
    set_values = type(large).set_values

    def counted(self: Any, field: str, values: Any, **options: Any) -> Any:
        if field == "dover":
            writes.append(len(values))
        return set_values(self, field, values, **options)

    monkeypatch.setattr(type(large), "set_values", counted)
    process, memory = psutil.Process(), []
    for summary in scoring.score(large, scorer, "dover"):
        if summary.done % 100 == 0:
            gc.collect()
            memory.append(process.memory_info().rss)
    broken = SAMPLES // 21
    assert (summary.scored, summary.failed) == (SAMPLES - broken, broken)
    assert large.count("dover.overall") == SAMPLES - broken
    assert len(large.match_tags("dover:failed")) == broken
    assert sum(writes) == SAMPLES
    assert max(writes) <= writer.WRITE_EVERY
    assert memory[-1] - memory[1] < MAX_GROWTH, [m >> 20 for m in memory]


def test_the_panel_shows_cells_of_many(large: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from fiftyone_plugin import plots, statistics
    from fiftyone_plugin.fields import scored

    total = len(scored(large, "dover"))
    monkeypatch.setattr(statistics, "MAX_POINTS", total // 2)
    found = statistics.points(large, "dover")
    assert found.counts is not None
    assert sum(found.counts) == total
    most = int(np.argmax(found.counts))
    inside = statistics.in_cells(large, "dover", [found.ids[most]])
    assert len(inside) == found.counts[most]
    mean = np.mean(inside.values("dover.overall"))
    assert found.overall[most] == pytest.approx(mean, abs=0.002)
    step = 0.5 / statistics.CELLS
    for name, middle in (("technical", found.technical), ("aesthetic", found.aesthetic)):
        low, high = inside.bounds(f"dover.{name}")
        assert middle[most] - step <= low <= high <= middle[most] + step
    assert len(statistics.in_cells(large, "dover", list(found.ids))) == total
    for histogram in statistics.ScoreTable.read(large, "dover").histograms().values():
        assert sum(histogram.counts) == total
    data, _ = plots.scatter(found)
    assert max(data[0]["marker"]["size"]) == plots.MAX_SIZE
