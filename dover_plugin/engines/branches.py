"""Run the branches that a network has."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from dover_plugin.preprocessing.pictures import Picture
from dover_plugin.preprocessing.sampling import Branch
from dover_plugin.preprocessing.views import Views
from dover_plugin.scores import Maps


def run_branches(
    branches: Sequence[Branch],
    views: Views,
    run: Callable[[Branch, Picture], NDArray[np.float32]],
) -> Maps:
    """The maps of these branches; those of the others are None.

    Args:
        branches: branches of the network.
        views: views of one video.
        run: computes the map (N, T', 7, 7) of one branch from its view (N, T, 224, 224, 3).
    """
    made = {branch: run(branch, getattr(views, branch)) for branch in branches}
    return Maps(made.get("technical"), made.get("aesthetic"))
