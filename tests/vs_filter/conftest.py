from typing import Any

import pytest
from vs_helpers import Counting

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
