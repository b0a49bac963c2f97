"""The networks of DOVER and FAST-VQA, their building blocks and configurations."""

from dover_plugin.networks.convnext3d import ConvNeXt3d, ConvNeXtConfig
from dover_plugin.networks.dover import CONFIGS, DOVER, DOVER_MOBILE, DOVER_OPEN, Dover, DoverConfig
from dover_plugin.networks.swin3d import Swin3d, SwinConfig

__all__ = [
    "CONFIGS",
    "DOVER",
    "DOVER_MOBILE",
    "DOVER_OPEN",
    "ConvNeXt3d",
    "ConvNeXtConfig",
    "Dover",
    "DoverConfig",
    "Swin3d",
    "SwinConfig",
]
