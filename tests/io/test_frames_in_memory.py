"""Arrays, tensors and lists of frames: every layout gives the frames, everything else one error."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dover_plugin import ArraySource, VideoError
from dover_plugin.io.memory import ConvertedSource, DeviceSource
from dover_plugin.io.open import open_source

FRAMES = np.random.default_rng(0).integers(0, 256, (6, 30, 40, 3), np.uint8)
TENSOR = torch.from_numpy(FRAMES)
FIRST = FRAMES.transpose(0, 3, 1, 2)
SAME: dict[str, Callable[[], Any]] = {
    "array, channels first": lambda: FIRST,
    "float32 array": lambda: FRAMES / np.float32(255),
    "float64 array": lambda: FRAMES / 255,
    "float16 array, channels first": lambda: (FIRST / 255).astype(np.float16),
    "tensor": lambda: TENSOR,
    "tensor, channels first": lambda: TENSOR.permute(0, 3, 1, 2),
    "float tensor": lambda: TENSOR.float() / 255,
    "half tensor, channels first": lambda: (TENSOR.permute(0, 3, 1, 2) / 255).half(),
    "tensor with a gradient": lambda: (TENSOR / 255).requires_grad_(),
    "list of arrays": lambda: list(FRAMES),
    "tuple of float tensors, channels first": lambda: tuple(TENSOR.permute(0, 3, 1, 2) / 255),
    "list of images": lambda: [Image.fromarray(frame) for frame in FRAMES],
}


@pytest.mark.parametrize("kind", SAME)
def test_every_kind_gives_the_same_frames(kind: str) -> None:
    source = open_source(SAME[kind](), fps=24)
    info = source.info
    assert (info.path, info.num_frames, info.height, info.width) == (None, 6, 30, 40)
    assert (info.fps, info.decoder, info.duration) == (24, "array", 0.25)
    for index, frame in source.frames([0, 2, 5]):
        assert frame.dtype == np.uint8
        np.testing.assert_array_equal(frame, FRAMES[index])


def test_bfloat16_is_within_a_level() -> None:
    for index, frame in open_source((TENSOR / 255).bfloat16()).frames(range(6)):
        assert np.abs(frame.astype(int) - FRAMES[index]).max() <= 1


def test_grey_images_have_three_equal_channels() -> None:
    grey = Image.fromarray(FRAMES[0]).convert("L")
    ((_, frame),) = open_source([grey]).frames([0])
    np.testing.assert_array_equal(frame, np.asarray(grey)[..., None].repeat(3, 2))


def test_uint8_frames_are_not_copied() -> None:
    for video in (FRAMES, FIRST, TENSOR, TENSOR.permute(0, 3, 1, 2), list(FRAMES)):
        for _, frame in open_source(video).frames([3]):
            assert np.shares_memory(frame, FRAMES)
    numbers = FRAMES / np.float32(255)
    source = open_source(numbers)
    assert isinstance(source, ConvertedSource)
    assert np.shares_memory(np.asarray(source._frames), numbers)


def test_frames_on_a_device_are_converted_there() -> None:
    info = open_source(FRAMES).info
    for frames in (TENSOR, TENSOR / 255):
        source = DeviceSource(frames, info)
        for index, frame in source.device_frames([0, 5]):
            assert isinstance(frame, torch.Tensor)
            assert torch.equal(frame, TENSOR[index])
        for index, array in source.frames([0, 5]):
            np.testing.assert_array_equal(array, FRAMES[index])


def shaped(*shape: int, dtype: Any = np.uint8) -> Any:
    return np.zeros(shape, dtype)


@pytest.mark.parametrize("convert", [np.asarray, torch.as_tensor], ids=["array", "tensor"])
@pytest.mark.parametrize(
    ("frames", "says"),
    [
        (shaped(5, 30, 40), "got (5, 30, 40) uint8. Repeat grey frames"),
        (shaped(30, 40, 3), "Add the missing axis with frames[None]"),
        (shaped(1, 5, 30, 40, 3), "Pass one at a time, such as frames[0]"),
        (shaped(5, 30), "Stack RGB frames"),
        (shaped(5, 30, 40, 4), "Drop the fourth channel (alpha)"),
        (shaped(5, 4, 30, 40), "Drop the fourth channel (alpha)"),
        (shaped(5, 30, 40, 1), "Repeat the grey channel"),
        (shaped(3, 5, 30, 40), "(3, T, H, W) is not supported; swap the first two axes"),
        (shaped(5, 30, 40, 7), "Convert it to three channels"),
        (shaped(5, 3, 30, 3), "Both layouts fit. Pass ArraySource(frames)"),
        (shaped(0, 30, 40, 3), "They hold no pixels"),
        (
            shaped(5, 30, 40, 3, dtype=np.int64),
            "got (5, 30, 40, 3) int64. Convert values in [0, 255]",
        ),
        (shaped(5, 30, 40, 3, dtype=np.uint16), "Convert 16-bit values with (frames // 257)"),
        (shaped(5, 30, 40, 3, dtype=bool), "bool. Convert values"),
    ],
)
def test_other_shapes_and_types_are_refused(frames: Any, says: str, convert: Any) -> None:
    with pytest.raises(VideoError) as caught:
        open_source(convert(frames))
    message = str(caught.value)
    assert message.startswith("Frames must be (T, H, W, 3) or (T, 3, H, W) RGB")
    assert says in message


def with_value(value: float) -> Any:
    frames = np.full((4, 8, 8, 3), 0.5, np.float32)
    frames[2, 4, 4, 1] = value
    return frames


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (-0.25, "from -0.25 to 0.5; floating-point frames must be in [0, 1]. If the values are in"),
        (200.0, "in [0, 255], divide them by 255"),
        (1000.0, "Clip them to [0, 1]"),
        (float("inf"), "Clip them to [0, 1]"),
        (float("nan"), "Replace NaN first"),
    ],
)
def test_values_outside_the_range_are_refused(value: float, says: str) -> None:
    frames = with_value(value)
    tensor = torch.from_numpy(frames)
    info = open_source(frames).info
    for source in (open_source(frames), open_source(tensor), DeviceSource(tensor, info)):
        assert len(list(source.frames([0, 1, 3]))) == 3
        with pytest.raises(VideoError) as caught:
            list(source.frames([0, 2]))
        assert str(caught.value).startswith("Frame 2 holds values")
        assert says in str(caught.value)


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        ([], "A list of frames is empty"),
        (["a.png", "b.png"], "A list of frames holds paths. Score several videos with score_many"),
        ([FRAMES[0], FRAMES[1, :20]], "Frame 1 is 40x20 and frame 0 is 40x30"),
        ([Image.fromarray(FRAMES[0]), Image.new("RGB", (8, 9))], "Frame 1 is 8x9"),
        ([FRAMES[0], FRAMES[0, ..., 0]], "Frame 1 must be (H, W, 3) or (3, H, W) RGB"),
        ([Image.new("RGBA", (40, 30))], "mode 'RGBA'. Convert it with image.convert('RGB')"),
        ([FRAMES[0], 3], "Frame 1 of a list is of type int"),
        ([FRAMES], "Frame 0 must be (H, W, 3)"),
    ],
)
def test_bad_lists_are_refused(frames: Any, says: str) -> None:
    with pytest.raises(VideoError) as caught:
        open_source(frames)
    assert says in str(caught.value)


def test_a_frame_between_two_layouts_can_be_named() -> None:
    frames = np.zeros((5, 3, 30, 3), np.uint8)
    assert (ArraySource(frames).info.height, ArraySource(frames).info.width) == (3, 30)
    with pytest.raises(VideoError, match="Pass it to open_source"):
        ArraySource(frames.astype(np.float32))


@pytest.mark.parametrize(
    "frames",
    [torch.zeros(5, 30, 40, 3, device="meta"), torch.zeros(5, 30, 40, 3).to_sparse()],
    ids=["meta", "sparse"],
)
def test_tensors_without_pixels_of_their_own_are_refused(frames: torch.Tensor) -> None:
    for video in (frames, [frames[0]]):
        with pytest.raises(VideoError, match="Pass a dense tensor"):
            open_source(video)
