"""Choose an inference engine and load a network into it."""

import ctypes
import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dover_plugin.engines.fork_guard import check_process
from dover_plugin.engines.pool import EnginePool
from dover_plugin.errors import SettingsError
from dover_plugin.preprocessing.sampling_rule import SamplingRule
from dover_plugin.preprocessing.views import Views
from dover_plugin.scores import Maps
from dover_plugin.weights.registry import published

if TYPE_CHECKING:
    from dover_plugin.networks import Dover

ENGINES = ("auto", "torch", "openvino", "onnxruntime")
VARIABLE = "DOVER_ENGINE"  # environment variable that sets the engine for "auto"
NEEDS = {
    "torch": ("torch",),
    "openvino": ("openvino", "onnx", "onnxscript"),
    "onnxruntime": ("onnxruntime", "onnx", "onnxscript"),
}
PRECISIONS = {
    "torch": ("float32", "float16", "bfloat16"),
    "openvino": ("float32", "bfloat16"),
    "onnxruntime": ("float32",),
}
EXTRAS = {"openvino": "openvino", "onnxruntime": "onnx"}


class Engine(Protocol):
    """A network ready to run; several threads may call it.

    Attributes:
        name: "torch", "openvino" or "onnxruntime".
        device: the device, or several joined by commas.
        precision: numeric precision.
        parallel: number of threads that keep it busy, each with one video.
    """

    name: str
    device: str
    precision: str
    parallel: int

    def run(self, views: Views) -> Maps:
        """Compute the quality maps of one video's views.

        Raises:
            EngineError: the network cannot run, or the process was forked after it made an engine.
        """
        ...


def make_engine(
    name: str,
    load: "Callable[[], Dover]",
    model: str,
    device: str,
    precision: str,
    weights_sha256: str,
    rule: SamplingRule | None = None,
) -> Engine:
    """Load a network into an engine on a device, or into one engine per device.

    Args:
        name: one of ENGINES; see choose.
        load: makes the network in evaluation mode, float32, on the CPU. It is not called if an
            engine other than torch has compiled this network before.
        model: name of the model.
        device: "auto", a torch device, several joined by commas, or "all"; see find_devices.
        precision: "float32"; "float16" or "bfloat16" with torch on CUDA; "bfloat16" with OpenVINO.
        weights_sha256: hash of the network's weights; it is a part of the cache key.
        rule: what the network sees; None is the rule of the model.

    Raises:
        SettingsError: the engine, device or precision is not available.
        EngineError: the process was forked after it made an engine.
    """
    check_process()
    chosen, devices = _resolve(name, device, precision)
    rule = rule or published(model).sampling
    made = [_make(chosen, load, model, rule, each, precision, weights_sha256) for each in devices]
    return made[0] if len(made) == 1 else EnginePool(made)


def check_engine(name: str, device: str, precision: str) -> None:
    """Raise SettingsError as make_engine would, without loading a library for "auto" and "cpu".

    Where "auto" may find a CUDA device, precision is checked by make_engine alone.
    """
    if device == "auto" and _may_have_cuda():
        choose(name, "cuda")
    else:
        _resolve(name, device, precision)


def _resolve(name: str, device: str, precision: str) -> tuple[str, list[str]]:
    """The engine that runs, and the names of its devices."""
    if device == "cpu" or (device == "auto" and not _may_have_cuda()):
        devices, kind = ["cpu"], "cpu"
    else:
        from dover_plugin.engines.torch_engine import find_devices

        found = find_devices(device)
        devices, kind = [str(each) for each in found], found[0].type
    chosen = choose(name, kind)
    if chosen == "torch":
        check_torch_precision(kind, precision)
    else:
        _check(name, chosen, precision)
    return chosen, devices


def check_torch_precision(kind: str, precision: str) -> None:
    """Raise SettingsError for a precision that torch does not have on a type of device."""
    if precision not in PRECISIONS["torch"]:
        raise SettingsError(
            f"No precision is named {precision!r}. Choose from {', '.join(PRECISIONS['torch'])}."
        )
    if kind == "cpu" and precision != "float32":
        raise SettingsError(f"Precision {precision} needs a CUDA device; on the CPU use float32.")


def _make(
    name: str,
    load: "Callable[[], Dover]",
    model: str,
    rule: SamplingRule,
    device: str,
    precision: str,
    weights_sha256: str,
) -> Engine:
    """One engine on one device."""
    if name == "openvino":
        from dover_plugin.engines.openvino_engine import OpenVinoEngine

        return OpenVinoEngine(load, model, device, precision, weights_sha256, rule)
    from dover_plugin.engines.torch_engine import TorchEngine, find_device

    if name == "torch":
        return TorchEngine(load(), find_device(device), precision)
    from dover_plugin.engines.onnxruntime_engine import OnnxRuntimeEngine

    return OnnxRuntimeEngine(load, model, find_device(device), weights_sha256, rule)


def _check(name: str, chosen: str, precision: str) -> None:
    """Raise SettingsError unless an engine other than torch is installed and has the precision."""
    if precision not in PRECISIONS[chosen]:
        by_auto = " (selected by 'auto')" if name == "auto" else ""
        raise SettingsError(
            f"The engine {chosen!r}{by_auto} computes in {' or '.join(PRECISIONS[chosen])}, got "
            f"precision {precision!r}. Choose one of these, or use the engine 'torch' on CUDA."
        )
    missing = [package for package in NEEDS[chosen] if not find_spec(package)]
    if missing:
        raise SettingsError(
            f"The engine {chosen!r} needs {' and '.join(missing)}. "
            f"Run pip install 'dover-plugin[{EXTRAS[chosen]}]', or use the engine 'torch'."
        )


def choose(name: str, device: str) -> str:
    """The engine that ``name`` selects on a device type such as "cpu".

    "auto" is $DOVER_ENGINE if that is set, else OpenVINO on a CPU if it is installed, else torch.

    Raises:
        SettingsError: the engine does not exist.
    """
    chosen = (os.environ.get(VARIABLE) or name) if name == "auto" else name
    if chosen not in ENGINES:
        source = f" (from ${VARIABLE})" if name == "auto" else ""
        raise SettingsError(
            f"No engine is named {chosen!r}{source}. Choose from {', '.join(ENGINES)}."
        )
    if chosen != "auto":
        return chosen
    usable = device == "cpu" and all(find_spec(package) for package in NEEDS["openvino"])
    return "openvino" if usable else "torch"


def _may_have_cuda() -> bool:
    """False where torch.cuda certainly finds no device: a machine without a GPU driver."""
    if sys.platform == "darwin":
        return False
    if Path("/dev/kfd").exists():  # AMD, which torch also calls cuda
        return True
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True
