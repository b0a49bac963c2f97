"""The folder of a training run: settings, log, best weights, and the checkpoint to resume from."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import torch

from dover_plugin.errors import DoverError, SettingsError
from dover_plugin.evaluation.labels import LabelledVideo
from dover_plugin.io.json_object import read_json_object
from dover_plugin.io.write import write_text
from dover_plugin.training.settings import TrainSettings


class TrainingError(DoverError):
    """Training cannot continue. The last checkpoint is kept."""


class RunFolder:
    """The folder of one training run.

    Args:
        path: the folder; it is created if necessary.
        settings: settings of the run.
        inputs: fingerprint of the labels, videos and initial weights.

    Raises:
        SettingsError: the folder holds a checkpoint of a run with other settings, labels, videos
            or initial weights, or it cannot be written.
    """

    def __init__(self, path: Path, settings: TrainSettings, inputs: str) -> None:
        self.path = path
        self._best = path / "best.pt"
        self._checkpoint = path / "checkpoint.pt"
        self._log = path / "log.csv"
        expected = {**asdict(settings), "inputs": inputs}
        file = path / "settings.json"
        try:
            path.mkdir(parents=True, exist_ok=True)
            found = read_json_object(file) if self._checkpoint.exists() else expected
        except (OSError, ValueError) as error:
            raise SettingsError(f"Cannot use the folder '{path}': {error}.") from None
        different = [name for name in expected if found.get(name) != expected[name]]
        if different:
            name = different[0]
            if name == "inputs":
                difference = "other labels, videos or initial weights"
            else:
                difference = f"{name} {found.get(name)!r}, not {expected[name]!r}"
            raise SettingsError(
                f"'{path}' holds a training run with {difference}. Choose another folder for "
                "--output, or delete this one."
            )
        if not self._checkpoint.exists():
            write_text(file, json.dumps(expected, indent=2))

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        """Write the state that the run resumes from, atomically."""
        _save(state, self._checkpoint)

    def load_checkpoint(self) -> dict[str, Any] | None:
        """The last state that save_checkpoint wrote; None for a new run.

        Raises:
            TrainingError: the checkpoint is damaged.
        """
        if not self._checkpoint.exists():
            return None
        return _load(self._checkpoint, torch.device("cpu"))

    def save_best(self, state: dict[str, Any]) -> None:
        """Write the weights of the best epoch, atomically."""
        _save(state, self._best)

    def load_best(self, device: torch.device) -> dict[str, Any]:
        """The weights that save_best wrote.

        Raises:
            TrainingError: the file is damaged or missing.
        """
        return _load(self._best, device)

    def write_log(self, rows: list[dict[str, Any]]) -> None:
        """Write the table of validated epochs."""
        import pandas as pd  # imported here because worker processes do not need it

        write_text(self._log, pd.DataFrame(rows).to_csv(index=False).rstrip())


def fingerprint(rows: Sequence[LabelledVideo], weights_sha256: str) -> str:
    """Hash of the training and validation videos, their labels, and the initial weights."""
    text = "\n".join(
        f"{row.file.name} {row.file.stat().st_size} {row.overall} {row.technical} "
        f"{row.aesthetic} {row.group} {row.split}"
        for row in rows
    )
    return sha256(f"{weights_sha256}\n{text}".encode()).hexdigest()[:16]


def write_error(file: Path, error: Exception) -> TrainingError:
    """The error to raise if ``file`` cannot be written."""
    reason = next(iter(str(error).splitlines()), "no space left")
    return TrainingError(
        f"Cannot write '{file}': {reason}. Free disk space and run the command again; training "
        "resumes from the last checkpoint."
    )


def _save(state: dict[str, Any], file: Path) -> None:
    part = file.with_suffix(".part")
    try:
        with part.open("wb") as stream:
            torch.save(state, stream)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        part.unlink(missing_ok=True)
        raise write_error(file, error) from None


def _load(file: Path, device: torch.device) -> dict[str, Any]:
    try:
        return cast(dict[str, Any], torch.load(file, map_location=device, weights_only=True))
    except Exception as error:  # torch raises errors of many types for a damaged file
        reason = next(iter(str(error).splitlines()), "the file is empty")[:120]
        raise TrainingError(
            f"Cannot resume from '{file}': {reason}. Delete the folder '{file.parent}' to start "
            "a new run."
        ) from None
