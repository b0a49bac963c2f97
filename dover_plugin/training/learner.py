"""A network on its way: one step of training at a time, and the averaged weights that are kept."""

from collections.abc import Callable, Sequence
from math import cos, isfinite, pi
from pathlib import Path
from typing import Any, cast

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from dover_plugin.networks import Dover
from dover_plugin.training.data import Batch, raw_scores
from dover_plugin.training.losses import Opinions, view_biased_loss
from dover_plugin.training.model import head_names
from dover_plugin.training.run import PRECISIONS, TrainingError, TrainSettings

MAX_NORM = 5.0  # of the gradient, beyond which a step would undo many


class Learner:
    """A network, its optimizer and its averaged copy, one step at a time."""

    def __init__(
        self,
        network: Dover,
        settings: TrainSettings,
        device: torch.device,
        folder: Path,
        trackers: Sequence[str],
    ) -> None:
        self.settings = settings
        self.step = 0
        self.rate = 0.0
        AcceleratorState._reset_state(reset_partial_state=True)  # of an earlier training
        self.accelerator = Accelerator(
            cpu=device.type == "cpu",
            mixed_precision=PRECISIONS[settings.precision],
            log_with=list(trackers) or None,
            project_dir=folder,
        )
        self.accelerator.init_trackers("tensorboard")
        heads = head_names(network)
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(settings.what == "all" or name in heads)
        groups = [
            {"params": [p for n, p in network.named_parameters() if n in heads], "share": 1.0},
            {
                "params": [p for n, p in network.named_parameters() if n not in heads],
                "share": settings.backbone_rate,
            },
        ]
        if settings.what == "heads":
            groups.pop()
        self.network = network.to(device)
        optimizer = torch.optim.AdamW(groups, lr=0.0, weight_decay=settings.weight_decay)
        self._average = AveragedModel(
            self.network, multi_avg_fn=_follow(settings.ema), use_buffers=False
        )
        self._network, self._optimizer = self.accelerator.prepare(self.network, optimizer)
        self._compiled: dict[str, Callable[[Tensor], Tensor]] | None = None
        if settings.compiled and settings.what == "all":
            self._compiled = {
                "technical": torch.compile(self.network.technical_map),
                "aesthetic": torch.compile(self.network.aesthetic_map),
            }

    @property
    def averaged(self) -> Dover:
        """The averaged weights, in evaluation mode."""
        return cast(Dover, self._average.module.eval())

    def learn(self, batch: Batch, steps: int, per_epoch: int) -> float:
        """Take one step; returns the loss before it.

        Raises:
            TrainingError: the loss is not a number.
        """
        torch.manual_seed(self.settings.seed * 1_000_003 + self.step)  # of dropout
        self.rate = self.settings.learning_rate * _share(
            self.step, steps, self.settings.warmup_epochs * per_epoch
        )
        for group in self._optimizer.param_groups:
            group["lr"] = self.rate * group["share"]
        batch = {name: tensor.to(self.accelerator.device) for name, tensor in batch.items()}
        self.network.train()
        if self.settings.what == "heads":
            self.network.technical_backbone.eval()
            self.network.aesthetic_backbone.eval()
        with self.accelerator.autocast():
            technical, aesthetic = raw_scores(self.network, batch, self._compiled)
        opinions = Opinions(batch["overall"], batch["technical"], batch["aesthetic"])
        loss = view_biased_loss(technical, aesthetic, opinions, self.settings.together)
        value = float(loss.detach())
        if not isfinite(value):
            raise TrainingError(
                f"The loss became {value} in step {self.step + 1} of {steps}. Take a lower "
                "--learning-rate, or --precision float32; the last good weights are kept."
            )
        self._optimizer.zero_grad()
        self.accelerator.backward(loss)
        if self.accelerator.sync_gradients:
            self.accelerator.clip_grad_norm_(self.network.parameters(), MAX_NORM)
        self._optimizer.step()
        self._average.update_parameters(self.network)
        self.step += 1
        return value

    def state(self) -> dict[str, Any]:
        """All that the next step depends on."""
        scaler = self.accelerator.scaler
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": scaler.state_dict() if scaler else None,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self._average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self.accelerator.scaler and state["scaler"]:
            self.accelerator.scaler.load_state_dict(state["scaler"])


def _follow(slowness: float) -> Callable[[Any, Any, Any], None]:
    """An exponential average that follows quickly at first, so that its start is forgotten."""

    def update(averaged: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        steps = int(count)
        keep = min(slowness, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(averaged, current, 1 - keep)

    return torch.no_grad()(update)


def _share(step: int, steps: int, warmup: float) -> float:
    """Of the highest learning rate: up in a line, then down as a cosine."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 0.5 * (1 + cos(pi * (step - warmup) / max(1.0, steps - warmup)))
