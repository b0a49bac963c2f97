"""A small model, settings, and comparisons that the training tests share."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dover_plugin.evaluation.labels import LabelledVideo
from dover_plugin.networks.convnext3d import ConvNeXtConfig
from dover_plugin.networks.dover import DoverConfig
from dover_plugin.training.settings import TrainSettings
from dover_plugin.training.trainer import TrainingResult, train
from dover_plugin.weights import registry, store
from dover_plugin.weights.download import sha256_of

CPU = torch.device("cpu")
MODEL = "dover-mobile"
_BACKBONE = ConvNeXtConfig((0, 0, 0, 1), (4, 8, 8, 16), global_response_norm=True)
TINY = DoverConfig(technical=_BACKBONE, aesthetic=_BACKBONE, head_hidden=8, dropout=0.2)
SETTINGS = TrainSettings(
    model=MODEL, init=MODEL, trainable="all", epochs=2, batch_size=4, backbone_rate=1.0,
    warmup_epochs=0.5, seed=1, cached_samples=0,
)  # fmt: skip
HEADS = TrainSettings(model=MODEL, init=MODEL, epochs=3, batch_size=4, seed=1, cached_samples=2)


def publish(monkeypatch: pytest.MonkeyPatch, state: dict[str, Tensor]) -> None:
    """Write weights of MODEL to the cache, and their hash to the registry."""
    file = store.cached(MODEL)
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, file)
    row = replace(registry.published(MODEL), sha256=sha256_of(file))
    rows = tuple(row if each.model == MODEL else each for each in registry.registry())
    monkeypatch.setattr(registry, "registry", lambda: rows)


def run(
    labels: list[LabelledVideo],
    folder: Path,
    settings: TrainSettings = SETTINGS,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> TrainingResult:
    return train(labels, settings, folder, device=CPU, progress=progress)


def losses(folder: Path) -> list[float]:
    with (folder / "log.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def same_weights(one: TrainingResult, other: TrainingResult) -> bool:
    pairs = zip(one.network.state_dict().values(), other.network.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def fail() -> None:
    raise RuntimeError("power failure")


def at_step(step: int, action: Callable[[], None]) -> Callable[[str, int, int], None]:
    def progress(name: str, done: int, _: int) -> None:
        if name == "training" and done == step:
            action()

    return progress
