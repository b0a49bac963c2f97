"""One optimizer step at a time, and the EMA weights."""

from collections.abc import Callable
from math import cos, isfinite, pi
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from dover_plugin.networks import Dover
from dover_plugin.preprocessing.sampling import BRANCHES
from dover_plugin.training.data import Batch
from dover_plugin.training.features import branch_features, raw_scores
from dover_plugin.training.losses import view_biased_loss
from dover_plugin.training.model import HEADS
from dover_plugin.training.run_folder import TrainingError
from dover_plugin.training.settings import TrainSettings

MAX_NORM = 5.0  # of the gradient; a larger gradient is scaled down to it
MAX_WARMUP = 0.5  # share of all steps, so that short runs reach the peak learning rate


class Learner:
    """A network with its optimizer and EMA weights.

    Args:
        network: network to train; it is moved to ``device``.
        settings: settings of the run.
        device: device to train on.
    """

    def __init__(self, network: Dover, settings: TrainSettings, device: torch.device) -> None:
        self.settings = settings
        self.device = device
        self.step = 0
        self.learning_rate = 0.0
        self.network = network.to(device)
        self._branches = [each for each in BRANCHES if settings.trains(f"{each}_head.")]
        heads: list[torch.nn.Parameter] = []
        backbones: list[torch.nn.Parameter] = []
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(settings.trains(name))
            if parameter.requires_grad:
                (heads if name.startswith(HEADS) else backbones).append(parameter)
        groups = [
            {"params": parameters, "share": share}
            for parameters, share in ((heads, 1.0), (backbones, settings.backbone_rate))
            if parameters
        ]
        self._optimizer = torch.optim.AdamW(groups, lr=0.0, weight_decay=settings.weight_decay)
        self._average = AveragedModel(
            self.network, multi_avg_fn=_ema_update(settings.ema), use_buffers=False
        )
        # Small gradients underflow in float16 unless the loss is scaled up.
        self._scaler = torch.amp.GradScaler(device.type, enabled=settings.precision == "float16")

    @property
    def averaged(self) -> Dover:
        """The network with the EMA weights, in evaluation mode."""
        return cast(Dover, self._average.module.eval())

    def learn(self, batch: Batch, total_steps: int, steps_per_epoch: int) -> float:
        """Take one step.

        Args:
            batch: collated samples.
            total_steps: number of steps of the run.
            steps_per_epoch: number of steps of an epoch.

        Returns:
            The loss before the step.

        Raises:
            TrainingError: the loss or the gradient is not finite.
        """
        torch.manual_seed((self.settings.seed * 1_000_003 + self.step) % 2**63)  # for dropout
        warmup = min(self.settings.warmup_epochs * steps_per_epoch, MAX_WARMUP * total_steps)
        self.learning_rate = self.settings.learning_rate * _schedule(self.step, total_steps, warmup)
        for group in self._optimizer.param_groups:
            group["lr"] = self.learning_rate * group["share"]
        for name, module in self.network.named_children():
            module.train(self.settings.trains(f"{name}."))
        batch = {name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.items()}
        with self._autocast():
            features = branch_features(self.network, batch, self._branches)
        scores = raw_scores(self.network, features)
        loss = view_biased_loss(scores, batch, self.settings.branch_loss_weight)
        value = float(loss.detach())
        self._check_finite("loss", value, total_steps)
        self._optimizer.zero_grad()
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(self._optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), MAX_NORM)
        if not self._scaler.is_enabled():  # the scaler skips a step whose gradient is not finite
            self._check_finite("gradient", float(norm), total_steps)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._average.update_parameters(self.network)
        self.step += 1
        return value

    def state(self) -> dict[str, Any]:
        """The state that the next step depends on."""
        return {
            "step": self.step,
            "network": self._trained(self.network.state_dict()),
            "average": self._trained(self.averaged.state_dict()),
            "num_averaged": int(self._average.n_averaged),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from ``state``."""
        self.step = state["step"]
        self.network.load_state_dict(state["network"], strict=False)
        self.averaged.load_state_dict(state["average"], strict=False)
        self._average.n_averaged.fill_(state["num_averaged"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])

    def ema_weights(self) -> dict[str, Tensor]:
        """The EMA weights of the trained parts."""
        return self._trained(self.averaged.state_dict())

    def _trained(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The trained part of a state dict; the initial weights hold the rest."""
        return {name: tensor for name, tensor in state.items() if self.settings.trains(name)}

    def _autocast(self) -> torch.autocast:
        """Mixed precision of the backbones; heads and losses stay in float32."""
        precision = self.settings.precision
        return torch.autocast(
            self.device.type, getattr(torch, precision), enabled=precision != "float32"
        )

    def _check_finite(self, name: str, value: float, total_steps: int) -> None:
        if not isfinite(value):
            raise TrainingError(
                f"The {name} is {value} in step {self.step + 1} of {total_steps}. Use a lower "
                "--learning-rate or --precision float32. The last checkpoint is kept."
            )


def _ema_update(decay: float) -> Callable[[Any, Any, Any], None]:
    """An exponential moving average whose decay starts low, so that it forgets its start."""

    def update(averaged: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        steps = int(count)
        torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + steps) / (10 + steps)))

    return torch.no_grad()(update)


def _schedule(step: int, total_steps: int, warmup: float) -> float:
    """Share of the peak learning rate: linear warm-up, then cosine decay."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 0.5 * (1 + cos(pi * (step - warmup) / max(1.0, total_steps - warmup)))
