"""A folder of 200 clips, 20 of them broken, in many runs: ``python benchmarks/batch.py``.

Prints whether a run that was stopped and killed ends as one that was not, what a batch takes
beside a plain loop, what reading takes, and how much memory is held. Times are of this machine;
what carries over are the ratios. About fifteen minutes on two cores.
"""

import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import av
import numpy as np
import psutil
import torch
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

from clips import film, write_clip

from dover_plugin import Scorer
from dover_plugin.batch.journal import Journal
from dover_plugin.batch.run import score_batch
from dover_plugin.errors import DoverError
from dover_plugin.networks import CONFIGS
from dover_plugin.networks.seeded import seeded_state_dict
from dover_plugin.readers.reading import Limits, read

av.logging.set_level(av.logging.ERROR)
type Picture = NDArray[np.uint8]

KINDS = (  # suffix, encoder, pixel format, (H, W), frames
    ("mp4", "libx264", "yuv420p", (360, 640), 96),
    ("mkv", "libx265", "yuv420p10le", (360, 640), 96),
    ("webm", "libvpx-vp9", "yuv420p", (360, 640), 96),
    ("avi", "mpeg4", "yuv420p", (360, 640), 96),
    ("mov", "mjpeg", "yuvj422p", (360, 640), 96),
    ("ts", "mpeg2video", "yuv420p", (576, 720), 96),
    ("mp4", "libx264", "yuv420p", (1080, 1920), 72),
    ("mp4", "libx264", "yuv420p", (640, 360), 96),
    ("mkv", "ffv1", "yuv420p", (120, 160), 48),
    ("m4v", "libx264", "yuv420p", (240, 320), 10),
)
OF_EACH = 18


def encode(path: Path, codec: str, pix_fmt: str, pictures: Sequence[Picture]) -> None:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=24)
        stream.height, stream.width, _ = pictures[0].shape
        stream.pix_fmt = pix_fmt
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode(None))


def broken(folder: Path, good: bytes) -> None:
    """Ten ways, twice each."""
    half = len(good) // 2
    ways = {
        "empty": b"",
        "text": b"this is no video\n" * 50,
        "cut_early": good[:200],
        "cut_half": good[:half],
        "no_head": good[half:],
        "zeros": bytes(len(good)),
        "noise": random.Random(0).randbytes(len(good)),
        "blanked": good[:60] + bytes(len(good) - 60),
        "html": b"<html><body>404 not found</body></html>",
    }
    for number in range(2):
        for name, content in ways.items():
            (folder / f"broken_{name}_{number}.mp4").write_bytes(content)
        (folder / f"broken_gone_{number}.mp4").symlink_to(folder / "nowhere.mp4")


def make(folder: Path) -> list[str]:
    for kind, (suffix, codec, pix_fmt, size, count) in enumerate(KINDS):
        pictures = list(film(count + OF_EACH, *size))
        for number in range(OF_EACH):  # each begins a frame later, so that no two are alike
            name = f"kind{kind}_{number:02}.{suffix}"
            encode(folder / name, codec, pix_fmt, pictures[number : number + count])
    broken(folder, (folder / "kind0_00.mp4").read_bytes())
    videos = sorted(str(path) for path in folder.iterdir())
    random.Random(0).shuffle(videos)  # so that all stretches of the run hold all kinds
    return videos


def command(listed: Path, output: Path) -> list[str]:
    program = [sys.executable, "-m", "dover_plugin", "score", "--from", str(listed)]
    return [*program, "-o", str(output), "--device", "cpu"]


def rows(file: Path) -> dict[str, Any]:
    found = [json.loads(line) for line in file.read_bytes().splitlines()]
    assert len({row["path"] for row in found}) == len(found), "nothing twice"
    return {row["path"]: row for row in found}


def until(process: subprocess.Popen[bytes], file: Path, lines: int, how: signal.Signals) -> int:
    """Let it write so many more lines, then send it a signal; how many there are then."""
    before = file.read_bytes().count(b"\n") if file.exists() else 0
    while process.poll() is None:
        if file.exists() and file.read_bytes().count(b"\n") >= before + lines:
            process.send_signal(how)
            break
        time.sleep(0.02)
    process.wait()
    return file.read_bytes().count(b"\n")


def watch(process: subprocess.Popen[bytes], file: Path) -> list[tuple[int, float]]:
    """Rows and GB of all processes, as a run goes on."""
    seen: list[tuple[int, float]] = []
    while process.poll() is None:
        time.sleep(0.5)
        count = file.read_bytes().count(b"\n") if file.exists() else 0
        try:
            family = [psutil.Process(process.pid)]
            family += family[0].children(recursive=True)
            seen.append((count, sum(each.memory_info().rss for each in family) / 1e9))
        except psutil.Error:
            continue
    return seen


def show(videos: list[str], work: Path) -> None:
    listed = work / "list.txt"
    listed.write_text("\n".join(videos))
    whole = work / "whole.jsonl"
    start = time.perf_counter()
    process = subprocess.Popen(command(listed, whole), stdout=subprocess.PIPE)
    memory = watch(process, whole)
    seconds = time.perf_counter() - start
    assert process.stdout
    print(process.stdout.read().decode())
    for low, high in ((20, 60), (60, 120), (120, 200)):
        held = [gb for count, gb in memory if low <= count < high]
        print(f"memory at {low} to {high} videos: {median(held):.2f} GB, {max(held):.2f} at most")
    stopped = work / "stopped.jsonl"
    for lines, how in ((40, signal.SIGINT), (50, signal.SIGKILL), (40, signal.SIGINT)):
        done = until(subprocess.Popen(command(listed, stopped)), stopped, lines, how)
        print(f"{how.name} after {done} rows")
    subprocess.run(command(listed, stopped), stdout=subprocess.DEVNULL, check=False)
    one, other = rows(whole), rows(stopped)
    failed = sum(row["error"] is not None for row in one.values())
    print(f"rows: {len(one)} uninterrupted, {len(other)} stopped; {failed} of them failed")
    print(f"equal: {one == other}; the uninterrupted run took {seconds:.0f} s")


def throughput(videos: list[str], work: Path) -> None:
    scorer = Scorer("dover-open", "cpu")
    scorer.score(videos[-1])
    runs: dict[str, float] = {}

    def timed(name: str, run: Any) -> None:
        start = time.perf_counter()
        run()
        runs[name] = min(runs.get(name, math.inf), time.perf_counter() - start)

    def loop() -> None:
        for video in videos:
            try:
                scorer.score(video)
            except DoverError:
                continue

    def batch(name: str, workers: int, limits: Limits | None) -> None:
        kept = work / f"{name}.jsonl"
        kept.unlink(missing_ok=True)
        with Journal(kept, scorer) as journal:
            score_batch(scorer, videos, journal, workers=workers, limits=limits)

    def reading() -> None:
        how = scorer.read_options
        for video in videos:
            try:
                read(video, how)
            except DoverError:
                continue

    for _ in range(2):  # the better of two: other guests of the host slow down either
        timed("a loop over Scorer.score", loop)
        timed("score_batch, one thread reads", lambda: batch("thread", 1, None))
        timed("score_batch, one process reads", lambda: batch("one", 1, Limits()))
        timed("score_batch, two processes read", lambda: batch("two", 2, Limits()))
        timed("reading alone, in a loop", reading)
    base = runs["a loop over Scorer.score"]
    print("\n| run | videos a second | of the loop |\n|---|---|---|")
    for name, seconds in runs.items():
        print(f"| {name} | {len(videos) / seconds:.2f} | {base / seconds:.2f} |")


def stages(work: Path) -> None:
    """Core seconds of reading ten seconds of video, and of scoring it."""
    print(
        "\n| reading ten seconds of H.264, 30 frames a second | core seconds a video |\n|---|---|"
    )
    how = Scorer("dover-open", "cpu").read_options
    reading = None
    for height, width in ((256, 340), (540, 960), (1080, 1920), (2160, 3840)):
        file = write_clip(work / f"{height}.mp4", 300, (height, width))
        start = time.process_time()
        for _ in range(3):
            reading = read(str(file), how)
        print(f"| {width}x{height} | {(time.process_time() - start) / 3:.2f} |")
    assert reading
    print("\n| scoring, float32 on the CPU | core seconds a video |\n|---|---|")
    for name in ("dover-open", "dover-mobile", "dover"):
        weights = None
        if name != "dover-open":
            weights = work / f"{name}.pth"
            torch.save(seeded_state_dict(CONFIGS[name]), weights)
        scorer = Scorer(name, "cpu", weights=weights)
        scorer.score_views(*reading)
        start = time.process_time()
        for _ in range(3):
            scorer.score_views(*reading)
        print(f"| {name}, {scorer.engine.name} | {(time.process_time() - start) / 3:.2f} |")


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        folder = work / "clips"
        folder.mkdir()
        videos = make(folder)
        print(f"{len(videos)} videos of {len(KINDS)} kinds, {os.cpu_count()} cores")
        show(videos, work)
        throughput(videos, work)
        stages(work)


if __name__ == "__main__":
    main()
