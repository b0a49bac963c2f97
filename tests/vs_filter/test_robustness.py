"""Each scenario runs in a process of its own, which ends itself if it deadlocks."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

STRESS = Path(__file__).with_name("stress.py")
SEGMENTS = 2
SCENARIOS = (
    "sequential",
    "shuffled",
    "concurrent",
    "cleared",
    "starved",
    "abandoned",
    "two",
    "chained",
    "compared",
)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_deadlock_and_each_segment_once(scenario: str, seeded: dict[str, Path]) -> None:
    done = subprocess.run(
        [sys.executable, str(STRESS), scenario, str(seeded["dover-open"])],
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    assert [run["threads"] for run in runs] == [1, 2, 8]
    for run in runs:
        if scenario == "abandoned":  # the first segment, and perhaps what was asked for ahead
            assert 1 <= run["scored"] <= SEGMENTS
        else:
            assert run["scored"] == SEGMENTS
        assert run["overall"] == run["alone"]
