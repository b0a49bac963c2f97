from typing import Any

import pytest
from vs_helpers import Counting


@pytest.fixture(scope="module")
def _counting(seeded: dict[str, Any]) -> Counting:
    return Counting("dover-open", "cpu", weights=seeded["dover-open"])


@pytest.fixture
def scorer(_counting: Counting) -> Counting:
    _counting.seen.clear()
    return _counting
