"""Features of both branches, and the raw scores that the heads compute from them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

from torch import Tensor, nn

from dover_plugin.networks import Dover
from dover_plugin.networks.efficientnet import FrameFeatures, black_cells, fill_black
from dover_plugin.preprocessing.normalise import normalise
from dover_plugin.preprocessing.sampling import BRANCHES


class Features(NamedTuple):
    """Features of one branch.

    Attributes:
        values: (..., T', 7, 7, C) features.
        black: (..., T', 7, 7) cells that do not count; None if the model counts all cells.
    """

    values: Tensor
    black: Tensor | None

    def reshape_clips(self, *shape: int) -> "Features":
        """Replace the leading dimensions by ``shape``."""
        values, black = self
        return Features(
            values.reshape(*shape, *values.shape[-4:]),
            None if black is None else black.reshape(*shape, *black.shape[-3:]),
        )


def clip_features(backbone: nn.Module, clips: Tensor) -> Features:
    """Run a backbone.

    Args:
        backbone: backbone of one branch.
        clips: (N, T, 224, 224, 3) uint8.

    Returns:
        Features with the leading dimension N.
    """
    normalised = normalise(clips)
    # Network dover-open ignores black cells, such as letterbox bars; see Dover.technical_map.
    black = None
    if isinstance(backbone, FrameFeatures):
        black = black_cells(backbone.select(normalised))
    return Features(backbone(normalised), black)


def branch_features(
    network: Dover, batch: Mapping[str, Tensor], branches: Sequence[str] = BRANCHES
) -> dict[str, Features]:
    """Features by branch in float32, with the leading dimensions (N, clips).

    Args:
        network: network whose backbones run if the batch holds views.
        batch: collated samples of features or of views.
        branches: branches to compute.
    """
    features = {}
    for branch in branches:
        if f"{branch}_features" in batch:
            found = Features(batch[f"{branch}_features"], batch.get(f"{branch}_black"))
        else:
            view = batch[f"{branch}_view"]  # (N, clips, T, H, W, 3)
            backbone = getattr(network, f"{branch}_backbone")
            found = clip_features(backbone, view.flatten(0, 1)).reshape_clips(*view.shape[:2])
        features[branch] = found._replace(values=found.values.float())
    return features


def raw_scores(network: Dover, features: Mapping[str, Features]) -> dict[str, Tensor]:
    """Raw scores (N,) by branch: means of the maps of local quality.

    Args:
        network: network whose heads run.
        features: features by branch, see branch_features.
    """
    scores = {}
    for branch, each in features.items():
        count, clips = each.values.shape[:2]
        values, black = each.reshape_clips(count * clips)
        maps = getattr(network, f"{branch}_head")(values)  # (N * clips, T', 7, 7)
        if black is not None:
            maps = fill_black(maps, black)
        scores[branch] = cast(Tensor, maps.float().mean(dim=(1, 2, 3)).view(count, clips).mean(1))
    return scores
