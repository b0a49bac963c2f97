"""Quality maps drawn over a video, frame by frame."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dover_plugin.analysis.quality_map import COLOURS, OPACITY, Box, fragment_boxes
from dover_plugin.errors import SettingsError
from dover_plugin.io.options import USUAL_RATE
from dover_plugin.io.source import Frame, FrameSource
from dover_plugin.io.write import replacing
from dover_plugin.preprocessing.bars import NO_BARS, inside
from dover_plugin.preprocessing.pictures import fitted_offsets
from dover_plugin.preprocessing.sampling import Branch, Draw, fragment_size
from dover_plugin.scores import Maps

type Size = tuple[int, int]  # (H, W)

WIDTH = 640  # maximum width of each of the two frames, in pixels
TITLE, LEGEND = 32, 44  # heights of the strips above and below
PAPER, INK = (20, 23, 26), (235, 235, 235)


def write_map_video(
    maps: Maps,
    draw: Draw,
    source: FrameSource,
    path: Path,
    done: Callable[[int, int], None] = lambda *_: None,
) -> None:
    """Write the map of each branch that was run over the frames, side by side, as H.264.

    A frame shows the map of the moment nearest to it that the model looked at. Colours have one
    scale over the whole video, one for each side.

    Args:
        maps: quality maps of the video; see Scores.maps.
        draw: sampled frames and fragments.
        source: the video.
        path: .mp4 file to write.
        done: called with the number of frames written and the total.

    Raises:
        SettingsError: it cannot be written there.
        VideoError: a frame cannot be decoded.
    """
    info = source.info
    scale = min(1.0, WIDTH / info.width)
    width, height = (2 * max(8, round(side * scale / 2)) for side in (info.width, info.height))
    whole, shown = (info.height, info.width), (height, width)
    sides = [_Side(maps, draw, branch, whole, shown) for branch in maps.branches]
    try:
        with replacing(path) as part, av.open(str(part), "w", format="mp4") as container:
            rate = Fraction(info.fps or USUAL_RATE).limit_denominator(1001)
            stream = container.add_stream("libx264", rate=rate, options={"crf": "20"})
            stream.width, stream.height = len(sides) * width, height + TITLE + LEGEND
            stream.pix_fmt = "yuv420p"
            for index, frame in source.frames(range(info.num_frames)):
                small = np.asarray(Image.fromarray(frame).resize((width, height)))
                picture = np.hstack([side.picture(small, index) for side in sides])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
                done(index + 1, info.num_frames)
            container.mux(stream.encode(None))
    except av.FFmpegError as error:
        raise SettingsError(f"Cannot write '{path}': {error.strerror or error}.") from None


class _Side:
    """The map of one branch over time, and its colours.

    Args:
        maps: quality maps.
        draw: sampled frames and fragments.
        branch: branch to draw.
        whole: (H, W) of the video.
        shown: (H, W) of the drawn frames.
    """

    def __init__(self, maps: Maps, draw: Draw, branch: Branch, whole: Size, shown: Size) -> None:
        local: NDArray[np.float32] = getattr(maps, branch)  # (clips, T, 7, 7), or (clips, T, 4, 4)
        frames = draw.technical if branch == "technical" else draw.aesthetic[None]
        self._grid = local.shape[-1]
        self._cells = local.reshape(-1, self._grid, self._grid)
        self._moments = (
            frames.reshape(len(local), local.shape[1], -1).mean(axis=2).ravel()
        )  # of each map
        self._per_clip = local.shape[1]
        self._low, self._high = float(local.min()), float(local.max())
        self._strips = _strips(branch, shown[1])
        self._draw, self._branch = draw, branch
        self._whole, self._shown = whole, shown
        self._part = maps.parts.get(branch, inside(NO_BARS, *whole))

    def picture(self, frame: Frame, index: int) -> Frame:
        """The grey frame under the map of the nearest moment, between title and legend.

        Args:
            frame: (H, W, 3), reduced to the size that is shown.
            index: of the frame in the video.
        """
        nearest = int(np.abs(self._moments - index).argmin())
        cells = (self._cells[nearest] - self._low) / max(self._high - self._low, 1e-12)
        colours = colormaps[COLOURS](cells)[..., :3] * 255  # (7, 7, 3)
        painted = np.repeat(frame.mean(axis=2, keepdims=True), 3, axis=2)
        place = tuple(
            slice(each.start * shown // side, each.stop * shown // side)
            for each, shown, side in zip(self._part, self._shown, self._whole, strict=True)
        )
        covered = painted[place]  # a view
        rows, columns = (np.arange(side) * self._grid // side for side in covered.shape[:2])
        covered *= 1 - OPACITY
        covered += colours[rows][:, columns] * OPACITY
        if self._branch == "technical":
            for top, left, bottom, right in self._outlines(nearest // self._per_clip, covered):
                covered[top:bottom, [left, right - 1]] = 255
                covered[[top, bottom - 1], left:right] = 255
        return np.vstack([self._strips[0], painted.astype(np.uint8), self._strips[1]])

    def _outlines(self, clip: int, covered: NDArray[np.float64]) -> list[Box]:
        rows, columns = (each.stop - each.start for each in self._part)
        size = rows, columns
        offsets = fitted_offsets(self._draw.offsets[clip], self._whole, size)
        cut_from = fragment_size(*size, self._draw.rule.view)
        return fragment_boxes(offsets, cut_from, covered.shape[:2])


def _strips(branch: Branch, width: int) -> tuple[Frame, Frame]:
    """The title above the frame, and the colour legend below it."""
    title = Image.new("RGB", (width, TITLE), PAPER)
    font = ImageFont.load_default(16)
    ImageDraw.Draw(title).text((12, TITLE // 2), branch, INK, font, anchor="lm")
    legend = Image.new("RGB", (width, LEGEND), PAPER)
    ramp = colormaps[COLOURS](np.linspace(0, 1, max(2, width - 24)))[None, :, :3] * 255
    legend.paste(Image.fromarray(np.repeat(ramp.astype(np.uint8), 10, axis=0)), (12, 8))
    pen, small = ImageDraw.Draw(legend), ImageFont.load_default(13)
    pen.text((12, 24), "worst place", INK, small)
    pen.text((width - 12, 24), "best place", INK, small, anchor="ra")
    return np.asarray(title), np.asarray(legend)
