"""Export of networks to ONNX, for other engines and other programs."""

import copy
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

import dover_plugin
from dover_plugin.errors import EngineError, SettingsError
from dover_plugin.networks import Dover
from dover_plugin.networks.kernels import ExportKernels, use_kernels
from dover_plugin.preprocessing.normalise import MEAN, STD
from dover_plugin.text import described
from dover_plugin.weights import load, store
from dover_plugin.weights.registry import published

OPSET = 20
TOLERANCE = 1e-4  # largest allowed difference from torch, in raw scores and in maps
NEEDED = "ONNX export needs more packages. Run pip install 'dover-plugin[onnx]'."


class _Graph(nn.Module):
    """All branches of a network, with raw scores and maps of all clips as outputs."""

    def __init__(self, network: Dover) -> None:
        super().__init__()
        self.network = network

    def forward(self, *views: Tensor) -> tuple[Tensor, ...]:
        pairs = zip(self.network.branches, views, strict=True)
        maps = [self.network.quality_map(branch, view) for branch, view in pairs]
        return (*(each.mean(dim=(1, 2, 3)) for each in maps), *maps)


def _inputs(network: Dover) -> list[str]:
    return [f"{branch}_view" for branch in network.branches]


def _outputs(network: Dover) -> list[str]:
    return [*network.branches, *(f"{branch}_map" for branch in network.branches)]


def _clip_shape(network: Dover) -> tuple[int, ...]:
    """Shape of a normalised clip: (3, T, H, W)."""
    frames, height, width, channels = network.rule.clip_shape
    return channels, frames, height, width


def export_onnx(network: Dover, file: Path, metadata: Mapping[str, str]) -> None:
    """Write a network as one ONNX file.

    Inputs ``technical_view`` and ``aesthetic_view`` are (clips, 3, 32, 224, 224) normalised
    float32, (clips, 3, 16, 128, 128) for fast-vqa-m. The two numbers of clips are independent.
    Outputs ``technical`` and ``aesthetic`` are (clips,) raw scores; ``technical_map`` and
    ``aesthetic_map`` are (clips, 16, 7, 7), (clips, 8, 4, 4) for fast-vqa-m. A network with one
    branch has the inputs and outputs of this branch.

    Args:
        network: float32 network in evaluation mode on the CPU.
        file: output file; an existing file is replaced.
        metadata: metadata properties of the file.

    Raises:
        SettingsError: packages that ONNX export needs are not installed.
        EngineError: the exporter fails.
    """
    if not can_export():
        raise SettingsError(NEEDED)
    # The exporter merges dimensions of equal size, and makes those of size 1 constant.
    clips = (3, 2)[: len(network.branches)]
    views = tuple(torch.zeros(count, *_clip_shape(network)) for count in clips)
    traced = copy.deepcopy(network)  # the kernels of ``network`` do not change
    use_kernels(traced, ExportKernels())
    program = _trace(traced, views)
    program.model.metadata_props.update(metadata)
    program.save(file, external_data=False)


def _trace(network: Dover, views: tuple[Tensor, ...]) -> torch.onnx.ONNXProgram:
    with warnings.catch_warnings(), _quiet(), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                _Graph(network).eval(),
                views,
                input_names=_inputs(network),
                output_names=_outputs(network),
                dynamic_shapes=[tuple({0: f"{branch}_clips"} for branch in network.branches)],
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
        except Exception as error:  # the exporter raises errors of many types
            first: BaseException = error
            while first.__cause__ is not None:  # the exporter explains itself at length
                first = first.__cause__
            raise EngineError(
                f"Cannot export the network to ONNX ({described(first)}). Use the engine 'torch', "
                "or the versions in constraints.txt."
            ) from None
    assert program is not None  # it is None only with dynamo=False
    return program


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what the exporter says about its own code and about packages that it looks for."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def can_export() -> bool:
    """Whether the packages that ONNX export needs are installed."""
    return all(find_spec(name) for name in ("onnx", "onnxscript"))


def write_checked(model: str, weights_file: Path, file: Path) -> float:
    """Export a model with metadata for other programs, and compare its outputs with torch.

    Args:
        model: name of the model.
        weights_file: weights of that model.
        file: .onnx file in an existing folder; it is replaced only if the comparison passes.

    Returns:
        The largest difference of any output from torch, on noise, for one clip and for two.

    Raises:
        SettingsError: the file cannot be written, or packages are missing.
        WeightsError: the weights do not fit the model.
        EngineError: the difference is above TOLERANCE.
    """
    if not can_export() or not find_spec("onnxruntime"):
        raise SettingsError(NEEDED)
    if file.suffix != ".onnx" or not file.parent.is_dir() or file.is_dir():
        raise SettingsError(f"Cannot write '{file}'. Use an .onnx file in a folder that exists.")
    network, sha256 = load.load_network(model, weights_file)
    row = published(model)
    counts = {"technical": network.rule.num_clips, "aesthetic": 1}
    ours = sha256 == row.sha256 or weights_file == store.cached(model)
    metadata = {
        "model": model,
        "weights_sha256": sha256,
        "license": row.license if ours else f"that of the file of weights, {weights_file.name}",
        "producer": f"dover-plugin {dover_plugin.__version__}",
        "input": f"(clips, {', '.join(map(str, _clip_shape(network)))}) float32 RGB: "
        "(pixel 0..255 - mean) / std",
        "mean": json.dumps(MEAN),
        "std": json.dumps(STD),
        "raw_score": "a video's is the mean over its clips: "
        + ", ".join(f"{counts[branch]} {branch}" for branch in network.branches),
    }
    part = file.with_name(f"{file.name}.part")
    try:
        export_onnx(network, part, metadata)
        difference = _difference(network, part)
        if not difference <= TOLERANCE:
            raise EngineError(
                f"The exported {model} differs from torch by {difference:.1e} in a raw score, "
                f"more than {TOLERANCE}. Nothing was written; please report the versions that "
                "'dover doctor' shows."
            )
        part.replace(file)
    except OSError as error:
        raise SettingsError(f"Cannot write '{file}': {error.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)
    return difference


def _difference(network: Dover, file: Path) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    largest = 0.0
    for counts in ((1, 2), (2, 1)):
        generator = torch.Generator().manual_seed(counts[0])
        views = [
            torch.randn(clips, *_clip_shape(network), generator=generator)
            for clips in counts[: len(network.branches)]
        ]
        arrays = (view.numpy() for view in views)
        got = session.run(None, dict(zip(_inputs(network), arrays, strict=True)))
        with torch.inference_mode():
            expected = _Graph(network)(*views)
        differences = (abs(g - e.numpy()).max() for g, e in zip(got, expected, strict=True))
        largest = max(largest, *(float(d) for d in differences))
    return largest
