"""The training loop: steps, validation after each epoch, and checkpoints."""

from collections.abc import Callable
from math import isfinite
from time import monotonic
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from dover_plugin.scores import SCORES
from dover_plugin.training.data import load_batches, plan_batches
from dover_plugin.training.dataset import VideoDataset
from dover_plugin.training.learner import Learner
from dover_plugin.training.predictions import Predictions, Progress
from dover_plugin.training.run_folder import RunFolder

CHECKPOINT_SECONDS = 300  # between checkpoints within an epoch


class TrainingLoop:
    """Takes the remaining steps of a run.

    Args:
        run: folder of the run; its checkpoint is loaded if there is one.
        learner: takes the steps.
        dataset: training videos.
        predict_validation: predicts the validation split with the EMA weights.
    """

    def __init__(
        self,
        run: RunFolder,
        learner: Learner,
        dataset: VideoDataset,
        predict_validation: Callable[[], Predictions],
    ) -> None:
        settings = learner.settings
        self._run = run
        self._learner = learner
        self._dataset = dataset
        self._predict_validation = predict_validation
        self._batches = plan_batches(
            len(dataset.labels), settings.batch_size, settings.epochs, settings.seed
        )
        self._steps_per_epoch = len(self._batches) // settings.epochs
        self._log: list[dict[str, Any]] = []
        self._losses: list[float] = []  # since the last validation
        self._best = {"epoch": 0, "value": -2.0}
        state = run.load_checkpoint()
        if state:
            self._log, self._losses, self._best = state["log"], state["losses"], state["best"]
            learner.load_state(state["learner"])

    def fit(self, workers: int, progress: Progress, stopping: Callable[[], bool]) -> int:
        """Train until the last epoch is validated.

        Args:
            workers: number of processes that read videos.
            progress: called after every step.
            stopping: whether to stop after the current step.

        Returns:
            The best epoch, counted from 1.

        Raises:
            KeyboardInterrupt: ``stopping`` returned True; a checkpoint was saved.
        """
        learner, total = self._learner, len(self._batches)
        saved = monotonic()
        with SummaryWriter(self._run.path / "tensorboard", purge_step=learner.step + 1) as writer:
            self._validate_if_due(writer)  # the run may have stopped before a due validation
            for batch in load_batches(self._dataset, self._batches[learner.step :], workers):
                self._losses.append(learner.learn(batch, total, self._steps_per_epoch))
                progress("training", learner.step, total)
                epoch_ended = learner.step % self._steps_per_epoch == 0
                if epoch_ended or stopping() or monotonic() - saved > CHECKPOINT_SECONDS:
                    self._save_checkpoint()
                    saved = monotonic()
                if stopping():
                    raise KeyboardInterrupt
                self._validate_if_due(writer)
        return int(self._best["epoch"])

    def _validate_if_due(self, writer: SummaryWriter) -> None:
        """Validate if an epoch has just ended whose validation is due and not yet done."""
        settings = self._learner.settings
        epoch, rest = divmod(self._learner.step, self._steps_per_epoch)
        validated = self._log[-1]["epoch"] if self._log else 0
        wanted = epoch % settings.validate_every == 0 or epoch == settings.epochs
        if rest or not wanted or epoch <= validated:
            return
        predictions = self._predict_validation()
        self._log.append(self._log_row(epoch, predictions))
        self._losses.clear()
        value = _selection_value(predictions)
        if value > self._best["value"]:
            self._best = {"epoch": epoch, "value": value}
            self._run.save_best(self._learner.ema_weights())
        self._run.write_log(self._log)
        for name, number in self._log[-1].items():
            writer.add_scalar(name, number, self._learner.step)
        self._save_checkpoint()

    def _save_checkpoint(self) -> None:
        self._run.save_checkpoint(
            {
                "learner": self._learner.state(),
                "log": self._log,
                "losses": self._losses,
                "best": self._best,
            }
        )

    def _log_row(self, epoch: int, predictions: Predictions) -> dict[str, Any]:
        row = {
            "epoch": epoch,
            "loss": float(np.mean(self._losses)),
            "learning_rate": self._learner.learning_rate,
        }
        for name in SCORES:
            correlations = predictions.correlations(name)
            if correlations:
                row |= {f"{name}_srocc": correlations.srocc, f"{name}_plcc": correlations.plcc}
        return row


def _selection_value(predictions: Predictions) -> float:
    """Mean of SROCC and PLCC, by which the best epoch is selected."""
    correlations = predictions.correlations()
    value = (correlations.srocc + correlations.plcc) / 2 if correlations else -1.0
    return value if isfinite(value) else -1.0
