"""Memory stays flat while many videos are read."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from clips import write_clip

from dover_plugin.readers.reading import ReadOptions, read

OPTIONS = ReadOptions()
STATUS = Path("/proc/self/status")


@pytest.fixture
def _no_collector() -> Iterator[None]:
    """Cycles are not collected: where much is imported, the collector rarely looks at them."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def alive() -> list[str]:
    names = ("Cursor", "VideoCodecContext", "VideoFrame", "VideoStream", "InputContainer")
    return [type(each).__name__ for each in gc.get_objects() if type(each).__name__ in names]


def memory_mb() -> float:
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize("name", ["a.mp4", "a.avi"])
def test_a_reading_leaves_no_decoder_behind(name: str, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / name, 12, (64, 64))
    before = sorted(alive())
    for _ in range(3):
        read(clip, OPTIONS)
    assert sorted(alive()) == before


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.skipif(not STATUS.exists(), reason="no /proc on this system")
def test_memory_does_not_grow_with_the_number_of_videos(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", 12, (64, 64))
    for _ in range(20):
        read(clip, OPTIONS)
    before = memory_mb()
    for _ in range(100):
        read(clip, OPTIONS)
    assert memory_mb() - before < 5  # a decoder that stays takes more than 1 MB
