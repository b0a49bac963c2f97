"""Memory while many videos are scored: ``python benchmarks/memory.py --videos 2000``.

Prints the private memory of this process, and the sum over its reader processes, after every tenth
of the videos. The clips last one second and are scored with the bundled model.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

from clips import write_clip

from dover_plugin import Limits, Scorer

KINDS = (("a.mp4", (240, 320)), ("b.mkv", (360, 640)), ("c.avi", (240, 320)))
FRAMES = 25


def main() -> None:
    """Score the clips in turn, first read by threads, then by processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=2000)
    count = parser.parse_args().videos
    scorer = Scorer()
    with tempfile.TemporaryDirectory() as folder:
        clips = [write(Path(folder) / name, size) for name, size in KINDS]
        for title, limits in (("threads", None), ("processes", Limits())):
            measure(title, scorer, (clips[i % len(clips)] for i in range(count)), limits, count)


def write(path: Path, size: tuple[int, int]) -> str:
    """A clip of one second."""
    write_clip(path, FRAMES, size)
    return str(path)


def measure(
    title: str, scorer: Scorer, videos: Iterator[str], limits: Limits | None, count: int
) -> None:
    """Score the videos and print the memory on the way."""
    print(f"read by {title}")
    results = scorer.score_many(videos, limits=limits)
    step = max(1, count // 10)
    done = 0
    while batch := list(islice(results, step)):
        done += len(batch)
        process = psutil.Process()
        readers = sum(private_mb(child) for child in process.children(recursive=True))
        print(f"{done:6d} videos  {private_mb(process):7.1f} MB  readers {readers:7.1f} MB")


def private_mb(process: psutil.Process) -> float:
    """Private memory of a process in MB (Linux)."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    (line,) = (line for line in text.splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
