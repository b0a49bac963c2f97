"""The fixed noise on the input of the network, in training and in the packaged weights."""

import numpy as np
import torch
from torch import Tensor

from dover_plugin.networks.efficientnet import CELL
from dover_plugin.preprocessing.normalise import STD
from recipes.dover_open.config import Recipe


def input_noise(recipe: Recipe) -> Tensor:
    """Noise of one cell in units of the normalised input, (3, 32, 32) float16.

    It masks changes of the picture that are too small to be seen, such as dithering.

    Args:
        recipe: strength and seed.
    """
    rng = np.random.default_rng(recipe.seed)
    noise = torch.from_numpy(rng.standard_normal((3, CELL, CELL)).astype(np.float32))
    return (recipe.stages.noise * noise / torch.tensor(STD)[:, None, None]).half()
