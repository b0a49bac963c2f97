"""DOVER: a technical and an aesthetic branch, each a backbone and a head.

FAST-VQA is DOVER's technical branch alone.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from dover_plugin.networks.convnext3d import ConvNeXt3d, ConvNeXtConfig
from dover_plugin.networks.efficientnet import (
    EfficientNetConfig,
    FrameFeatures,
    black_cells,
    fill_black,
)
from dover_plugin.networks.layers import QualityHead
from dover_plugin.networks.swin3d import Swin3d, SwinConfig
from dover_plugin.preprocessing import sampling_rule
from dover_plugin.preprocessing.sampling_rule import BRANCHES, Branch, SamplingRule

type BackboneConfig = SwinConfig | ConvNeXtConfig | EfficientNetConfig


@dataclass(frozen=True)
class DoverConfig:
    """Sizes of the branches, of their heads' hidden layer, and what heads drop in training.

    Attributes:
        technical: backbone of the technical branch.
        aesthetic: backbone of the aesthetic branch; None if the model has none.
        head_hidden: channels of the hidden layer of each head.
        dropout: share of the channels that heads drop in training.
        published_names: beginnings of names in published files, and those of this network.
    """

    technical: BackboneConfig
    aesthetic: BackboneConfig | None
    head_hidden: int
    dropout: float = 0.5
    published_names: tuple[tuple[str, str], ...] = ()

    @property
    def branches(self) -> tuple[Branch, ...]:
        """Branches of the model."""
        return BRANCHES if self.aesthetic else ("technical",)


# Paper section 3; dover.yml and dover-mobile.yml of the reference.
DOVER = DoverConfig(
    technical=SwinConfig(),
    aesthetic=ConvNeXtConfig((3, 3, 9, 3), (96, 192, 384, 768), global_response_norm=False),
    head_hidden=64,
)
_FEMTO = ConvNeXtConfig((2, 2, 6, 2), (48, 96, 192, 384), global_response_norm=True)
DOVER_MOBILE = DoverConfig(technical=_FEMTO, aesthetic=_FEMTO, head_hidden=32)
# This project's own design: both branches see single frames.
_LITE = EfficientNetConfig()
DOVER_OPEN = DoverConfig(technical=_LITE, aesthetic=_LITE, head_hidden=64, dropout=0.3)
# FAST-VQA, section 3; fast-b.yml and fast-m.yml of its repository.
_FAST_VQA_NAMES = (
    ("fragments_backbone.", "technical_backbone."),
    ("vqa_head.", "technical_head."),
)
FAST_VQA = DoverConfig(
    technical=SwinConfig(),
    aesthetic=None,
    head_hidden=64,
    published_names=_FAST_VQA_NAMES,
)
FAST_VQA_M = DoverConfig(
    # The implementation scales its windows of 4x4x4 tokens, made for clips of 32x224x224, to clips
    # of 16x128x128; the shift of 2 is then a whole window.
    technical=SwinConfig(window=(2, 2, 2), table_window=(4, 4, 4), fragment_bias_stages=0),
    aesthetic=None,
    head_hidden=64,
    published_names=_FAST_VQA_NAMES,
)
CONFIGS = {
    "dover": DOVER,
    "dover-mobile": DOVER_MOBILE,
    "dover++": DOVER,
    "dover-open": DOVER_OPEN,
    "fast-vqa": FAST_VQA,
    "fastervqa": FAST_VQA,
    "fast-vqa-m": FAST_VQA_M,
}


def _backbone(config: BackboneConfig) -> Swin3d | ConvNeXt3d | FrameFeatures:
    if isinstance(config, EfficientNetConfig):
        return FrameFeatures(config)
    return Swin3d(config) if isinstance(config, SwinConfig) else ConvNeXt3d(config)


class Dover(nn.Module):
    """The branches of the model. Constructing it downloads and loads nothing.

    Args:
        config: sizes of the network.
        rule: the views that it sees; a branch without a view is not built.
    """

    def __init__(self, config: DoverConfig, rule: SamplingRule = sampling_rule.DOVER) -> None:
        super().__init__()
        self.rule = rule
        self.branches = tuple(branch for branch in config.branches if branch in rule.branches)
        for branch in self.branches:
            size: BackboneConfig = getattr(config, branch)
            head = QualityHead(size.channels, config.head_hidden, config.dropout)
            self.add_module(f"{branch}_backbone", _backbone(size))
            self.add_module(f"{branch}_head", head)

    def quality_map(self, branch: Branch, clips: Tensor) -> Tensor:
        """Local quality by one of ``branches``; see technical_map and aesthetic_map."""
        return _quality(
            self.get_submodule(f"{branch}_backbone"), self.get_submodule(f"{branch}_head"), clips
        )

    def technical_map(self, clips: Tensor) -> Tensor:
        """Local technical quality.

        Args:
            clips: (N, 3, 32, 224, 224) normalised mosaics of fragments; (N, 3, 16, 128, 128) for
                fast-vqa-m.

        Returns:
            (N, T, 7, 7), T = 16, or 8 for dover-open; (N, 8, 4, 4) for fast-vqa-m. The branch's
            raw score is its mean.
        """
        return self.quality_map("technical", clips)

    def aesthetic_map(self, clips: Tensor) -> Tensor:
        """Local aesthetic quality.

        Args:
            clips: (N, 3, 32, 224, 224) normalised whole frames.

        Returns:
            (N, T, 7, 7), T = 16, or 8 for dover-open; the branch's raw score is its mean.
        """
        return self.quality_map("aesthetic", clips)

    def forward(self, technical_view: Tensor, aesthetic_view: Tensor) -> tuple[Tensor, Tensor]:
        """Both maps; see technical_map and aesthetic_map."""
        return self.technical_map(technical_view), self.aesthetic_map(aesthetic_view)


def _quality(backbone: nn.Module, head: nn.Module, clips: Tensor) -> Tensor:
    """Local quality; cells of dover-open that are black take the mean of the clip's others."""
    quality: Tensor = head(backbone(clips))
    if isinstance(backbone, FrameFeatures):
        return fill_black(quality, black_cells(backbone.select(clips)))
    return quality
