"""DOVER: a technical and an aesthetic branch, each a backbone and a head."""

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

type BackboneConfig = SwinConfig | ConvNeXtConfig | EfficientNetConfig


@dataclass(frozen=True)
class DoverConfig:
    """Sizes of the two branches, of their heads' hidden layer, and what heads drop in training."""

    technical: BackboneConfig
    aesthetic: BackboneConfig
    head_hidden: int
    dropout: float = 0.5


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
CONFIGS = {"dover": DOVER, "dover-mobile": DOVER_MOBILE, "dover++": DOVER, "dover-open": DOVER_OPEN}


def _backbone(config: BackboneConfig) -> Swin3d | ConvNeXt3d | FrameFeatures:
    if isinstance(config, EfficientNetConfig):
        return FrameFeatures(config)
    return Swin3d(config) if isinstance(config, SwinConfig) else ConvNeXt3d(config)


class Dover(nn.Module):
    """Both branches of the model. Constructing it downloads and loads nothing."""

    def __init__(self, config: DoverConfig) -> None:
        super().__init__()
        self.technical_backbone = _backbone(config.technical)
        self.technical_head = QualityHead(
            config.technical.channels, config.head_hidden, config.dropout
        )
        self.aesthetic_backbone = _backbone(config.aesthetic)
        self.aesthetic_head = QualityHead(
            config.aesthetic.channels, config.head_hidden, config.dropout
        )

    def technical_map(self, clips: Tensor) -> Tensor:
        """Local technical quality.

        Args:
            clips: (N, 3, 32, 224, 224) normalised mosaics of fragments.

        Returns:
            (N, T, 7, 7), T = 16, or 8 for dover-open; the branch's raw score is its mean.
        """
        return _quality(self.technical_backbone, self.technical_head, clips)

    def aesthetic_map(self, clips: Tensor) -> Tensor:
        """Local aesthetic quality.

        Args:
            clips: (N, 3, 32, 224, 224) normalised whole frames.

        Returns:
            (N, T, 7, 7), T = 16, or 8 for dover-open; the branch's raw score is its mean.
        """
        return _quality(self.aesthetic_backbone, self.aesthetic_head, clips)

    def forward(self, technical_view: Tensor, aesthetic_view: Tensor) -> tuple[Tensor, Tensor]:
        """Both maps; see technical_map and aesthetic_map."""
        return self.technical_map(technical_view), self.aesthetic_map(aesthetic_view)


def _quality(backbone: nn.Module, head: nn.Module, clips: Tensor) -> Tensor:
    """Local quality; cells of dover-open that are black take the mean of the clip's others."""
    quality: Tensor = head(backbone(clips))
    if isinstance(backbone, FrameFeatures):
        return fill_black(quality, black_cells(backbone.select(clips)))
    return quality
