"""PyTorch on a CPU, a CUDA device or an Apple GPU."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dover_plugin.engines.fork_guard import check_process
from dover_plugin.engines.passes import Passes
from dover_plugin.errors import EngineError, SettingsError
from dover_plugin.networks import Dover
from dover_plugin.networks.cpu_kernels import CpuKernels, InferenceKernels, has_onednn
from dover_plugin.networks.kernels import Kernels, use_kernels
from dover_plugin.preprocessing.normalise import normalise
from dover_plugin.preprocessing.pictures import Picture
from dover_plugin.preprocessing.sampling import BRANCHES, Branch
from dover_plugin.preprocessing.views import Views
from dover_plugin.scores import Maps

VIDEOS = 4  # of a pass on CUDA


class TorchEngine:
    """Runs a network in passes of a fixed number of videos.

    On a CPU each clip is a batch of its own, because smaller activations make better use of the
    cache. On CUDA a pass scores up to VIDEOS videos, with one batch per view. Unused slots are
    zero-padded, so shapes are constant and a score does not depend on the batch.

    Args:
        network: network in evaluation mode; it is moved to the device and gets its kernels.
        device: available device; see find_device.
        precision: "float32"; also "float16" or "bfloat16" on other devices than the CPU; see
            factory.check_torch_precision.
        videos: videos of a pass; None is VIDEOS on CUDA, else 1.
    """

    name = "torch"

    def __init__(
        self,
        network: Dover,
        device: torch.device,
        precision: str = "float32",
        videos: int | None = None,
    ) -> None:
        self._device = device
        self.device = str(self._device)
        self.precision = precision
        self._dtype = getattr(torch, precision)
        self._network = network.to(self._device, self._dtype)
        use_kernels(self._network, inference_kernels(self._device))
        self._videos = videos or (VIDEOS if device.type == "cuda" else 1)
        # One pass at a time: two would compete for cores and need twice the memory. Threads bring
        # the videos of the next pass while one runs.
        self._passes = Passes(self._pass, self._videos)
        self.parallel = 1 if self._videos == 1 else 2 * self._videos

    def run(self, views: Views) -> Maps:
        """See engines.Engine."""
        check_process()
        return self._passes.run(views)

    def _pass(self, videos: Sequence[Views]) -> list[Maps]:
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, enabled=False),
            _FULL_PRECISION.on(self._device),
        ):
            # A device computes one branch while the next one is prepared here.
            queued = {
                branch: self._maps(branch, [getattr(views, branch) for views in videos])
                for branch in self._network.branches
            }
            made = {branch: self._to_host(maps) for branch, maps in queued.items()}
        none = [None] * len(videos)
        technical, aesthetic = (made.get(branch, none) for branch in BRANCHES)
        return [Maps(*maps) for maps in zip(technical, aesthetic, strict=False)][: len(videos)]

    def _maps(self, branch: Branch, videos: Sequence[Picture]) -> Tensor:
        """Each (N, T, H, W, 3) uint8 -> (videos of a pass * N, 16, 7, 7), queued on a device."""
        clips = videos[0]
        if self._videos > 1:
            empty = self._videos - len(videos)
            clips = np.concatenate([*videos, *[np.zeros_like(videos[0])] * empty])
        single = self._videos == 1 and self._device.type == "cpu"
        with self._errors():
            parts = [
                self._network.quality_map(branch, normalise(self._sent(batch)).to(self._dtype))
                for batch in torch.split(torch.from_numpy(clips), 1 if single else len(clips))
            ]
            return torch.cat(parts)

    def _sent(self, clips: Tensor) -> Tensor:
        """uint8 clips on the device; CUDA copies them while earlier work still runs there."""
        if self._device.type == "cuda":
            return clips.pin_memory().to(self._device, non_blocking=True)
        return clips.to(self._device)

    def _to_host(self, maps: Tensor) -> list[NDArray[np.float32]]:
        """Wait for the device, and copy the maps of each slot of the pass."""
        with self._errors():
            result: NDArray[np.float32] = maps.float().cpu().numpy()
        return np.split(result, self._videos)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise errors of PyTorch, which may come late from a device, as EngineError."""
        try:
            yield
        except torch.OutOfMemoryError:
            raise EngineError(
                f"Device {self.device} ran out of memory. Free memory or use another device."
            ) from None
        except RuntimeError as error:
            raise EngineError(f"PyTorch failed on device {self.device}: {error}") from None


def inference_kernels(device: torch.device) -> Kernels:
    """The fastest kernels for inference on ``device``; they are not for training."""
    if device.type != "cpu":
        return InferenceKernels()
    return CpuKernels(onednn=has_onednn())


class _FullPrecision:
    """No TF32 and no nondeterministic kernels on CUDA while any engine runs.

    The settings are global to the process: the first engine that runs stores those of the host,
    and the last one restores them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._restore = ExitStack()

    @contextmanager
    def on(self, device: torch.device) -> Iterator[None]:
        """Hold the settings while the block runs; other devices than CUDA need none."""
        if device.type != "cuda":
            yield
            return
        with self._lock:
            if not self._users:
                self._set()
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._restore.close()

    def _set(self) -> None:
        before = torch.get_float32_matmul_precision()
        self._restore.callback(torch.set_float32_matmul_precision, before)
        torch.set_float32_matmul_precision("highest")
        self._restore.enter_context(
            torch.backends.cudnn.flags(
                enabled=torch.backends.cudnn.enabled,
                benchmark=torch.backends.cudnn.benchmark,
                deterministic=True,
                allow_tf32=False,
            )
        )


_FULL_PRECISION = _FullPrecision()


def find_devices(names: str) -> list[torch.device]:
    """The devices that ``names`` lists: one, several joined by commas, or "all" CUDA devices.

    Raises:
        SettingsError: a device is not available or is listed twice, or their types differ.
    """
    if names == "all":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if not count:
            raise SettingsError("Device 'all' needs CUDA devices, and 0 were found. Use 'cpu'.")
        return [torch.device("cuda", index) for index in range(count)]
    if "," not in names:
        return [find_device(names)]
    devices = [_named(name.strip()) for name in names.split(",")]
    places = [(device.type, device.index or 0) for device in devices]
    twice = [d for d, at in zip(devices, places, strict=True) if places.count(at) > 1]
    if twice:
        raise SettingsError(f"Device '{twice[-1]}' is listed twice in {names!r}. List it once.")
    if len({device.type for device in devices}) > 1:
        raise SettingsError(
            f"The devices {names!r} are of several types, whose scores differ in the last digits. "
            "List devices of one type, such as 'cuda:0,cuda:1'."
        )
    return [find_device(str(device)) for device in devices]


def find_device(name: str) -> torch.device:
    """The device that ``name`` selects; "auto" selects CUDA if it is available, else the CPU.

    Raises:
        SettingsError: the device is unknown, unsupported or not available.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = _named(name)
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


def _named(name: str) -> torch.device:
    """The device of a name, available or not."""
    try:
        return torch.device(name)
    except RuntimeError:
        raise SettingsError(
            f"No device is named {name!r}. Use 'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'."
        ) from None
