from typing import Any

import numpy as np
import pytest
from vs_helpers import Counting, Viewer

from dover_plugin import Scores
from vs_filter import notices


@pytest.fixture(scope="module")
def _counting(seeded: dict[str, Any]) -> Counting:
    return Counting("dover-open", "cpu", weights=seeded["dover-open"])


@pytest.fixture
def scorer(_counting: Counting) -> Counting:
    _counting.seen.clear()
    return _counting


@pytest.fixture(autouse=True)
def _unsaid() -> None:
    """Notices are written once per process, and so once per test."""
    notices._said.clear()


@pytest.fixture(scope="module")
def _result(_counting: Counting) -> Scores:
    return _counting.score(np.zeros((1, 240, 320, 3), np.uint8))


@pytest.fixture
def viewer(scorer: Counting, _result: Scores, monkeypatch: pytest.MonkeyPatch) -> Viewer:
    return Viewer(scorer, _result, monkeypatch)
