"""Outputs of the frozen stages for cached view frames, so that training starts at a later stage."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openvino
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor, nn

from dover_plugin.networks.efficientnet import (
    GRID,
    STAGES,
    EfficientNetLite,
    black_cells,
    cell_statistics,
)
from dover_plugin.preprocessing.normalise import normalise
from dover_plugin.preprocessing.sampling import VIEW
from recipes.dover_open.config import Recipe
from recipes.dover_open.input_noise import input_noise

BATCH = 16
SAVE_EVERY = 320  # frames; a multiple of BATCH
SIDES = (112, 56, 28, 14, 14, 7, 7)  # of the output of each stage in pixels


@dataclass(frozen=True)
class Features:
    """Frozen features of M frames, on disk.

    Attributes:
        maps: (M, H, W, C) float16, output of the last frozen stage.
        cells: (M, 7, 7, C') float16, cell statistics of the frozen stages.
        black: (M, 7, 7) bool, cells that hold nothing but black.
    """

    maps: NDArray[np.float16]
    cells: NDArray[np.float16]
    black: NDArray[np.bool_]

    @classmethod
    def open(cls, folder: Path) -> "Features":
        """Memory-map what cache_features wrote."""
        names = ("maps", "cells", "black")
        return cls(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in names))

    def take(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """Frames of a batch: maps (B, C, H, W) float32, cells (B, C', 7, 7) float32, black."""
        maps, cells = (
            torch.from_numpy(values[rows]).float().permute(0, 3, 1, 2)
            for values in (self.maps, self.cells)
        )
        return maps, cells, torch.from_numpy(self.black[rows])


class FrozenStages(nn.Module):
    """The first stages of a trunk, which see the input noise.

    Args:
        trunk: with ImageNet weights.
        recipe: number of frozen stages, and the noise.
    """

    noise: Tensor

    def __init__(self, trunk: EfficientNetLite, recipe: Recipe) -> None:
        super().__init__()
        stages = recipe.stages.frozen
        self.register_buffer("noise", input_noise(recipe).float().repeat(1, GRID, GRID))
        self.stem = trunk.stem
        self.stages = trunk.stages[:stages]

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, 224, 224) -> last output (B, C, H, W) and cell statistics (B, C', 7, 7)."""
        x = self.stem(frames + self.noise)
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels += cell_statistics(x)
        return x, torch.cat(levels, dim=1)


def cache_features(
    frames: NDArray[np.uint8], target: Path, trunk: EfficientNetLite, recipe: Recipe, threads: int
) -> None:
    """Write the Features of ``frames``; resumes where an earlier call stopped.

    Args:
        frames: (M, 224, 224, 3) RGB.
        target: folder to write to.
        trunk: with ImageNet weights.
        recipe: number of frozen stages, and the noise.
        threads: CPU threads.
    """
    stages = recipe.stages.frozen
    count, side, width = len(frames), SIDES[stages - 1], STAGES[stages - 1].width
    statistics = sum(2 * stage.width for stage in STAGES[:stages])
    progress = target / "progress.txt"
    begin = int(progress.read_text()) if progress.exists() else 0
    if begin == count:
        return
    target.mkdir(parents=True, exist_ok=True)
    shapes: dict[str, tuple[type, tuple[int, ...]]] = {
        "maps": (np.float16, (count, side, side, width)),
        "cells": (np.float16, (count, GRID, GRID, statistics)),
        "black": (np.bool_, (count, GRID, GRID)),
    }
    mode = "r+" if begin else "w+"
    files = {
        name: open_memmap(target / f"{name}.npy", mode, dtype, shape)
        for name, (dtype, shape) in shapes.items()
    }
    network = _compile(FrozenStages(trunk, recipe), threads)
    for start in range(begin, count, BATCH):
        end = min(start + BATCH, count)
        clips = normalise(torch.from_numpy(np.ascontiguousarray(frames[start:end, None])))
        files["black"][start:end] = black_cells(clips)[:, 0].numpy()
        outputs = network(_padded(clips[:, :, 0]).numpy())
        for name, output in zip(("maps", "cells"), outputs.values(), strict=True):
            files[name][start:end] = output.transpose(0, 2, 3, 1)[: end - start]
        if end == count or end % SAVE_EVERY == 0:
            for file in files.values():
                file.flush()
            progress.write_text(str(end))


def _padded(frames: Tensor) -> Tensor:
    """A full batch: the last frame of a shorter one is repeated."""
    missing = BATCH - len(frames)
    return torch.cat([frames, frames[-1:].expand(missing, -1, -1, -1)]) if missing else frames


def _compile(module: nn.Module, threads: int) -> openvino.CompiledModel:
    model = openvino.convert_model(module.eval(), example_input=torch.zeros(BATCH, 3, VIEW, VIEW))
    model.reshape([BATCH, 3, VIEW, VIEW])
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    return openvino.Core().compile_model(model, "CPU", settings)
