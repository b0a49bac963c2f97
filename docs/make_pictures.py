"""Draw the pictures of the documentation: ``python docs/make_pictures.py``.

All pictures show Big Buck Bunny (c) Blender Foundation, CC BY 3.0, and scores of dover-open.
"""

import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyArrowPatch, Rectangle

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

from clips import film, write_clip

from dover_plugin import ArraySource, Scorer, open_source
from dover_plugin.preprocessing.pictures import aesthetic_picture, technical_mosaic
from dover_plugin.preprocessing.sampling import FRAGMENT, GRID, draw

IMAGES = Path(__file__).parent / "images"
BLUE, ORANGE = "#0072b2", "#d55e00"


def two_views() -> None:
    """A frame, its two views, and the scores of the clip."""
    frames = np.stack(list(film(64)))
    frame, scores = frames[40], Scorer("dover-open", "cpu").score(ArraySource(frames))
    offsets = draw(240, 720, 1280).offsets[0]
    figure = plt.figure(figsize=(11, 4.6), dpi=150)
    axes = {
        "frame": figure.add_axes((0.02, 0.2, 0.42, 0.6)),
        "technical": figure.add_axes((0.53, 0.53, 0.2, 0.42)),
        "aesthetic": figure.add_axes((0.53, 0.03, 0.2, 0.42)),
    }
    axes["frame"].imshow(frame)
    for i in range(GRID):
        for j in range(GRID):
            row, col = offsets[i, j] + (720 // GRID * i, 1280 // GRID * j)
            axes["frame"].add_patch(
                Rectangle((col, row), FRAGMENT, FRAGMENT, fill=False, color=BLUE, lw=1.4)
            )
    height, width, _ = frame.shape
    axes["frame"].add_patch(
        Rectangle((0, 0), width - 1, height - 1, fill=False, color=ORANGE, lw=4)
    )
    axes["frame"].set_title("a frame of the video", fontsize=11)
    axes["technical"].imshow(technical_mosaic(frame, offsets))
    axes["aesthetic"].imshow(aesthetic_picture(frame))
    for ax in axes.values():
        ax.set_axis_off()
    for y, colour, name, what in (
        (
            0.74,
            BLUE,
            f"technical {scores.technical:.2f}",
            "49 fragments at full\nresolution: blur, noise,\ncompression",
        ),
        (
            0.24,
            ORANGE,
            f"aesthetic {scores.aesthetic:.2f}",
            "the whole frame, resized:\ncontent, composition,\nexposure, colour",
        ),
    ):
        figure.add_artist(_arrow((0.45, 0.5 + (y - 0.5) / 3), (0.525, y), colour))
        figure.text(0.75, y, name, color=colour, weight="bold", va="bottom", fontsize=11)
        figure.text(0.75, y - 0.02, what, va="top", fontsize=9)
        figure.add_artist(_arrow((0.88, y), (0.915, 0.5 + (y - 0.5) / 4), colour))
    figure.text(
        0.92, 0.5, f"overall\n{scores.overall:.2f}", weight="bold", va="center", fontsize=12
    )
    figure.savefig(IMAGES / "two-views.png", facecolor="white")
    plt.close(figure)


def levels() -> None:
    """The same part of a frame in five encodes, from good to bad."""
    encodes = (((720, 1280), 16), ((720, 1280), 28), ((720, 1280), 36), ((720, 1280), 45),
               ((360, 640), 48))  # fmt: skip
    scorer = Scorer("dover-open", "cpu")
    figure, axes = plt.subplots(1, len(encodes), figsize=(12.5, 3.1), dpi=150)
    with tempfile.TemporaryDirectory() as folder:
        for ax, ((height, width), crf) in zip(axes, encodes, strict=True):
            path = write_clip(Path(folder) / f"{height}_{crf}.mp4", 72, (height, width), crf)
            scores = scorer.score(path)
            ((_, frame),) = open_source(path).frames([40])
            top, left, size = height * 8 // 100, width * 28 // 100, height * 45 // 100
            ax.imshow(frame[top : top + size, left : left + size], interpolation="bicubic")
            ax.set_axis_off()
            ax.set_title(f"{grade(scores.overall)}  {scores.overall:.2f}", weight="bold")
            ax.text(
                0.5,
                -0.05,
                f"{height} lines, crf {crf}\ntechnical {scores.technical:.2f}\n"
                f"aesthetic {scores.aesthetic:.2f}",
                transform=ax.transAxes,
                ha="center",
                va="top",
                fontsize=9,
            )
    figure.subplots_adjust(0.01, 0.2, 0.99, 0.88, wspace=0.04)
    figure.savefig(IMAGES / "levels.png", facecolor="white")
    plt.close(figure)


def grade(overall: float) -> str:
    """The word of the five-grade scale for an overall score of dover-open."""
    return ("bad", "poor", "fair", "good", "excellent")[min(4, int(overall * 5))]


def vapoursynth() -> None:
    """A frame with its scores drawn by text.FrameProps."""
    import vapoursynth as vs

    from vs_filter import dover

    core = vs.core
    with tempfile.TemporaryDirectory() as folder:
        path = write_clip(Path(folder) / "clip.mp4", 48, (540, 960), crf=30)
        clip = core.bs.VideoSource(str(path), cachemode=0)
        scored = dover(clip, model="dover-open", device="cpu", segment="2s")
        shown = ["DoverOverall", "DoverTechnical", "DoverAesthetic", "DoverSegment", "DoverModel"]
        rgb = scored.text.FrameProps(props=shown, scale=2).resize.Bicubic(
            format=vs.RGB24, matrix_in_s="470bg"
        )
        frame = rgb.get_frame(24)
        plt.imsave(IMAGES / "vapoursynth.png", np.dstack([np.asarray(frame[p]) for p in range(3)]))


def _arrow(start: tuple[float, float], end: tuple[float, float], colour: str) -> FancyArrowPatch:
    return FancyArrowPatch(
        start,
        end,
        transform=plt.gcf().transFigure,
        arrowstyle="-|>",
        color=colour,
        lw=2,
        mutation_scale=16,
    )


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    two_views()
    levels()
    vapoursynth()
