"""Damaged files of every container: each becomes scores or an error, none ends the batch."""

from pathlib import Path

import numpy as np
import pytest
from clips import write_clip

from dover_plugin import Scorer
from dover_plugin.batch.journal import Journal
from dover_plugin.batch.run import score_batch
from dover_plugin.preprocessing.views import Views
from dover_plugin.readers.reading import GIGABYTE, Limits
from dover_plugin.scores import Maps

KINDS = {"mp4": "libx264", "mkv": "libx265", "webm": "libvpx-vp9", "avi": "mpeg4"}
OF_EACH = 125


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """Flip, cut, repeat, swap or blank a part."""
    data = np.frombuffer(content, np.uint8).copy()
    start = int(rng.integers(len(data)))
    length = int(rng.integers(1, max(2, len(data) // int(rng.choice([4, 40, 400])))))
    part = slice(start, start + length)
    match int(rng.integers(6)):
        case 0:
            places = rng.integers(0, len(data), int(rng.choice([1, 10, 200])))
            data[places] = rng.integers(0, 256, len(places))
        case 1:
            data = data[:start]
        case 2:
            data = np.delete(data, part)
        case 3:
            data[part] = 0
        case 4:
            data = np.insert(data, start, data[part])
        case 5:  # sizes and counts lie at the start of a container
            data[rng.integers(0, min(len(data), 600), 8)] = rng.integers(0, 256, 8)
    return data.tobytes()


class Unseeing:
    """In place of the networks, which these tests are not about: one number of each view."""

    device, name, precision = "cpu", "torch", "float32"

    def run(self, views: Views) -> Maps:
        seen = views.technical.mean(), views.aesthetic.mean()
        return Maps(*(np.full((1, 16, 7, 7), mean / 1e4, np.float32) for mean in seen))


@pytest.mark.timeout(600)
def test_mutants(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    files = []
    for kind, codec in KINDS.items():
        content = write_clip(tmp_path / f"clip.{kind}", 12, (64, 96), codec=codec).read_bytes()
        for i in range(OF_EACH):
            files.append(tmp_path / f"{i:03}.{kind}")
            files[-1].write_bytes(mutate(content, rng))
    scorer = Scorer("dover-open", "cpu")
    scorer.engine = Unseeing()
    limits = Limits(seconds=60, memory=2 * GIGABYTE)
    with Journal(tmp_path / "scores.jsonl", scorer) as journal:
        tally = score_batch(
            scorer, [str(file) for file in files], journal, workers=2, limits=limits
        )
        rows = {row["path"]: row for row in journal.rows()}
    assert rows.keys() == {str(file) for file in files}
    assert tally.scored + tally.failed == len(KINDS) * OF_EACH
    assert tally.failed > 50
    assert tally.scored > 50
    for row in rows.values():
        if row["error"] is None:
            assert 0 < row["overall"] < 1
        else:
            assert row["overall"] is None
            assert len(row["error"]) > 10
    assert not any("took more than" in row["error"] for row in rows.values() if row["error"])
