"""What the VapourSynth filter costs beside decoding: ``python benchmarks/vs_filter_cost.py``.

Prints a table. Times are of this machine; what carries over are the ratios.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import vapoursynth as vs

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

from clips import write_clip

from dover_plugin import Scorer
from dover_plugin.preprocessing.views import Views
from vs_filter import collect, dover, dover_segments

FRAMES = 240
ENCODER_FPS = 50
LONG_WAIT = 0.2  # seconds


def read(clip: vs.VideoNode) -> float:
    """Seconds to read every frame."""
    start = time.perf_counter()
    for _ in clip.frames(close=True):
        pass
    return time.perf_counter() - start


def peak_mb() -> float:
    """The most memory that this process held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def measure(path: str) -> None:
    """One row, in a process of its own so that its peak memory is its own."""
    core = vs.core

    def source() -> vs.VideoNode:
        core.clear_cache()
        return core.bs.VideoSource(path, cachemode=0)

    clip = source()
    decode = read(source())
    before = peak_mb()
    scorer = Scorer(device="cpu")
    scorer.engine.run(Views.blank())
    start = time.perf_counter()
    scorer.engine.run(Views.blank())
    network = time.perf_counter() - start
    props = read(dover(source(), scorer=scorer, segment=FRAMES))
    scored = dover_segments(source(), scorer=scorer, segment=FRAMES)
    start = time.perf_counter()
    collect(scored)
    segments = time.perf_counter() - start
    more = peak_mb() - before
    print(
        f"{clip.width:>5}x{clip.height:<5}{network:9.2f}{decode:9.2f}{props:9.2f}{segments:11.2f}"
        f"{(props - network) / decode:21.2f}{before:13.0f}{more:10.0f}"
    )


def stalls(path: str) -> None:
    """How long an encoder of ENCODER_FPS waits for frames, with and without prefetch."""
    for prefetch in (False, True):
        clip = dover(vs.core.bs.VideoSource(path, cachemode=0), segment=FRAMES, prefetch=prefetch)
        gaps: list[float] = []
        previous = None
        for frame in clip.frames(prefetch=2, close=True):
            del frame
            now = time.perf_counter()
            if previous is not None:  # the first frame waits for its whole segment
                gaps.append(now - previous)
            time.sleep(1 / ENCODER_FPS)
            previous = time.perf_counter()
        waits = sum(gap for gap in gaps if gap > LONG_WAIT)
        share = waits / (sum(gaps) + len(gaps) / ENCODER_FPS)
        print(
            f"prefetch={prefetch}: waits of more than {LONG_WAIT} s take {share:.0%} of the run, "
            f"the longest {max(gaps):.2f} s"
        )


def graph() -> None:
    """What building the graph and carrying properties cost."""
    core = vs.core
    scorer = Scorer(device="cpu")
    long = core.std.BlankClip(width=64, height=64, format=vs.GRAY8, length=216_000, keep=True)
    start = time.process_time()
    dover(long, scorer=scorer)
    print(f"graph of 216,000 frames: {time.process_time() - start:.2f} CPU s")
    few = long[: 100 * FRAMES]
    scored = dover(few, scorer=scorer, segment=len(few))
    scored.get_frame(0)
    bare, broadcast = (min(read(clip) for _ in range(3)) for clip in (few, scored))
    print(f"broadcast: {(broadcast - bare) / len(few) * 1e6:.1f} us a frame")


def main() -> None:
    if sys.argv[1:]:
        measure(*sys.argv[1:])
        return
    print(
        "       size  network   decode    props   segments  (props-network)/decode  MB decoding  "
        "MB more"
    )
    with tempfile.TemporaryDirectory() as folder:
        for size in ((360, 640), (720, 1280), (1080, 1920), (2160, 3840)):
            path = write_clip(Path(folder) / f"{size[0]}.mp4", FRAMES // 10, size, loop=10)
            subprocess.run([sys.executable, __file__, str(path)], check=True)
        graph()
        stalls(str(write_clip(Path(folder) / "long.mp4", FRAMES // 2, (720, 1280), loop=8)))


if __name__ == "__main__":
    main()
