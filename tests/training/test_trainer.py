"""Training for a few steps: convergence, exact resume, frozen parts, and errors."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import publish
from safetensors.torch import load_file
from torch import Tensor
from train_helpers import (
    CPU,
    HEADS,
    MODEL,
    SETTINGS,
    at_step,
    fail,
    losses,
    run,
    same_weights,
)

from dover_plugin.errors import SettingsError, VideoError, WeightsError
from dover_plugin.evaluation.labels import LabelledVideo
from dover_plugin.preprocessing.sampling import draw
from dover_plugin.training import dataset, settings as settings_module
from dover_plugin.training.artifacts import save_artifacts
from dover_plugin.training.run_folder import TrainingError
from dover_plugin.training.settings import TrainSettings
from dover_plugin.weights.load import load_network
