"""A network on its way: one step of training at a time, and the averaged weights that are kept."""

from collections.abc import Callable, Sequence
from math import cos, isfinite, pi
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from dover_plugin.networks import Dover
from dover_plugin.training.also import Also
from dover_plugin.training.data import Backbone, Batch, branch_scores, features_of, raw_scores
from dover_plugin.training.examples import BRANCHES
from dover_plugin.training.losses import Labels, pair_loss, view_biased_loss
from dover_plugin.training.model import head_names
from dover_plugin.training.pairs import draw_pairs
from dover_plugin.training.run import WHAT, TrainingError, TrainSettings

MAX_NORM = 5.0  # of the gradient, beyond which a step would undo many
MUON_RATE = 5.0  # times AdamW's, whose steps differ more from one weight to the next
MAX_WARMUP = 0.5  # of all steps; a short training would end before it began


class Learner:
    """A network, its optimizer and its averaged copy, one step at a time.

    Args:
        network: to train; it is moved to ``device``.
        settings: of the training.
        device: where it runs.
        also: other columns of the training labels, (N, K), to be learnt besides.
    """

    def __init__(
        self,
        network: Dover,
        settings: TrainSettings,
        device: torch.device,
        also: Sequence[Sequence[float]] = (),
    ) -> None:
        self.settings = settings
        self.device = device
        self.step = 0
        self.rate = 0.0
        self.network = network.to(device)
        heads = head_names(network)
        parts: dict[bool, list[torch.nn.Parameter]] = {True: [], False: []}
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(_learns(name, settings.what))
            if parameter.requires_grad:
                parts[name in heads].append(parameter)
        self._also = Also(network, also).to(device) if any(also) else None
        if self._also:
            parts[True] += self._also.parameters()
        self._optimizers = _optimizers(parts[True], parts[False], settings)
        self._average = AveragedModel(
            self.network, multi_avg_fn=_follow(settings.ema), use_buffers=False
        )
        halves = settings.precision == "float16"  # whose small gradients would vanish
        self._scaler = torch.amp.GradScaler(device.type, enabled=halves)
        self._compiled: dict[str, Backbone] | None = None
        if settings.compiled and not settings.heads_alone:
            self._compiled = {
                "technical": torch.compile(self.network.technical_backbone),
                "aesthetic": torch.compile(self.network.aesthetic_backbone),
            }

    @property
    def averaged(self) -> Dover:
        """The averaged weights, in evaluation mode."""
        return cast(Dover, self._average.module.eval())

    def learn(self, batch: Batch, steps: int, per_epoch: int) -> float:
        """Take one step; returns the loss before it.

        Raises:
            TrainingError: the loss, or its gradient, is not a number.
        """
        torch.manual_seed((self.settings.seed * 1_000_003 + self.step) % 2**63)  # of dropout
        warmup = min(self.settings.warmup_epochs * per_epoch, MAX_WARMUP * steps)
        self.rate = self.settings.learning_rate * _share(self.step, steps, warmup)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.rate * group["share"]
        batch = {name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.items()}
        for name, module in self.network.named_children():
            module.train(_learns(f"{name}.", self.settings.what))
        features = self._features(batch)
        technical, aesthetic = raw_scores(self.network, features)
        opinions = Labels(batch["overall"], batch["technical"], batch["aesthetic"])
        loss = view_biased_loss(
            technical,
            aesthetic,
            opinions,
            self.settings.together,
            self.settings.own_weight,
            self.settings.fused_weight,
        )
        if self._also:
            loss = loss + self._also(features, batch["also"])
        if self.settings.pair_weight:
            scores = {"technical": technical, "aesthetic": aesthetic}
            loss = loss + self.settings.pair_weight * self._pairs(batch, scores)
        value = float(loss.detach())
        self._check("loss", value, steps)
        for optimizer in self._optimizers:
            optimizer.zero_grad()
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        for optimizer in self._optimizers:
            self._scaler.unscale_(optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), MAX_NORM)
        if not self._scaler.is_enabled():  # which passes over such a step by itself
            self._check("gradient", float(norm), steps)
        for optimizer in self._optimizers:
            self._scaler.step(optimizer)
        self._scaler.update()
        self._average.update_parameters(self.network)
        self.step += 1
        return value

    def _features(self, batch: Batch) -> dict[str, Tensor]:
        """Of the branches whose views are given; float32, as all that follows."""
        with autocast(self.settings.precision, self.device):
            found = features_of(self.network, batch, self._compiled)
        return {branch: features.float() for branch, features in found.items()}

    def _pairs(self, batch: Batch, scores: dict[str, Tensor]) -> Tensor:
        """The loss of a quarter of the batch's views in two qualities, of what is trained."""
        rng = np.random.default_rng([self.settings.seed, self.step])
        views = {
            f"{branch}_view": draw_pairs(
                batch[f"{branch}_view"][: max(1, len(batch["overall"]) // 4)], rng, branch
            )
            for branch in BRANCHES
            if _learns(f"{branch}_", self.settings.what)
        }
        losses = []
        for branch, features in self._features(views).items():
            better, worse = branch_scores(self.network, branch, features).chunk(2)
            losses.append(pair_loss(better, worse, scores[branch]))
        return torch.stack(losses).mean()

    def state(self) -> dict[str, Any]:
        """All that the next step depends on."""
        return {
            "step": self.step,
            "network": self._trained(self.network.state_dict()),
            "average": self._trained(self.averaged.state_dict()),
            "averaged": int(self._average.n_averaged),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "scaler": self._scaler.state_dict(),
            "also": self._also.state_dict() if self._also else {},
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.step = state["step"]
        self.network.load_state_dict(state["network"], strict=False)
        self.averaged.load_state_dict(state["average"], strict=False)
        self._average.n_averaged.fill_(state["averaged"])
        for optimizer, kept in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self._scaler.load_state_dict(state["scaler"])
        if self._also:
            self._also.load_state_dict(state["also"])

    def best(self) -> dict[str, Tensor]:
        """The averaged weights of what is trained."""
        return self._trained(self.averaged.state_dict())

    def _trained(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Without what is frozen, which the weights that it began with hold."""
        what = self.settings.what
        return {name: tensor for name, tensor in state.items() if _learns(name, what)}

    def _check(self, what: str, value: float, steps: int) -> None:
        if not isfinite(value):
            raise TrainingError(
                f"The {what} became {value} in step {self.step + 1} of {steps}. Take a lower "
                "--learning-rate, or --precision float32; the last good weights are kept."
            )


def _learns(name: str, what: str) -> bool:
    """Whether a parameter, or a part of the network, is trained."""
    return name.startswith(WHAT[what])


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Arithmetic of ``precision`` inside; float32 changes nothing."""
    return torch.autocast(
        device.type, getattr(torch, precision), enabled=precision != "float32", cache_enabled=True
    )


def _optimizers(
    heads: list[torch.nn.Parameter], backbones: list[torch.nn.Parameter], settings: TrainSettings
) -> list[torch.optim.Optimizer]:
    """One of everything, or with Muon one of the backbones' matrices and one of the rest."""
    muon = settings.optimizer == "muon"
    matrices = [each for each in backbones if muon and each.ndim == 2]
    rest = [each for each in backbones if not (muon and each.ndim == 2)]
    groups = [
        {"params": parameters, "share": share}
        for parameters, share in ((heads, 1.0), (rest, settings.backbone_rate))
        if parameters
    ]
    decay = settings.weight_decay
    found: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=0.0, weight_decay=decay)]
    if matrices:
        group = {"params": matrices, "share": MUON_RATE * settings.backbone_rate}
        found.append(
            torch.optim.Muon([group], lr=0.0, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
        )
    return found


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
