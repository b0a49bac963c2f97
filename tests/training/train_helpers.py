"""A small model and settings for fast training tests."""

from dover_plugin.networks import CONFIGS
from dover_plugin.networks.convnext3d import ConvNeXtConfig
from dover_plugin.networks.dover import DoverConfig
from dover_plugin.training.settings import TrainSettings

MODEL = "dover-mobile"  # CONFIGS holds TINY under this name while a test runs
_TINY_BACKBONE = ConvNeXtConfig((1, 1, 1, 1), (4, 8, 8, 16), global_response_norm=True)
TINY = DoverConfig(technical=_TINY_BACKBONE, aesthetic=_TINY_BACKBONE, head_hidden=8, dropout=0.2)
SETTINGS = TrainSettings(
    model=MODEL, init=MODEL, trainable="all", epochs=2, batch_size=4, backbone_rate=1.0,
    warmup_epochs=0.5, seed=1, cached_samples=0,
)  # fmt: skip


def install_tiny_model() -> None:
    """Replace the architecture of MODEL in this process."""
    CONFIGS[MODEL] = TINY
