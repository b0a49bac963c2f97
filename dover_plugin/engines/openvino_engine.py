"""OpenVINO on the CPU."""

import os
import sys
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from dover_plugin.engines.branches import run_branches
from dover_plugin.engines.compiled import graphs, unloadable
from dover_plugin.engines.fork_guard import check_process
from dover_plugin.errors import EngineError, SettingsError
from dover_plugin.preprocessing.normalise import MEAN, STD
from dover_plugin.preprocessing.pictures import Picture
from dover_plugin.preprocessing.sampling_rule import DOVER, Branch, SamplingRule
from dover_plugin.preprocessing.views import Views
from dover_plugin.scores import Maps

# If this package can be imported, OpenVINO forks a process that reports usage over the network.
_modules = cast("dict[str, object]", sys.modules)
_modules.setdefault("openvino_telemetry", None)

import openvino  # noqa: E402
from openvino.preprocess import PrePostProcessor  # noqa: E402

if _modules["openvino_telemetry"] is None:
    del _modules["openvino_telemetry"]


if TYPE_CHECKING:
    from dover_plugin.networks import Dover

_CREATING = threading.Lock()


def core() -> openvino.Core:
    """The one Core of this process, created on first use.

    One Core lives as long as the process. On CPUs with AMX, the first use of a Core installs an
    alternate signal stack, and its destructor may free that stack while it is installed. The
    next signal that Python handles, such as Ctrl-C, would then kill the process without a
    message.
    """
    with _CREATING:
        return _core()


@cache
def _core() -> openvino.Core:
    return openvino.Core()


class OpenVinoEngine:
    """Runs a network clip by clip, on as many threads as torch would use.

    Args:
        load: makes the network; it is called only if its graphs are not in the cache.
        model: name of the model.
        device: the CPU, "cpu".
        precision: "float32", or "bfloat16" on a CPU that supports it.
        weights_sha256: hash of the network's weights.
        rule: what the network sees.

    Raises:
        SettingsError: the device is not a CPU, or the CPU does not support bfloat16.
        EngineError: OpenVINO cannot load the network.
    """

    name = "openvino"
    parallel = 1

    def __init__(
        self,
        load: "Callable[[], Dover]",
        model: str,
        device: str,
        precision: str,
        weights_sha256: str,
        rule: SamplingRule = DOVER,
    ) -> None:
        if device != "cpu":
            raise SettingsError(
                f"The engine 'openvino' runs on the CPU, got device '{device}'. Use the engine "
                "'torch' on that device."
            )
        capabilities = core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "bfloat16" and "BF16" not in capabilities:
            raise SettingsError(
                "This CPU has no instructions for precision 'bfloat16'. Use 'float32'."
            )
        self.device = device
        self.precision = precision
        self._lock = threading.Lock()
        self._branches = rule.branches
        with graphs(load, model, weights_sha256, rule) as files:
            self._requests = {b: _compile(f, b, rule, precision) for b, f in files.items()}

    def run(self, views: Views) -> Maps:
        """See factory.Engine."""
        check_process()
        with self._lock:  # two videos at a time would share the cores and add up their memory
            return run_branches(self._branches, views, self._map)

    def _map(self, branch: Branch, clips: Picture) -> NDArray[np.float32]:
        """(N, T, H, W, 3) uint8 -> (N, 16, 7, 7)."""
        request = self._requests[branch]
        try:
            return np.concatenate([request.infer({0: clip[None]})[0].copy() for clip in clips])
        except RuntimeError as error:
            raise EngineError(f"OpenVINO failed: {error}") from None


def _compile(
    file: Path, branch: Branch, rule: SamplingRule, precision: str
) -> openvino.InferRequest:
    """Compile the graph of a branch, whose input is one clip (1, T, H, W, 3) uint8."""
    try:
        model = core().read_model(file)
    except RuntimeError as error:
        raise EngineError(unloadable("OpenVINO", file, error)) from None
    steps = PrePostProcessor(model)
    view = steps.input(f"{branch}_view")
    view.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NDHWC"))
    view.tensor().set_shape([1, *rule.clip_shape])
    view.preprocess().convert_element_type(openvino.Type.f32).mean(list(MEAN)).scale(list(STD))
    view.model().set_layout(openvino.Layout("NCDHW"))
    settings: dict[str, Any] = {
        # The default is bfloat16 on CPUs that support it.
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
        "PERFORMANCE_HINT": "LATENCY",
    }
    if threads := _threads():
        settings["INFERENCE_NUM_THREADS"] = threads
    if os.access(file.parent, os.W_OK):
        version = openvino.get_version().split("-")[0]
        settings["CACHE_DIR"] = str(file.parent / f"openvino-{version}")
    try:
        return core().compile_model(steps.build(), "CPU", settings).create_infer_request()
    except RuntimeError as error:
        raise EngineError(unloadable("OpenVINO", file, error)) from None


def _threads() -> int | None:
    """The number of threads that torch would use; None leaves it to OpenVINO: one per core."""
    if torch := sys.modules.get("torch"):
        return int(torch.get_num_threads())
    number = os.environ.get("OMP_NUM_THREADS", "")
    return int(number) if number.isdigit() and int(number) else None
