"""The command ``dover`` with the small model and the short clips of the training tests."""

from functools import partial

import torch
from train_helpers import MODEL, TINY

from dover_plugin.cli import main
from dover_plugin.networks import CONFIGS
from dover_plugin.preprocessing.sampling import draw
from dover_plugin.training import dataset

torch.set_num_threads(1)
CONFIGS[MODEL] = TINY
dataset.draw = partial(draw, clip_len=2)

if __name__ == "__main__":
    main()
