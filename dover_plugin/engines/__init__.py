"""Running a network on a device: both views in, local quality out."""

from typing import TYPE_CHECKING, Protocol

from dover_plugin.errors import SettingsError
from dover_plugin.scores import Maps
from dover_plugin.views import Views

if TYPE_CHECKING:
    from dover_plugin.networks import Dover

ENGINES = ("auto", "torch")


class Engine(Protocol):
    """A network ready to run. It may be called from several threads."""

    name: str
    device: str
    precision: str

    def run(self, views: Views) -> Maps:
        """Score the locations of one video's views."""
        ...


def make_engine(name: str, network: "Dover", device: str, precision: str) -> Engine:
    """Put a network on a device.

    Args:
        name: "torch", or "auto", which is torch.
        network: in evaluation mode, float32, on the CPU.
        device: "auto" or a torch device.
        precision: "float32", or on CUDA "float16" or "bfloat16".

    Raises:
        SettingsError: an engine, device or precision that is not here.
    """
    if name not in ENGINES:
        raise SettingsError(f"No engine is named {name!r}. Choose from {', '.join(ENGINES)}.")
    from dover_plugin.engines.torch_engine import TorchEngine

    return TorchEngine(network, device, precision)
