"""ONNX Runtime on the CPU or a CUDA device."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from dover_plugin.engines.branches import run_branches
from dover_plugin.engines.compiled import graphs, unloadable
from dover_plugin.engines.fork_guard import check_process
from dover_plugin.errors import EngineError, SettingsError
from dover_plugin.networks import Dover
from dover_plugin.preprocessing.normalise import normalise
from dover_plugin.preprocessing.pictures import Picture
from dover_plugin.preprocessing.sampling_rule import DOVER, Branch, SamplingRule
from dover_plugin.preprocessing.views import Views
from dover_plugin.scores import Maps


class OnnxRuntimeEngine:
    """Runs a network clip by clip in float32, on as many threads as torch would use.

    Args:
        load: makes the network; it is called only if its graphs are not in the cache.
        model: name of the model.
        device: the CPU or a CUDA device.
        weights_sha256: hash of the network's weights.
        rule: what the network sees.

    Raises:
        SettingsError: this build of ONNX Runtime does not support the device.
        EngineError: ONNX Runtime cannot load the network.
    """

    name = "onnxruntime"
    parallel = 1
    precision = "float32"

    def __init__(
        self,
        load: Callable[[], Dover],
        model: str,
        device: torch.device,
        weights_sha256: str,
        rule: SamplingRule = DOVER,
    ) -> None:
        self.device = str(device)
        providers = _providers(device)
        self._lock = threading.Lock()
        self._branches = rule.branches
        with graphs(load, model, weights_sha256, rule) as files:
            self._sessions = {b: _session(file, providers) for b, file in files.items()}

    def run(self, views: Views) -> Maps:
        """See factory.Engine."""
        check_process()
        with self._lock:  # two videos at a time would share the cores and add up their memory
            return run_branches(self._branches, views, self._map)

    def _map(self, branch: Branch, clips: Picture) -> NDArray[np.float32]:
        """(N, T, H, W, 3) uint8 -> (N, 16, 7, 7)."""
        maps = []
        for clip in clips:
            view = normalise(torch.from_numpy(clip)[None]).contiguous().numpy()
            try:
                maps += self._sessions[branch].run(None, {f"{branch}_view": view})
            except Exception as error:
                raise EngineError(f"ONNX Runtime failed on device {self.device}: {error}") from None
        return np.concatenate(maps)


def _providers(device: torch.device) -> list[tuple[str, dict[str, str]]]:
    provider, settings = {
        "cpu": ("CPUExecutionProvider", {}),
        "cuda": ("CUDAExecutionProvider", {"device_id": str(device.index or 0), "use_tf32": "0"}),
    }.get(device.type, ("", {}))
    here = onnxruntime.get_available_providers()
    if provider not in here:
        raise SettingsError(
            f"This build of ONNX Runtime does not support device '{device}' (it has "
            f"{', '.join(here)}). For CUDA install onnxruntime-gpu, or use the engine 'torch'."
        )
    return [(provider, settings)]


def _session(
    file: Path, providers: list[tuple[str, dict[str, str]]]
) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.enable_cpu_mem_arena = False  # the arena would keep the memory of the graph's setup
    options.log_severity_level = 3  # errors
    try:
        session = onnxruntime.InferenceSession(
            file, options, providers=providers, enable_fallback=False
        )
    except Exception as error:  # its errors share no base class
        raise EngineError(unloadable("ONNX Runtime", file, error)) from None
    wanted = providers[0][0]
    if session.get_providers()[0] != wanted:
        raise SettingsError(
            f"ONNX Runtime cannot load its {wanted}; its CUDA and cuDNN libraries may be missing. "
            "Install them, or use the engine 'torch'."
        )
    return session
