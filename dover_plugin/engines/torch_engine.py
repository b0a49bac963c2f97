"""PyTorch on a CPU, a CUDA device or an Apple GPU."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dover_plugin.engines.fork_guard import check_process
from dover_plugin.errors import EngineError, SettingsError
from dover_plugin.networks import Dover
from dover_plugin.networks.cpu_kernels import CpuKernels, InferenceKernels, has_onednn
from dover_plugin.networks.kernels import Kernels, use_kernels
from dover_plugin.preprocessing.normalise import normalise
from dover_plugin.preprocessing.views import Picture, Views
from dover_plugin.scores import Maps

PRECISIONS = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
_CUDA_SWITCHES = threading.Lock()


class TorchEngine:
    """Runs a network on one video at a time, so that scores do not depend on the other videos.

    On a CPU each clip is a batch of its own, because smaller activations make better use of the
    cache. On other devices all clips of a view are one batch.

    Args:
        network: network in evaluation mode; it is moved to the device and gets its kernels.
        device: available device; see find_device.
        precision: "float32"; also "float16" or "bfloat16" on other devices than the CPU.

    Raises:
        SettingsError: the device does not support the precision.
    """

    name = "torch"

    def __init__(self, network: Dover, device: torch.device, precision: str = "float32") -> None:
        if precision not in PRECISIONS:
            raise SettingsError(
                f"No precision is named {precision!r}. Choose from {', '.join(PRECISIONS)}."
            )
        self._device = device
        if self._device.type == "cpu" and precision != "float32":
            raise SettingsError(
                f"Precision {precision} needs a CUDA device; on the CPU use float32."
            )
        self.device = str(self._device)
        self.precision = precision
        self._dtype = PRECISIONS[precision]
        self._network = network.to(self._device, self._dtype)
        use_kernels(self._network, inference_kernels(self._device))
        self._lock = threading.Lock()

    def run(self, views: Views) -> Maps:
        """See engines.Engine."""
        check_process()
        with (
            self._lock,  # two videos at once would compete for cores and need twice the memory
            torch.inference_mode(),
            torch.autocast(self._device.type, enabled=False),
            _full_precision(self._device),
        ):
            return Maps(
                technical=self._map(self._network.technical_map, views.technical),
                aesthetic=self._map(self._network.aesthetic_map, views.aesthetic),
            )

    def _map(self, branch: Callable[[Tensor], Tensor], clips: Picture) -> NDArray[np.float32]:
        """(N, T, H, W, 3) uint8 -> (N, 16, 7, 7)."""
        size = 1 if self._device.type == "cpu" else len(clips)
        try:
            maps = [
                branch(normalise(batch.to(self._device)).to(self._dtype))
                for batch in torch.split(torch.from_numpy(clips), size)
            ]
        except torch.OutOfMemoryError:
            raise EngineError(
                f"Device {self.device} ran out of memory. Free memory or use another device."
            ) from None
        except RuntimeError as error:
            raise EngineError(f"PyTorch failed on device {self.device}: {error}") from None
        result: NDArray[np.float32] = torch.cat(maps).float().cpu().numpy()
        return result


def inference_kernels(device: torch.device) -> Kernels:
    """The fastest kernels for inference on ``device``; they are not for training."""
    if device.type != "cpu":
        return InferenceKernels()
    return CpuKernels(onednn=has_onednn())


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Disable TF32 and nondeterministic kernels on CUDA, and restore the host's settings after.

    The settings are global to the process, so only one engine runs at a time.
    """
    if device.type != "cuda":
        yield
        return
    with _CUDA_SWITCHES:
        matmul = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")
        try:
            with torch.backends.cudnn.flags(
                enabled=torch.backends.cudnn.enabled,
                benchmark=torch.backends.cudnn.benchmark,
                deterministic=True,
                allow_tf32=False,
            ):
                yield
        finally:
            torch.set_float32_matmul_precision(matmul)


def find_device(name: str) -> torch.device:
    """The device that ``name`` selects; "auto" selects CUDA if it is available, else the CPU.

    Raises:
        SettingsError: the device is unknown, unsupported or not available.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise SettingsError(
            f"No device is named {name!r}. Use 'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'."
        ) from None
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise SettingsError(
                f"Device {name!r} is not here ({count} CUDA devices found). Use 'cpu', or check "
                "'nvidia-smi' and 'dover doctor'."
            )
    elif device.type == "mps" and not torch.backends.mps.is_available():
        raise SettingsError(f"Device {name!r} needs an Apple GPU. Use 'cpu'.")
    elif device.type not in ("cpu", "mps"):
        raise SettingsError(
            f"Device {name!r} is not supported. Use 'auto', 'cpu', 'cuda' or 'mps'."
        )
    return device
