"""Frames in memory: arrays, tensors, and lists of frames.

Frames are viewed, not copied. Frames of another type than uint8 are converted one by one, when they
are requested.
"""

import sys
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from dover_plugin.errors import VideoError
from dover_plugin.io.source import Frame, FrameSource, VideoInfo

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

LAYOUTS = {4: "(T, H, W, 3) or (T, 3, H, W)", 3: "(H, W, 3) or (3, H, W)"}  # by dimensions
GREY_OR_RGB = ("L", "RGB")  # modes of Pillow

type Pixels = "NDArray[Any] | Tensor"


class ArraySource:
    """Frames in an array, which is not copied.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
        fps: frames per second, if known.

    Raises:
        VideoError: another shape or type, or no pixels.

    Examples:
        >>> frames = np.zeros((48, 90, 160, 3), np.uint8)
        >>> info = ArraySource(frames, fps=24).info
        >>> info.num_frames, info.width, info.height, info.duration
        (48, 160, 90, 2.0)
    """

    def __init__(self, frames: NDArray[np.uint8], fps: float | None = None) -> None:
        if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8:
            raise VideoError(
                f"An array of frames must be (T, H, W, 3) uint8 RGB, got {frames.shape} "
                f"{frames.dtype}. Pass it to open_source or Scorer.score, which also take "
                "(T, 3, H, W) and float in [0, 1]."
            )
        self.info = _info(frames, fps)
        self._frames = frames

    def frames(self, indices: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        """See source.FrameSource."""
        for index in indices:
            yield index, self._frames[index]


class ConvertedSource:
    """Frames that are converted to uint8 RGB when they are requested.

    Args:
        frames: each (H, W, 3) or (3, H, W), uint8 or floating point, or a Pillow image.
        info: metadata of the video.
    """

    def __init__(self, frames: "Pixels | Sequence[Pixels | Image]", info: VideoInfo) -> None:
        self.info = info
        self._frames = frames

    def frames(self, indices: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        """See source.FrameSource.

        Raises:
            VideoError: a frame holds values outside [0, 1].
        """
        for index in indices:
            yield index, to_uint8(_array(self._frames[index]), index)


class DeviceSource:
    """Frames in the memory of a device, which reduces them to the frames of the views.

    Args:
        frames: (T, H, W, 3) uint8 or floating point, on a device.
        info: metadata of the video.
    """

    def __init__(self, frames: "Tensor", info: VideoInfo) -> None:
        self.info = info
        self._frames = frames

    def device_frames(self, indices: Sequence[int]) -> "Generator[tuple[int, Tensor]]":
        """Yield (index, frame), (H, W, 3) uint8 on the device, for ascending indices.

        Raises:
            VideoError: a frame holds values outside [0, 1].
        """
        for index in indices:
            frame = self._frames[index]
            if frame.is_floating_point():
                frame = frame.float()
                _check_range(float(frame.amin()), float(frame.amax()), index)
                frame = (frame * 255).round().byte()
            yield index, frame

    def frames(self, indices: Sequence[int]) -> Iterator[tuple[int, Frame]]:
        """See source.FrameSource."""
        for index, frame in self.device_frames(indices):
            yield index, frame.cpu().numpy()


def frames_in_memory(video: object, fps: float | None = None) -> FrameSource | None:
    """Arrays, tensors and lists of frames as a FrameSource; None for anything else.

    Args:
        video: an array or tensor (T, H, W, 3) or (T, 3, H, W); or a list of frames (H, W, 3) or
            (3, H, W) or of Pillow images. RGB, uint8 or floating point in [0, 1].
        fps: frames per second, if known.

    Raises:
        VideoError: another shape or type, or frames of different sizes.
    """
    if isinstance(video, list | tuple):
        return _list_source(video, fps)
    if not (isinstance(video, np.ndarray) or _is_tensor(video)):
        return None
    frames = _channels_last(video, 4, "Frames")
    info = _info(frames, fps)
    if isinstance(frames, np.ndarray):
        return (
            ArraySource(frames, fps) if frames.dtype == np.uint8 else ConvertedSource(frames, info)
        )
    if frames.is_cuda:
        return DeviceSource(frames, info)
    if frames.is_floating_point():
        return ConvertedSource(frames, info)
    return ArraySource(frames.cpu().numpy(), fps)


def to_uint8(frame: NDArray[Any], index: int) -> Frame:
    """A frame in [0, 1] as uint8, rounded to the nearest level; uint8 stays as it is.

    Raises:
        VideoError: values outside [0, 1], or NaN.
    """
    if frame.dtype == np.uint8:
        return frame
    scaled = frame.astype(np.float32, copy=False)
    _check_range(float(scaled.min()), float(scaled.max()), index)
    return np.rint(scaled * np.float32(255)).astype(np.uint8)


def _list_source(frames: Sequence[Any], fps: float | None) -> FrameSource:
    if not frames:
        raise VideoError("A list of frames is empty. Pass at least one frame.")
    if isinstance(frames[0], str | bytes) or hasattr(frames[0], "__fspath__"):
        raise VideoError(
            "A list of frames holds paths. Score several videos with score_many, or images of one "
            "video with ImageSequence."
        )
    upright = [_frame(frame, index) for index, frame in enumerate(frames)]
    sizes = [_size(frame) for frame in upright]
    other = next((index for index, size in enumerate(sizes) if size != sizes[0]), None)
    if other is not None:
        (height, width), (first_height, first_width) = sizes[other], sizes[0]
        raise VideoError(
            f"Frame {other} is {width}x{height} and frame 0 is {first_width}x{first_height}. "
            "Frames of one video must have one size; scale them first."
        )
    return ConvertedSource(upright, VideoInfo(None, len(upright), *sizes[0], fps, "array"))


def _frame(frame: Any, index: int) -> Any:
    """One frame of a list with its channels last."""
    if _is_image(frame):
        if frame.mode not in GREY_OR_RGB:
            raise VideoError(
                f"Frame {index} is an image of mode {frame.mode!r}. Convert it with "
                "image.convert('RGB')."
            )
        return frame
    if not (isinstance(frame, np.ndarray) or _is_tensor(frame)):
        raise VideoError(
            f"Frame {index} of a list is of type {type(frame).__name__}. A list holds arrays, "
            "tensors or Pillow images."
        )
    return _channels_last(frame, 3, f"Frame {index}")


def _channels_last(frames: Any, dims: int, name: str) -> Any:
    """A view of pixels with the channels last, if layout and type are clear.

    Args:
        frames: an array or tensor.
        dims: dimensions that it must have, 4 for a video and 3 for a frame.
        name: what it is, for the message.

    Raises:
        VideoError: another shape or type.
    """
    shape = tuple(frames.shape)
    kind = str(frames.dtype).removeprefix("torch.")
    problem = f"{name} must be {LAYOUTS[dims]} RGB, uint8 or float in [0, 1], got {shape} {kind}."
    if len(shape) != dims:
        raise VideoError(f"{problem} {_other_dims(shape, dims)}")
    if 0 in shape:
        raise VideoError(f"{problem} They hold no pixels.")
    last, first = shape[-1] == 3, shape[-3] == 3
    if last and first:
        raise VideoError(
            f"{problem} Both layouts fit. Pass ArraySource(frames) for (T, H, W, 3) uint8, or a "
            "video of another size."
        )
    if not (last or first):
        raise VideoError(f"{problem} {_other_channels(shape)}")
    if kind != "uint8" and not kind.startswith(("float", "bfloat")):
        raise VideoError(f"{problem} {_other_type(kind)}")
    if not isinstance(frames, np.ndarray):
        if frames.is_meta or frames.layout != sys.modules["torch"].strided:
            raise VideoError(f"{problem} Pass a dense tensor that holds its values.")
        frames = frames.detach()
    return frames if last else _moved(frames)


def _moved(frames: Any) -> Any:
    """A view with the channels moved from third last to last."""
    if isinstance(frames, np.ndarray):
        return np.moveaxis(frames, -3, -1)
    return frames.movedim(-3, -1)


def _other_dims(shape: tuple[int, ...], dims: int) -> str:
    if len(shape) == dims + 1:
        return "Pass one at a time, such as frames[0]."
    if dims == 4 and len(shape) == 3 and 3 in (shape[-1], shape[0]):
        return "Add the missing axis with frames[None]."
    if len(shape) == dims - 1:
        return "Repeat grey frames in three channels."
    return "Stack RGB frames, such as with np.stack(frames)."


def _other_channels(shape: tuple[int, ...]) -> str:
    if shape[0] == 3 and len(shape) == 4:
        return "(3, T, H, W) is not supported; swap the first two axes."
    if 4 in (shape[-1], shape[-3]):
        return "Drop the fourth channel (alpha)."
    if 1 in (shape[-1], shape[-3]):
        return "Repeat the grey channel three times."
    return "Convert it to three channels."


def _other_type(kind: str) -> str:
    if kind == "uint16":
        return "Convert 16-bit values with (frames // 257), then to uint8."
    return "Convert values in [0, 255] to uint8."


def _check_range(low: float, high: float, index: int) -> None:
    """Raise VideoError unless values are in [0, 1]; NaN fails every comparison."""
    if low >= 0 and high <= 1:
        return
    if low != low or high != high:
        fix = "Replace NaN first"
    elif low >= -1 and high <= 1:
        fix = "If the values are in [-1, 1], convert them with (frames + 1) / 2"
    elif low >= 0 and high <= 255:
        fix = "If the values are in [0, 255], divide them by 255"
    else:
        fix = "Clip them to [0, 1]"
    raise VideoError(
        f"Frame {index} holds values from {low:g} to {high:g}; floating-point frames must be in "
        f"[0, 1]. {fix}."
    )


def _array(frame: Any) -> NDArray[Any]:
    """A frame as an array (H, W, 3)."""
    if isinstance(frame, np.ndarray):
        return frame
    if _is_tensor(frame):
        array: NDArray[Any] = (frame.float() if frame.is_floating_point() else frame).cpu().numpy()
        return array
    return np.asarray(frame if frame.mode == "RGB" else frame.convert("RGB"))


def _info(frames: Any, fps: float | None) -> VideoInfo:
    """Metadata of frames (T, H, W, 3)."""
    if 0 in frames.shape:
        raise VideoError(f"An array of frames must hold pixels, got {tuple(frames.shape)}.")
    num_frames, height, width, _ = frames.shape
    return VideoInfo(None, num_frames, height, width, fps, "array")


def _size(frame: Any) -> tuple[int, int]:
    """Height and width in pixels."""
    if _is_image(frame):
        width, height = frame.size
        return height, width
    height, width = frame.shape[:2]
    return height, width


def _is_tensor(value: object) -> "TypeGuard[Tensor]":
    torch = sys.modules.get("torch")  # whoever passes a tensor has imported it
    return torch is not None and isinstance(value, torch.Tensor)


def _is_image(value: object) -> "TypeGuard[Image]":
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(value, pillow.Image)
