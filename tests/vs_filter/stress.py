"""Run by test_robustness.py in a process of its own: python stress.py WEIGHTS."""

import faulthandler
import json
import random
import sys
import threading
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS.parent), str(TESTS / "vs_filter"), str(TESTS)]

import vapoursynth as vs
from vs_helpers import Counting, moving

from vs_filter import collect, dover, dover_compare, dover_segments

core = vs.core
SEGMENT, FRAMES = 40, 80
LONG = 72  # frames of a segment whose successor is read ahead in batches; see graph.SLOTS
DEADLINE_S = 240


def request_all(clip: vs.VideoNode, order: list[int]) -> dict[int, float]:
    """Ask for every frame at once, as a server of many clients would."""
    found: dict[int, float] = {}
    errors: list[Exception] = []
    left = threading.Semaphore(0)

    def done(frame: vs.VideoFrame | None, error: Exception | None, n: int) -> None:
        if frame is None:
            errors.append(error or RuntimeError("no frame"))
        else:
            found[n] = frame.props["DoverOverall"]
            frame.close()
        left.release()

    for n in order:
        clip.get_frame_async(n, lambda f, e, n=n: done(f, e, n))
    for _ in order:
        left.acquire()
    if errors:
        raise errors[0]
    return found


def sequential(clip: vs.VideoNode, scorer: Counting) -> vs.VideoNode:
    scored = dover(clip, scorer=scorer, segment=SEGMENT)
    for frame in scored.frames(close=True):
        assert "DoverOverall" in frame.props
    return scored


def shuffled(clip: vs.VideoNode, scorer: Counting) -> vs.VideoNode:
    scored = dover(clip, scorer=scorer, segment=SEGMENT)
    order = list(range(FRAMES))
    random.Random(1).shuffle(order)
    for n in order:
        scored.get_frame(n).close()
    return scored


def backward(clip: vs.VideoNode, scorer: Counting) -> vs.VideoNode:
    scored = dover(clip, scorer=scorer, segment=SEGMENT)
    for n in reversed(range(FRAMES)):
        scored.get_frame(n).close()
    return scored


def unprefetched(clip: vs.VideoNode, scorer: Counting) -> vs.VideoNode:
    scored = dover(clip, scorer=scorer, segment=SEGMENT, prefetch=False)
    request_all(scored, random.Random(3).sample(range(FRAMES), FRAMES))
    return scored


def gradual(clip: vs.VideoNode, scorer: Counting) -> vs.VideoNode:
    """A source with several decoders, such as BestSource, is read ahead in batches."""
    long = (clip * 3)[: 3 * LONG].std.SetFrameProps(RepeatField=0)
    alone = collect(dover_segments(long, scorer=scorer, segment=LONG))["DoverOverall"].tolist()
    ordered = list(range(3 * LONG))
    for order in (ordered, ordered[::-1], random.Random(4).sample(ordered, len(ordered))):
        scorer.seen = []
        found = request_all(dover(long, scorer=scorer, segment=LONG), order)
        assert [found[n] for n in ordered] == [alone[n // LONG] for n in ordered]
        assert len(scorer.seen) == 3
    scorer.seen = []
    for frame in dover(long, scorer=scorer, segment=LONG).frames(close=True):
        assert frame.props["DoverOverall"] in alone
    assert len(scorer.seen) == 3
    scorer.seen = []
    return sequential(clip, scorer)


def overlapping(clip: vs.VideoNode, scorer: Counting) -> vs.VideoNode:
    scored = dover(clip, scorer=scorer, segment=SEGMENT, overlap=SEGMENT // 2)
    request_all(scored, list(range(FRAMES)))
    scorer.seen[:] = [s for s in scorer.seen if s[0].path != "frames 20 to 59"]
    return scored


def concurrent(clip: vs.VideoNode, scorer: Counting) -> vs.VideoNode:
    scored = dover(clip, scorer=scorer, segment=SEGMENT)
    order = [n % FRAMES for n in range(700)]
    random.Random(2).shuffle(order)
    request_all(scored, order)
    return scored


def cleared(clip: vs.VideoNode, scorer: Counting) -> vs.VideoNode:
    scored = dover(clip, scorer=scorer, segment=SEGMENT)
    for n in range(0, FRAMES, 5):
        scored.get_frame(n).close()
        core.clear_cache()
    return scored


def starved(clip: vs.VideoNode, scorer: Counting) -> vs.VideoNode:
    core.max_cache_size = 8
    return concurrent(clip, scorer)


def abandoned(clip: vs.VideoNode, scorer: Counting) -> vs.VideoNode:
    scored = dover(clip, scorer=scorer, segment=SEGMENT)
    frames = scored.frames(close=True)
    next(frames)
    frames.close()
    return scored


def two(clip: vs.VideoNode, scorer: Counting) -> vs.VideoNode:
    first = dover(clip, scorer=scorer, segment=SEGMENT)
    second = dover(clip.std.FlipVertical(), scorer=scorer, segment=SEGMENT)
    request_all(core.std.StackVertical([first, second]), list(range(FRAMES)))
    request_all(second, list(range(FRAMES)))
    scorer.seen[:] = scorer.seen[::2]  # two clips were scored
    return first


def chained(clip: vs.VideoNode, scorer: Counting) -> vs.VideoNode:
    inner = dover(clip, scorer=scorer, segment=20, props=["DoverTechnical"])
    outer = dover(inner, scorer=scorer, segment=SEGMENT)
    request_all(outer, list(range(FRAMES)))
    scorer.seen[:] = [s for s in scorer.seen if s[0].num_frames == SEGMENT]
    return outer


def compared(clip: vs.VideoNode, scorer: Counting) -> vs.VideoNode:
    both = dover_compare(clip, clip.std.FlipVertical(), scorer=scorer, segment=SEGMENT)
    request_all(both, list(range(FRAMES)))
    assert "DoverOverallDifference" in both.get_frame(0).props
    scorer.seen[:] = scorer.seen[::2]
    return dover(clip, scorer=scorer, segment=SEGMENT, props=["DoverOverall"])


def main() -> None:
    scorer = Counting("dover-open", "cpu", weights=sys.argv[1])
    clip = moving(FRAMES, 120, 160).resize.Bicubic(format=vs.YUV420P8, matrix_s="709")
    alone = collect(dover_segments(clip, scorer=scorer, segment=SEGMENT))["DoverOverall"].tolist()
    cache = core.max_cache_size
    for scenario in SCENARIOS:
        faulthandler.dump_traceback_later(DEADLINE_S, exit=True)  # says where every thread stands
        for threads in (1, 8):
            core.num_threads = threads
            core.max_cache_size = cache
            scorer.seen = []
            scored = scenario(clip, scorer)
            result = {
                "scenario": scenario.__name__,
                "threads": threads,
                "scored": len(scorer.seen),
                "overall": [scored.get_frame(n).props["DoverOverall"] for n in (0, FRAMES - 1)],
                "alone": alone,
            }
            print(json.dumps(result), flush=True)


SCENARIOS = (
    sequential,
    shuffled,
    backward,
    unprefetched,
    gradual,
    overlapping,
    concurrent,
    cleared,
    starved,
    abandoned,
    two,
    chained,
    compared,
)

if __name__ == "__main__":
    main()
