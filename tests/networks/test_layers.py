import torch
import torch.nn.functional as F
from network_helpers import TOLERANCE, random
from torch import nn

from dover_plugin.networks.layers import QualityHead, conv3d_channels_last


def test_channels_last_convolution_equals_the_usual_one() -> None:
    conv = nn.Conv3d(3, 8, (2, 4, 4), (2, 4, 4))
    x = random(2, 4, 8, 12, 3)
    y = conv3d_channels_last(conv, x)
    expected = conv(x.permute(0, 4, 1, 2, 3)).permute(0, 2, 3, 4, 1)
    assert y.is_contiguous()
    assert torch.allclose(y, expected, atol=TOLERANCE)


def test_head_equals_convolutions_of_one_voxel() -> None:
    head = QualityHead(6, 4, dropout=0.5).eval()
    features = random(2, 3, 5, 7, 6)
    expected = head.fc_last(F.gelu(head.fc_hid(features.permute(0, 4, 1, 2, 3))))[:, 0]
    assert torch.allclose(head(features), expected, atol=TOLERANCE)
    assert not torch.allclose(head.train()(features), expected, atol=TOLERANCE)  # dropout
