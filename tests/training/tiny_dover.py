"""The command ``dover`` with the small model and the short clips of the training tests."""

import torch
from train_helpers import MODEL, TINY

from dover_plugin.cli import main
from dover_plugin.networks import CONFIGS
from dover_plugin.preprocessing.sampling import SamplingRule
from dover_plugin.training import dataset

torch.set_num_threads(1)
CONFIGS[MODEL] = TINY
dataset.RULE = SamplingRule(clip_len=2)

if __name__ == "__main__":
    main()
