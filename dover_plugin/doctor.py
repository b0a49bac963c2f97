"""Check the installation, and suggest a remedy for every problem."""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from dover_plugin import __version__
from dover_plugin.errors import DoverError
from dover_plugin.weights import store
from dover_plugin.weights.registry import Published, registry

OPTIONAL = {  # distribution -> its purpose, extra that installs it
    "fiftyone": ("FiftyOne plugin", "fiftyone"),
    "vapoursynth": ("VapourSynth filter", "vapoursynth"),
}


@dataclass(frozen=True)
class Check:
    """Result of one check.

    Attributes:
        name: component that was checked.
        state: "ok"; "off" if an optional component is missing; "broken" if scoring cannot work.
        detail: version, path or error.
        remedy: suggested action; empty if none is needed.
    """

    name: str
    state: Literal["ok", "off", "broken"]
    detail: str
    remedy: str = ""


def run_checks() -> Iterator[Check]:
    """Run all checks, the fastest first."""
    yield Check("dover-plugin", "ok", __version__)
    yield Check("Python", "ok", f"{platform.python_version()} ({sys.executable})")
    yield from _torch()
    yield from _engines()
    yield from _decoders()
    yield _cache()
    yield from _compiled()
    for row in registry():
        yield _weights(row)
    for name, (purpose, extra) in OPTIONAL.items():
        try:
            yield Check(name, "ok", f"{version(name)} ({purpose})")
        except PackageNotFoundError:
            remedy = f"pip install 'dover-plugin[{extra}]'"
            yield Check(name, "off", f"not installed ({purpose})", remedy)


def _torch() -> Iterator[Check]:
    try:
        import torch
    except Exception as error:  # a broken installation raises many types of error
        yield Check("torch", "broken", f"{error}", "pip install --force-reinstall torch")
        return
    yield Check("torch", "ok", f"{torch.__version__}, {torch.get_num_threads()} threads")
    if not torch.cuda.is_available():
        yield Check("CUDA", "off", "no device", "the CPU is used")
    for i in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(i)
        memory = device.total_memory / 2**30
        yield Check(f"cuda:{i}", "ok", f"{device.name}, {memory:.0f} GiB")


def _engines() -> Iterator[Check]:
    from dover_plugin.engines import factory

    for engine, packages in factory.NEEDS.items():
        if engine == "torch":
            continue
        missing = [package for package in packages if not find_spec(package)]
        remedy = f"pip install 'dover-plugin[{factory.EXTRAS[engine]}]'" if missing else ""
        detail = f"{' and '.join(missing)} not installed" if missing else _version(packages[0])
        yield Check(f"engine {engine}", "off" if missing else "ok", detail, remedy)
    try:
        from dover_plugin.engines.torch_engine import find_device

        device = find_device("auto").type
        chosen = factory.choose("auto", device)
        missing = [package for package in factory.NEEDS[chosen] if not find_spec(package)]
        source = f" (${factory.VARIABLE})" if os.environ.get(factory.VARIABLE) else ""
        detail = f"{chosen} on {device}{source}"
        if missing:
            remedy = f"unset {factory.VARIABLE}, or install {' and '.join(missing)}"
            yield Check("engine auto", "broken", detail, remedy)
        else:
            yield Check("engine auto", "ok", detail)
    except (DoverError, ImportError) as error:
        yield Check("engine auto", "broken", str(error))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # another distribution provides it, such as onnxruntime-gpu
        return "installed"


def _decoders() -> Iterator[Check]:
    """Encode a tiny clip and read it with each decoder."""
    import av
    import numpy as np

    from dover_plugin.io.open import open_source

    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        with av.open(str(clip), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width = stream.height = 64
            stream.pix_fmt = "yuv420p"
            for _ in range(3):
                picture = np.full((64, 64, 3), 128, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
            container.mux(stream.encode(None))
        for name, module in (("pyav", "av"), ("decord", "decord"), ("torchcodec", "torchcodec")):
            try:
                frames = sum(1 for _ in open_source(clip, name).frames(range(3)))
                found = import_module(module).__version__
                yield Check(name, "ok", f"{found}, read {frames} frames")
            except DoverError as error:
                state: Literal["off", "broken"] = "broken" if name == "pyav" else "off"
                yield Check(name, state, str(error), "PyAV is used" if state == "off" else "")


def _cache() -> Check:
    folder = store.cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        remedy = "make it writable, or set DOVER_HOME to a folder that is"
        return Check("cache", "broken", f"{folder}: {error.strerror}", remedy)
    free = shutil.disk_usage(folder).free / 2**30
    source = "DOVER_HOME" if os.environ.get("DOVER_HOME") else "default"
    return Check("cache", "ok", f"{folder} ({source}), {free:.0f} GiB free")


def _compiled() -> Iterator[Check]:
    """Verify the compiled graphs in the cache, if there are any."""
    try:
        from dover_plugin.engines import compiled

        folders = len(list(compiled.cache_folder().glob("*/")))
        damaged = compiled.damaged_files()
    except (ImportError, OSError) as error:
        yield Check("compiled networks", "off", str(error), "check the cache folder")
        return
    if damaged:
        detail = f"{len(damaged)} files do not match their SHA-256, such as {damaged[0]}"
        remedy = "the next start compiles them again"
        yield Check("compiled networks", "off", detail, remedy)
    elif folders:
        yield Check("compiled networks", "ok", f"{folders} in the cache, verified")


def _weights(row: Published) -> Check:
    name = f"weights of {row.model}"
    if not store.cached(row.model).exists():
        return Check(name, "off", "not downloaded", f"dover weights download {row.model}")
    try:
        digest = store.verify(row.model)
        return Check(name, "ok", f"{digest[:8]}, verified against the {row.verified_against}")
    except DoverError as error:
        return Check(name, "broken", str(error), f"dover weights download {row.model}")
