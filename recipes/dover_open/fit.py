"""Fine-tuning of one branch on rated photographs and degradation ladders."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata, spearmanr
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from recipes.dover_open.backbone import pretrained_trunk
from recipes.dover_open.branch import BranchTail, full_state
from recipes.dover_open.config import Recipe, read_recipe
from recipes.dover_open.features import Features
from recipes.dover_open.ladder_groups import BranchName, Group, GroupSampler, read_groups, shards
from recipes.dover_open.losses import ladder_loss, photo_loss

EVALUATION_BATCH = 50
STANDARDISING_FRAMES = 1024
SAVE_EVERY = 100  # steps
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PhotoData:
    """Features and labels of the photographs of the training split.

    Attributes:
        variants: one Features per cached variant; the first is the one that scoring uses.
        mos: (N,) in [0, 1].
        labels: (N,) mixture of MOS and its rank.
        train: indices.
        held_out: indices.
    """

    variants: list[Features]
    mos: NDArray[np.float32]
    labels: NDArray[np.float32]
    train: NDArray[np.int64]
    held_out: NDArray[np.int64]

    @classmethod
    def open(cls, views: Path, features: Path, branch: BranchName, recipe: Recipe) -> "PhotoData":
        """Data that photos.py and features.py wrote."""
        mos = np.load(views / "mos.npy")
        held_out = np.load(views / "held_out.npy")
        ranks = ((rankdata(mos) - 0.5) / len(mos)).astype(np.float32)
        share = recipe.photos.rank_share
        return cls(
            [Features.open(features / f"{branch}-{v}") for v in range(recipe.photos.variants)],
            mos,
            (1 - share) * mos + share * ranks,
            np.flatnonzero(~held_out),
            np.flatnonzero(held_out),
        )


@dataclass(frozen=True)
class LadderData:
    """Features of the rows of all shards, and the groups of the rows.

    Attributes:
        parts: one Features per shard.
        starts: first row of each shard.
        train: groups.
        held_out: groups of other contents.
    """

    parts: list[Features]
    starts: NDArray[np.int64]
    train: list[Group]
    held_out: list[Group]

    @classmethod
    def open(cls, ladders: Path, features: Path, branch: BranchName) -> "LadderData":
        """Data of all complete shards."""
        found = shards(ladders)
        parts = [Features.open(features / shard.name / branch) for shard in found]
        sizes = [len(part.black) for part in parts]
        starts = np.cumsum([0, *sizes])[:-1]
        return cls(parts, starts, read_groups(ladders, "train"), read_groups(ladders, "val"))

    def take(self, rows: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Frames of any rows, see Features.take."""
        parts = np.searchsorted(self.starts, rows, side="right") - 1
        taken = [
            self.parts[part].take(np.array([row - self.starts[part]]))
            for row, part in zip(rows, parts, strict=True)
        ]
        maps, cells, black = (torch.cat(each) for each in zip(*taken, strict=True))
        return maps.contiguous(memory_format=torch.channels_last), cells, black


class Fit:
    """The training of one branch; resumes from its checkpoint.

    Args:
        branch: that is trained.
        recipe: all settings.
        photos: rated photographs.
        ladders: degradation ladders, None for none.
        folder: for the checkpoint and the result.
    """

    def __init__(
        self,
        branch: BranchName,
        recipe: Recipe,
        photos: PhotoData,
        ladders: LadderData | None,
        folder: Path,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.branch, self.recipe = branch, recipe
        self.photos, self.ladders, self.folder = photos, ladders, folder
        self.trunk = pretrained_trunk()
        head = recipe.head
        self.tail = BranchTail(
            pretrained_trunk(), recipe.stages.frozen, head.hidden, head.dropout,
            float(photos.labels.mean()),
        )  # fmt: skip
        self.tail.stages.to(memory_format=torch.channels_last)
        if recipe.stages.freeze_depthwise:
            for block in self.tail.blocks():
                block.depthwise.requires_grad_(False)
        self._standardise()
        self.average = AveragedModel(
            self.tail, multi_avg_fn=get_ema_multi_avg_fn(recipe.fit.average)
        )
        fit = recipe.fit
        trained = [p for p in self.tail.stages.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": trained, "lr": fit.trunk_rate},
                {"params": list(self.tail.head.parameters()), "lr": fit.head_rate},
            ],
            weight_decay=fit.weight_decay,
        )
        self.per_epoch = len(photos.train) // recipe.photos.batch
        self.steps = fit.epochs * self.per_epoch
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)
        self.step = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._resume()

    def run(self) -> None:
        """Train to the end and write the state of the branch to <folder>/<branch>.pt."""
        while self.step < self.steps:
            loss = self._train_step()
            self.step += 1
            if self.step % 25 == 0:
                log.info("%s step %d/%d loss %.4f", self.branch, self.step, self.steps, loss)
            if self.step % self.per_epoch == 0:
                log.info("%s epoch %d: %s", self.branch, self.step // self.per_epoch, self.check())
            if self.step % SAVE_EVERY == 0 or self.step == self.steps:
                self._save()
        averaged = cast(BranchTail, self.average.module)
        torch.save(full_state(averaged, self.trunk), self.folder / f"{self.branch}.pt")

    def check(self) -> dict[str, float]:
        """SROCC on held-out photographs and pair order on held-out contents, of the average."""
        scores = self.held_out_scores()
        found = {"srocc": float(spearmanr(scores, self.photos.mos[self.photos.held_out])[0])}
        return found | (self.ladder_order() if self.ladders else {})

    def held_out_scores(self) -> NDArray[np.float64]:
        """Raw scores of the held-out photographs."""
        held_out = self.photos.held_out
        batches = np.array_split(held_out, max(1, len(held_out) // EVALUATION_BATCH))
        return np.concatenate([self._score(self.photos.variants[0].take(b)) for b in batches])

    def ladder_order(self) -> dict[str, float]:
        """Per kind of ladder: share of pairs two or more levels apart in order, or mean change."""
        assert self.ladders is not None
        right: dict[str, list[float]] = {}
        for group in self.ladders.held_out:
            values = self._score(self.ladders.take(list(group.rows)))
            if group.same:
                right.setdefault(group.ladder, []).extend(abs(values[1:] - values[0]))
                continue
            apart = 2 if max(group.levels) > 2 else 1
            right.setdefault(group.ladder, []).extend(
                float(values[i] > values[j])
                for i, first in enumerate(group.levels)
                for j, second in enumerate(group.levels)
                if second - first >= apart
            )
        return {kind: round(float(np.mean(found)), 3) for kind, found in sorted(right.items())}

    def _score(self, batch: tuple[Tensor, Tensor, Tensor]) -> NDArray[np.float64]:
        self.average.eval()
        with torch.no_grad():
            scores: NDArray[np.float64] = self.average(*batch).double().numpy()
        return scores

    def _train_step(self) -> float:
        rng = np.random.default_rng([self.recipe.seed, self.step])
        rows = self._photo_rows()
        variant = self.photos.variants[rng.integers(len(self.photos.variants))]
        batches = [variant.take(rows)]
        groups: list[Group] = []
        if self.ladders is not None:
            groups = self._sampled_groups(rng)
            batches.append(self.ladders.take([row for group in groups for row in group.rows]))
        maps, cells, black = (torch.cat(each) for each in zip(*batches, strict=True))
        self.tail.train()
        scores = self.tail(maps.contiguous(memory_format=torch.channels_last), cells, black)
        labels = torch.from_numpy(self.photos.labels[rows])
        loss = photo_loss(scores[: len(rows)], labels, self.recipe.fit)
        if groups:
            parts = list(scores[len(rows) :].split([len(group.rows) for group in groups]))
            loss = loss + ladder_loss(parts, groups, self.branch, self.recipe.ladders)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(self.tail)
        return float(loss.detach())

    def _sampled_groups(self, rng: np.random.Generator) -> list[Group]:
        assert self.ladders is not None
        settings = self.recipe.ladders
        return GroupSampler(self.ladders.train, settings.often, rng).draw(settings.batch)

    def _photo_rows(self) -> NDArray[np.int64]:
        epoch, place = divmod(self.step, self.per_epoch)
        order = np.random.default_rng([self.recipe.seed, 1, epoch]).permutation(self.photos.train)
        size = self.recipe.photos.batch
        return np.sort(order[place * size : (place + 1) * size])

    def _standardise(self) -> None:
        rows = self.photos.train[:: max(1, len(self.photos.train) // STANDARDISING_FRAMES)]
        with torch.no_grad():
            found = [
                self.tail.features(*self.photos.variants[0].take(batch)[:2])
                for batch in np.array_split(rows, max(1, len(rows) // EVALUATION_BATCH))
            ]
        self.tail.standardise(torch.cat(found))

    def _rate(self, step: int) -> float:
        warm = min(1.0, (step + 1) / self.recipe.fit.warmup)
        return warm * (1 + float(np.cos(np.pi * min(step / self.steps, 1)))) / 2

    @property
    def _checkpoint(self) -> Path:
        return self.folder / f"{self.branch}-checkpoint.pt"

    def _parts(self) -> dict[str, Any]:
        return {
            "tail": self.tail,
            "average": self.average,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
        }

    def _save(self) -> None:
        state = {name: part.state_dict() for name, part in self._parts().items()}
        state |= {"step": self.step, "random": torch.get_rng_state()}
        part = self._checkpoint.with_suffix(".part")
        torch.save(state, part)
        part.replace(self._checkpoint)

    def _resume(self) -> None:
        if not self._checkpoint.exists():
            return
        state = torch.load(self._checkpoint, weights_only=True)
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.step = state["step"]
        torch.set_rng_state(state["random"])


def fit_branch(branch: BranchName, build: Path) -> None:
    """The fit of one branch, on one thread; the result is <build>/fit/<branch>.pt.

    Args:
        branch: that is trained.
        build: folder of the caches.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    recipe = read_recipe()
    photos = PhotoData.open(build / "photos", build / "photo_features", branch, recipe)
    ladders = LadderData.open(build / "ladders", build / "ladder_features", branch)
    Fit(branch, recipe, photos, ladders, build / "fit").run()
