"""Measure this machine: ``make bench``, or ``python benchmarks/performance.py``.

Prints tables, writes them to build/bench/performance.json, and updates the tables between the
markers of docs/performance.md. Ratios within one run and shares of the measured peak carry over to
other machines; seconds do not. Needs ffmpeg.
"""

import json
import math
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "examples"), str(Path(__file__).parent)]

from performance_page import PAGE, update_page

TARGET = ROOT / "build/bench/performance.json"
MODELS = ("dover-open", "dover-mobile", "dover")
ENGINES = ("torch", "openvino", "onnxruntime")
SIZES = {"540p": (540, 960), "1080p": (1080, 1920), "2160p": (2160, 3840)}
LENGTHS_S = {"10 s": 10, "1 min": 60, "10 min": 600, "1 h": 3600}
FPS, CLIP_S = 24, 10
Row = dict[str, Any]


def seconds(call: Callable[[], Any], times: int = 5) -> float:
    """The median after one call that warms up."""
    call()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return median(taken)


def memory_gb() -> float:
    """The most that this process held, pages of mapped files included."""
    status = Path("/proc/self/status")
    if status.exists():  # elsewhere a process inherits its parent's record
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 2**20
    unit = 2**30 if sys.platform == "darwin" else 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def apart(task: str, *arguments: object) -> Row:
    """Run a task of this file in a process of its own, whose memory and start are its own."""
    done = subprocess.run(
        [sys.executable, __file__, task, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        return {"error": f"exit {done.returncode}"}
    row: Row = json.loads(done.stdout.splitlines()[-1])
    return row


# ---- tasks, each in its own process ----


def machine() -> Row:
    import torch

    size = 4096
    a, b = torch.randn(size, size), torch.randn(size, size)
    product = 2 * size**3 / 1e9
    big = torch.zeros(2**27)  # 512 MB
    row: Row = {
        "threads": torch.get_num_threads(),
        "torch GFLOP/s": product / seconds(lambda: torch.mm(a, b)),
        "copy GB/s": 2 * big.nbytes / 1e9 / seconds(big.clone),
    }
    try:
        import openvino as ov
    except ImportError:
        return row
    x = ov.opset13.parameter([size, size], ov.Type.f32)
    model = ov.Model([ov.opset13.matmul(x, b.numpy(), False, False)], [x])
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()
    row["OpenVINO GFLOP/s"] = product / seconds(lambda: request.infer({0: a.numpy()}))
    return row


def operations(model: str) -> Row:
    """Floating-point operations of one video: three technical clips and one aesthetic clip."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from dover_plugin.networks import CONFIGS, Dover

    network = Dover(CONFIGS[model]).eval()
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(3, 3, 32, 224, 224), torch.zeros(1, 3, 32, 224, 224))
    return {"GFLOP": counter.get_total_flops() / 1e9}


def card(precision: str) -> Row:
    """The peak of the CUDA device: a product of two matrices, as the networks run (no TF32)."""
    import torch

    size = 8192
    a, b = torch.randn(2, size, size, device="cuda", dtype=getattr(torch, precision))

    def product() -> None:
        torch.mm(a, b)
        torch.cuda.synchronize()

    return {"GFLOP/s": 2 * size**3 / 1e9 / seconds(product)}


def engine(
    model: str, name: str, weights: str, device: str = "cpu", precision: str = "float32"
) -> Row:
    from network_input import random_views, run_videos

    from dover_plugin import Scorer

    start = time.perf_counter()
    scorer = Scorer(model, device, weights=weights, engine=name, precision=precision)
    ready = time.perf_counter() - start
    views = random_views(scorer.read_options.rule)
    video = seconds(lambda: run_videos(scorer.engine, views)) / run_videos(scorer.engine, views)
    return {"ready s": ready, "s per video": video, "peak GB": memory_gb()}


def reading(path: str, decoder: str) -> Row:
    from dover_plugin.io.open import open_source
    from dover_plugin.io.scan import scan_file
    from dover_plugin.preprocessing.sampling import draws
    from dover_plugin.preprocessing.streaming import build_views

    def views() -> None:
        source = open_source(path, decoder)
        info = source.info
        build_views(source, draws(info.num_frames, info.height, info.width, seed=None, repeats=1))

    return {
        "scan s": seconds(lambda: scan_file(path), 3),
        "views s": seconds(views, 3),
        "peak GB": memory_gb(),
    }


def pipeline(model: str, weights: str, path: str, workers: str) -> Row:
    """Videos a second: reading alone, the network alone, both; and with a device that sleeps."""
    from dover_plugin import Scorer

    scorer = Scorer(model, "cpu", weights=weights)
    info, views = scorer.read(path)
    read = seconds(lambda: scorer.read(path), 3)
    network = seconds(lambda: scorer.score_views(info, views), 3)
    number = 16
    start = time.perf_counter()
    for result in scorer.score_many([path] * number, workers=int(workers)):
        assert not result.error
    both = (time.perf_counter() - start) / number

    maps = scorer.engine.run(views[0])

    class Sleeper:
        name, device, precision, parallel = "sleeper", "none", "none", 1

        def run(self, _: object) -> object:
            time.sleep(read)
            return maps

    Scorer.engine = Sleeper()  # type: ignore[assignment]
    start = time.perf_counter()
    for _ in scorer.score_many([path] * number, workers=int(workers)):
        pass
    beside = (time.perf_counter() - start) / number
    return {
        "engine": scorer.settings.engine,
        "read s": read,
        "network s": network,
        "score_many s": both,
        "of read + network": both / (read + network),
        "beside a device of the same time s": beside,
        "of the slower": beside / read,
        "peak GB": memory_gb(),
    }


TASKS: dict[str, Callable[..., Row]] = {
    f.__name__: f for f in (machine, operations, card, engine, reading, pipeline)
}


# ---- the report ----


def tables(folder: Path) -> Iterator[tuple[str, list[Row]]]:
    import torch
    from clips import write_clip

    from dover_plugin.networks import CONFIGS
    from dover_plugin.networks.seeded import seeded_state_dict

    facts = apart("machine")
    peak = max((v for name, v in facts.items() if name.endswith("GFLOP/s")), default=math.nan)
    facts |= {"cores": os.cpu_count(), "processor": _processor(), "torch": torch.__version__}
    yield "Machine", [{"what": name, "value": value} for name, value in facts.items()]

    weights = {}
    rows: list[Row] = []
    gflop = {model: apart("operations", model)["GFLOP"] for model in MODELS}
    for model in MODELS:
        weights[model] = folder / f"{model}.pth"
        torch.save(seeded_state_dict(CONFIGS[model]), weights[model])
        for name in ENGINES:
            os.environ["DOVER_HOME"] = str(folder / name)
            first = apart("engine", model, name, weights[model])
            row = apart("engine", model, name, weights[model])
            share = gflop[model] / row["s per video"] / peak if "error" not in row else None
            rows.append(
                {"model": model, "engine": name, "first start s": first.get("ready s")}
                | row
                | {"share of peak": share}
            )
    yield "Networks", rows

    if torch.cuda.is_available():
        rows = []
        for precision in ("float32", "bfloat16", "float16"):
            peak = apart("card", precision).get("GFLOP/s", math.nan)
            for model in MODELS:
                row = apart("engine", model, "torch", weights[model], "cuda", precision)
                share = gflop[model] / row["s per video"] / peak if "error" not in row else None
                rows.append({"model": model, "precision": precision} | row | {"share": share})
        yield f"Networks on {torch.cuda.get_device_name()}", rows

    clips = {}
    rows = []
    for name, size in SIZES.items():
        clips[name] = write_clip(folder / f"{name}.mp4", FPS, size, loop=CLIP_S)
        for decoder in ("pyav", "decord"):
            rows.append(
                {"video": name, "decoder": decoder} | apart("reading", clips[name], decoder)
            )
    yield f"Reading {CLIP_S} s of H.264", rows

    rows = []
    for name, length in LENGTHS_S.items():
        path = _repeat(clips["540p"], folder / "long.mp4", length // CLIP_S)
        for decoder in ("pyav", "decord"):
            rows.append({"540p of": name, "decoder": decoder} | apart("reading", path, decoder))
        path.unlink()
    yield "Reading against length", rows

    rows = [
        {"video": name, "model": model, "workers": workers}
        | apart("pipeline", model, weights[model], clips[name], workers)
        for name, model in (("540p", "dover-open"), ("1080p", "dover-open"), ("540p", "dover"))
        for workers in (1, 2)
    ]
    yield "End to end", rows

    program = "import dover_plugin.cli, sys; sys.argv[1:] = ['--help']; dover_plugin.cli.main()"
    starts = {
        "dover --help": [sys.executable, "-c", program],
        "import dover_plugin.Scorer": [sys.executable, "-c", "from dover_plugin import Scorer"],
    }
    yield (
        "Start",
        [
            {
                "what": name,
                "s": seconds(
                    partial(subprocess.run, command, stdout=subprocess.DEVNULL, check=True)
                ),
            }
            for name, command in starts.items()
        ],
    )


def _repeat(clip: Path, path: Path, times: int) -> Path:
    command = ["ffmpeg", "-loglevel", "error", "-stream_loop", str(times - 1), "-i", str(clip)]
    subprocess.run([*command, "-c", "copy", "-y", str(path)], check=True)
    return path


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if value < 100 else f"{value:.0f}"
    return "" if value is None else str(value)


def main() -> None:
    if sys.argv[1:]:
        task, *arguments = sys.argv[1:]
        print(json.dumps(TASKS[task](*arguments)))
        return
    if not shutil.which("ffmpeg"):
        sys.exit("This benchmark needs ffmpeg, which makes its long videos.")
    from rich.console import Console
    from rich.table import Table

    TARGET.parent.mkdir(parents=True, exist_ok=True)
    measured: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for title, rows in tables(Path(folder)):
            names = list(dict.fromkeys(name for row in rows for name in row))
            table = Table(*names, title=title, title_justify="left", box=None, pad_edge=False)
            for row in rows:
                table.add_row(*(_cell(row.get(name)) for name in names))
            Console(width=160).print(table, "")
            measured[title] = rows
            TARGET.write_text(json.dumps(measured, indent=1))
    update_page(measured)
    print(f"Written to {TARGET.relative_to(ROOT)}; {PAGE.relative_to(ROOT)} is updated")


if __name__ == "__main__":
    main()
