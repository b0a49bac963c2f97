"""Views that torch computes are bit-identical to those of NumPy."""

import numpy as np
import pytest
import torch

from dover_plugin import ArraySource, VideoError
from dover_plugin.io.memory import DeviceSource
from dover_plugin.preprocessing.sampling import draws
from dover_plugin.preprocessing.streaming import build_views

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("size", [(31, 31), (100, 150), (240, 320), (333, 517), (1080, 1920)])
def test_views_on_a_device_equal_those_of_numpy(size: tuple[int, int], device: str) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (8, *size, 3), np.uint8)
    chosen = draws(len(frames), *size, seed=3, repeats=2)
    array = ArraySource(frames)
    for tensor in (torch.from_numpy(frames), torch.from_numpy(frames).float() / 255):
        made = build_views(DeviceSource(tensor.to(device), array.info), chosen)
        for found, wanted in zip(made, build_views(array, chosen), strict=True):
            np.testing.assert_array_equal(found.technical, wanted.technical)
            np.testing.assert_array_equal(found.aesthetic, wanted.aesthetic)


def test_a_strip_that_is_too_narrow_is_refused_on_a_device_too() -> None:
    frames = np.zeros((2, 2, 400, 3), np.uint8)
    source = DeviceSource(torch.from_numpy(frames), ArraySource(frames).info)
    with pytest.raises(VideoError, match="enlarged to a short side"):
        build_views(source, draws(2, 2, 400))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_frames_on_cuda_stay_there() -> None:
    from dover_plugin.io.open import open_source

    frames = torch.zeros((4, 2160, 3840, 3), dtype=torch.uint8, device="cuda")
    assert isinstance(open_source(frames), DeviceSource)
