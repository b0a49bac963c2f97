"""Where the time of a network goes: ``python benchmarks/profile_network.py --model dover``.

Prints a table of the kinds of operations of one video, with PyTorch on a CPU or on CUDA, and writes
it to build/bench/profile-MODEL-DEVICE-PRECISION.json. On CUDA it also prints copies between host
and device, the number of kernels, and the time for which the device waits for the host. Weights are
seeded: values do not matter for time.
"""

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from network_input import random_views, run_videos
from torch.autograd import DeviceType  # type: ignore[attr-defined]
from torch.profiler import ProfilerActivity, profile

from dover_plugin import Scorer
from dover_plugin.networks import CONFIGS
from dover_plugin.networks.seeded import seeded_state_dict

ROOT = Path(__file__).parents[1]
# Kind of operation -> parts of the names of operators and CUDA kernels. The first match counts.
KINDS = {
    "copies between host and device": ("memcpy", "memset"),
    "attention": ("attention", "fmha", "flash"),
    "convolutions": ("conv", "implicit_gemm", "cudnn", "nchw", "nhwc"),
    "linear layers": ("linear", "addmm", "bmm", "aten::mm", "gemm", "cutlass", "cublas"),
    "normalisation": ("norm",),
    "activations": ("gelu", "relu", "silu", "sigmoid", "softmax", "clamp"),
    "rearranging": ("copy", "clone", "cat", "roll", "stack", "index", "gather", "pad", "fill"),
    "arithmetic": ("add", "mul", "sub", "div", "pow", "mean", "sum", "elementwise", "reduce"),
}
RUNS = 3  # of as many videos as the engine takes at once


def main() -> None:
    """Profile one model and print where its time goes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="dover")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="float32")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "seeded.pth"
        torch.save(seeded_state_dict(CONFIGS[options.model]), weights)
        scorer = Scorer(
            options.model,
            options.device,
            weights=weights,
            engine="torch",
            precision=options.precision,
        )
        report = measure(scorer)
    device = scorer.settings.device.replace(":", "")
    show(report)
    target = ROOT / f"build/bench/profile-{options.model}-{device}-{options.precision}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(report, indent=1))
    print(f"written to {target.relative_to(ROOT)}")


def measure(scorer: Scorer) -> dict[str, Any]:
    """Milliseconds per video, in total and by kind of operation."""
    views = random_views(scorer.read_options.rule)
    on_cuda = scorer.settings.device.startswith("cuda")
    for _ in range(2):
        run_videos(scorer.engine, views)
    start = time.perf_counter()
    videos = sum(run_videos(scorer.engine, views) for _ in range(RUNS))
    wall = (time.perf_counter() - start) / videos  # maps are on the host: the device has finished
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_cuda else [])]
    with profile(activities=activities) as recorded:
        for _ in range(RUNS):
            run_videos(scorer.engine, views)
    kinds: dict[str, float] = defaultdict(float)
    for event in recorded.key_averages():
        is_kernel = event.device_type == DeviceType.CUDA
        taken = event.self_device_time_total if is_kernel else event.self_cpu_time_total
        if is_kernel == on_cuda:
            kinds[kind_of(event.key)] += taken / videos / 1000
    report: dict[str, Any] = {
        "model": scorer.settings.model,
        "device": scorer.settings.device,
        "precision": scorer.settings.precision,
        "milliseconds": 1000 * wall,
        "kinds": dict(sorted(kinds.items(), key=lambda item: -item[1])),
    }
    if on_cuda:
        report |= device_use(recorded.events() or (), 1000 * wall, videos)
    return report


def kind_of(name: str) -> str:
    """The kind of an operator or kernel."""
    for kind, parts in KINDS.items():
        if any(part in name.lower() for part in parts):
            return kind
    return "other"


def device_use(events: Iterable[Any], wall: float, videos: int) -> dict[str, float]:
    """How much of a video's time the device works, and how many kernels it runs."""
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in events
        if event.device_type == DeviceType.CUDA
    )
    busy, until = 0.0, 0.0
    for start, end in spans:
        busy += max(0.0, end - max(start, until))
        until = max(until, end)
    working = busy / videos / 1000
    return {
        "kernels per video": len(spans) / videos,
        "device working (ms)": working,
        "device waiting for the host (ms)": max(0.0, wall - working),
    }


def show(report: dict[str, Any]) -> None:
    """Print the report as a Markdown table."""
    total = sum(report["kinds"].values())
    print(
        f"{report['model']}, {report['device']}, {report['precision']}: "
        f"{report['milliseconds']:.1f} ms per video\n"
    )
    print("| operations | milliseconds | share |\n|---|---|---|")
    for kind, taken in report["kinds"].items():
        print(f"| {kind} | {taken:.1f} | {taken / total:.0%} |")
    for name, value in report.items():
        if name.startswith(("kernels", "device ")):
            print(f"| {name} | {value:.1f} | |")


if __name__ == "__main__":
    main()
