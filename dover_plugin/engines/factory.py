"""Choose an engine and put a network on a device."""

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from dover_plugin.errors import SettingsError
from dover_plugin.preprocessing.views import Views
from dover_plugin.scores import Maps

if TYPE_CHECKING:
    from dover_plugin.networks import Dover

ENGINES = ("auto", "torch", "openvino", "onnxruntime")
VARIABLE = "DOVER_ENGINE"  # what "auto" means, where it is set
NEEDS = {
    "torch": ("torch",),
    "openvino": ("openvino", "onnx", "onnxscript"),
    "onnxruntime": ("onnxruntime", "onnx", "onnxscript"),
}
PRECISIONS = {"openvino": ("float32", "bfloat16"), "onnxruntime": ("float32",)}
EXTRAS = {"openvino": "openvino", "onnxruntime": "onnx"}


class Engine(Protocol):
    """A network ready to run. It may be called from several threads."""

    name: str
    device: str
    precision: str

    def run(self, views: Views) -> Maps:
        """Score the locations of one video's views."""
        ...


def make_engine(
    name: str, network: "Dover", device: str, precision: str, weights_sha256: str
) -> Engine:
    """Put a network on a device.

    Args:
        name: one of ENGINES; see choose.
        network: in evaluation mode, float32, on the CPU.
        device: "auto" or a torch device.
        precision: "float32"; "float16" or "bfloat16" with torch on CUDA; "bfloat16" with OpenVINO.
        weights_sha256: of the network's weights; compiled networks are kept under it.

    Raises:
        SettingsError: an engine, device or precision that is not here.
    """
    from dover_plugin.engines.torch_engine import TorchEngine, find_device

    found = find_device(device)
    chosen = choose(name, found.type)
    if chosen == "torch":
        return TorchEngine(network, found, precision)
    if precision not in PRECISIONS[chosen]:
        by_auto = ", which 'auto' means here," if name == "auto" else ""
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
    if chosen == "openvino":
        from dover_plugin.engines.openvino_engine import OpenVinoEngine

        return OpenVinoEngine(network, found, precision, weights_sha256)
    from dover_plugin.engines.onnxruntime_engine import OnnxRuntimeEngine

    return OnnxRuntimeEngine(network, found, weights_sha256)


def choose(name: str, device: str) -> str:
    """The engine that ``name`` means on a kind of device.

    "auto" is $DOVER_ENGINE where that is set, else OpenVINO on a CPU where it is installed, else
    torch.

    Raises:
        SettingsError: an engine that is not here.
    """
    chosen = (os.environ.get(VARIABLE) or name) if name == "auto" else name
    if chosen not in ENGINES:
        source = f" (from ${VARIABLE})" if name == "auto" else ""
        raise SettingsError(
            f"No engine is named {chosen!r}{source}. Choose from {', '.join(ENGINES)}."
        )
    if chosen != "auto":
        return chosen
    quick = device == "cpu" and all(find_spec(package) for package in NEEDS["openvino"])
    return "openvino" if quick else "torch"
