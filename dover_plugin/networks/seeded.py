"""Reproducible untrained weights for tests, benchmarks and demonstrations.

Every tensor comes from a random generator that is seeded with the tensor's name, so golden values
computed with these weights hold on every machine.
"""

import math
import zlib

import numpy as np
import torch
from torch import Tensor

from dover_plugin.networks.dover import Dover, DoverConfig


def seeded_state_dict(config: DoverConfig) -> dict[str, Tensor]:
    """Untrained float32 weights for ``config``: a complete state dict, buffers included.

    A tensor's noise depends on its name in published files.
    """

    def name_in_files(key: str) -> str:
        for theirs, ours in config.published_names:
            if key.startswith(ours):
                return theirs + key.removeprefix(ours)
        return key

    return {
        key: _sample(name_in_files(key), tensor) if tensor.is_floating_point() else tensor
        for key, tensor in Dover(config).state_dict().items()
    }


def _sample(key: str, like: Tensor) -> Tensor:
    shape = tuple(like.shape)
    noise = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape)
    name = key.rsplit(".", 1)[-1]
    if name.endswith("bias_table"):
        values = 0.5 * noise
    elif name in ("bias", "beta"):
        values = 0.1 * noise
    elif len(shape) == 1:  # weights of norms, layer scale
        values = 1 + 0.1 * noise
    elif name == "gamma":  # global response norm
        values = 0.1 * noise
    else:
        values = noise / math.sqrt(math.prod(shape[1:]))
    return torch.from_numpy(values.astype(np.float32))
