"""A folder of clips, and the rows of a batch that is not interrupted."""

from pathlib import Path
from typing import Any

import pytest
from batch_helpers import BROKEN, CLIPS, rows, videos
from clips import write_clip

from dover_plugin import Scorer
from dover_plugin.batch.journal import Journal
from dover_plugin.batch.run import score_batch


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer("dover-open", "cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of a few frames, some of which are broken."""
    folder = tmp_path_factory.mktemp("many")
    for i in range(CLIPS):
        write_clip(folder / f"{i:02}.mp4", 8, (64, 64 + 16 * i))
    for i in range(BROKEN):
        (folder / f"broken{i}.mp4").write_bytes(b"no video" * i)
    return folder


@pytest.fixture(scope="module")
def whole(scorer: Scorer, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The rows of a run that was not interrupted."""
    file = tmp_path_factory.mktemp("whole") / "scores.jsonl"
    with Journal(file, scorer) as journal:
        score_batch(scorer, videos(folder), journal)
    return rows(file)
