"""Scenarios run in a process of their own, which ends itself if one deadlocks."""

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
    "backward",
    "unprefetched",
    "gradual",
    "overlapping",
    "concurrent",
    "cleared",
    "starved",
    "abandoned",
    "two",
    "chained",
    "compared",
)


@pytest.fixture(scope="module")
def stressed(seeded: dict[str, Path]) -> subprocess.CompletedProcess[str]:
    """All scenarios one after the other, in one process."""
    command = [sys.executable, str(STRESS), str(seeded["dover-open"])]
    return subprocess.run(command, capture_output=True, text=True, timeout=580)


def test_the_process_ends_well(stressed: subprocess.CompletedProcess[str]) -> None:
    assert stressed.returncode == 0, stressed.stderr


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_deadlock_and_each_segment_once(
    scenario: str, stressed: subprocess.CompletedProcess[str]
) -> None:
    found = [json.loads(line) for line in stressed.stdout.splitlines()]
    runs = [run for run in found if run["scenario"] == scenario]
    assert runs, stressed.stderr
    assert [run["threads"] for run in runs] == [1, 8], stressed.stderr
    for run in runs:
        if scenario == "abandoned":  # the first segment, and perhaps what was asked for ahead
            assert 1 <= run["scored"] <= SEGMENTS
        else:
            assert run["scored"] == SEGMENTS
        assert run["overall"] == run["alone"]
