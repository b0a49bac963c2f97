"""Images of local quality."""

from io import BytesIO

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dover_plugin.io.source import FrameSource
from dover_plugin.preprocessing.pictures import corners
from dover_plugin.preprocessing.sampling import FRAGMENT, Branch
from dover_plugin.scores import Maps

type Box = tuple[int, int, int, int]

COLOURS = "cividis"  # perceptually uniform; readable with a colour vision deficiency
OPACITY = 0.6
DPI = 100


def local_quality(maps: Maps, branch: Branch) -> NDArray[np.float32]:
    """Map of a branch that was run, averaged over clips and time; its mean is the raw score.

    Returns:
        (7, 7) float32; (4, 4) for fast-vqa-m.
    """
    cells: NDArray[np.float32] = getattr(maps, branch).mean(axis=(0, 1))
    return cells


def fragment_boxes(
    offsets: NDArray[np.int64], whole: tuple[int, int], shown: tuple[int, int]
) -> list[Box]:
    """Positions of the fragments of the technical view in an image of the frame.

    Args:
        offsets: (grid, grid, 2), see sampling.Draw.
        whole: (H, W) of the frame that fragments are cut from.
        shown: (H, W) of the image.

    Returns:
        (top, left, bottom, right) of each fragment, in pixels of the image.
    """
    scale = np.array(shown) / whole
    starts = corners(*whole, offsets).reshape(-1, 2)
    firsts = (starts * scale).astype(int)
    ends = np.maximum(firsts + 1, ((starts + FRAGMENT) * scale).astype(int))
    return [(*first, *end) for first, end in zip(firsts.tolist(), ends.tolist(), strict=True)]


def middle_frame(source: FrameSource) -> NDArray[np.uint8]:
    """The middle frame of a video, (H, W, 3) uint8 RGB.

    Raises:
        VideoError: the frame cannot be decoded.
    """
    [(_, frame)] = source.frames([source.info.num_frames // 2])
    return frame


def draw_maps(maps: Maps, frame: NDArray[np.uint8]) -> bytes:
    """The map of each branch that was run over its part of a frame, side by side, as PNG.

    Colours compare locations within this video; each map has its own scale. A technical cell
    describes the fragment at its position, an aesthetic cell a part of the frame and its
    surroundings.

    Args:
        maps: quality maps; see Scores.maps.
        frame: (H, W, 3) uint8 RGB.
    """
    seen = [frame[maps.parts[branch]] if maps.parts else frame for branch in maps.branches]
    height, width, _ = seen[0].shape
    count = len(maps.branches)
    size = (4.5 * count, min(8.0, 4.5 * height / width) + 0.9)
    figure = Figure(figsize=size, dpi=DPI, layout="tight")
    places = figure.subplots(1, count, squeeze=False)[0]
    for axes, branch, part in zip(places, maps.branches, seen, strict=True):
        cells = local_quality(maps, branch)
        worst, best = float(cells.min()), float(cells.max())
        height, width, _ = part.shape
        axes.imshow(part.mean(axis=2), cmap="gray", vmin=0, vmax=255)
        axes.set_title(branch.capitalize(), fontsize=11)
        axes.set_axis_off()
        shown = axes.imshow(
            cells,
            cmap=COLOURS,
            norm=Normalize(worst, best),
            alpha=OPACITY,
            extent=(-0.5, width - 0.5, height - 0.5, -0.5),
            interpolation="nearest",
        )
        bar = figure.colorbar(shown, ax=axes, orientation="horizontal", fraction=0.05, pad=0.03)
        bar.set_ticks([worst, best], labels=["worst", "best"])
        bar.ax.tick_params(length=0, labelsize=9)
    png = BytesIO()
    figure.savefig(png, format="png", bbox_inches="tight", pad_inches=0.15)
    return png.getvalue()
