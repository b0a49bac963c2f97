"""The command ``dover train``: its options, its output, and runs that are interrupted."""

import inspect
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest
import torch
from torch import Tensor
from train_helpers import MODEL
from typer.testing import CliRunner

from dover_plugin.cli import app
from dover_plugin.cli.train import train
from dover_plugin.errors import SettingsError
from dover_plugin.evaluation.labels import LabelledVideo
from dover_plugin.training.settings import TrainSettings

ROOT = Path(__file__).parents[2]
PROGRAM = (sys.executable, str(Path(__file__).with_name("tiny_dover.py")))


@pytest.fixture
def arguments(labels: list[LabelledVideo], initial: dict[str, Tensor], tmp_path: Path) -> list[str]:
    """A command without its output folder; the first video has no label."""
    table, weights = tmp_path / "labels.csv", tmp_path / "initial.pth"
    lines = [f"{row.file.name},{row.overall},{row.split}" for row in labels[1:]]
    table.write_text("\n".join(["file,mos,split", *lines]) + "\n")
    torch.save(initial, weights)
    return [
        *("train", "--labels", str(table), "--videos", str(labels[0].file.parent)),
        *("--init", str(weights), "--model", MODEL, "--end-to-end", "--epochs", "2"),
        *("--batch-size", "4", "--device", "cpu", "--workers", "0"),
    ]


def test_the_command(arguments: list[str], tmp_path: Path) -> None:
    config = tmp_path / "train.toml"
    config.write_text("epochs = 3\nvalidate_every = 2\nema = 0.9\n")
    command = [*arguments, "--output", str(tmp_path / "run"), "--config", str(config)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "SROCC" in result.stdout
    assert "Ignored 1 videos" in result.stderr
    assert "model.safetensors" in result.stderr
    settings = json.loads((tmp_path / "run/split-1/settings.json").read_text())
    assert (settings["epochs"], settings["validate_every"], settings["ema"]) == (2, 2, 0.9)
    result = CliRunner().invoke(app, [*command, "--splits", "2"])
    assert isinstance(result.exception, SettingsError)
    assert "names the split of each video" in str(result.exception)


def test_several_splits_of_the_heads(
    arguments: list[str], labels: list[LabelledVideo], tmp_path: Path
) -> None:
    table, config = tmp_path / "unsplit.csv", tmp_path / "train.toml"
    lines = [f"{row.file.name},{row.overall}" for row in labels]
    table.write_text("\n".join(["file,mos", *lines]) + "\n")
    config.write_text("val_share = 0.25\ntest_share = 0.25\ncached_samples = 1\n")
    command = [*arguments, "--output", str(tmp_path / "run"), "--head-only", "--splits", "2"]
    command += ["--labels", str(table), "--config", str(config), "--seed", "3"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "±" in result.stdout
    found = [json.loads((tmp_path / f"run/split-{i}/settings.json").read_text()) for i in (1, 2)]
    assert [settings["seed"] for settings in found] == [3, 6]
    tests = [set((tmp_path / f"run/split-{i}/test.csv").read_text().split()) for i in (1, 2)]
    assert tests[0] != tests[1]


def run_here(arguments: list[str], output: Path) -> bytes:
    """Run the command to its end in this process; returns the weights file."""
    result = CliRunner().invoke(app, [*arguments, "--output", str(output)])
    assert result.exit_code == 0, result.output
    return (output / "split-1/model.safetensors").read_bytes()


def test_a_killed_command_resumes_exactly(arguments: list[str], tmp_path: Path) -> None:
    """Ctrl-C reaches the command and its worker process; SIGKILL leaves no time for anything."""
    folder = tmp_path / "stopped/split-1"
    checkpoint = folder / "checkpoint.pt"

    def stop(how: signal.Signals, when: Callable[[], bool], workers: str) -> tuple[int, bytes]:
        process = subprocess.Popen(
            [*PROGRAM, *arguments, "-o", str(tmp_path / "stopped"), "--workers", workers],
            start_new_session=True,
            stderr=subprocess.PIPE,
        )
        while not when():
            assert process.poll() is None
            time.sleep(0.005)
        os.killpg(process.pid, how)
        _, errors = process.communicate()
        assert not (folder / "model.safetensors").exists()
        return process.returncode, errors

    code, errors = stop(signal.SIGINT, lambda: any(folder.rglob("events.out.tfevents*")), "1")
    assert code == 130, errors
    assert b"Traceback" not in errors
    saved = checkpoint.stat().st_mtime_ns
    code, _ = stop(signal.SIGKILL, lambda: checkpoint.stat().st_mtime_ns != saved, "0")
    assert code == -signal.SIGKILL
    resumed = run_here(arguments, tmp_path / "stopped")
    assert resumed == run_here(arguments, tmp_path / "whole")


def test_a_full_disk_loses_no_checkpoint(arguments: list[str], tmp_path: Path) -> None:
    """A limit on the size of files acts like a full disk."""
    command = [*PROGRAM, *arguments, "-o", str(tmp_path / "run")]
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # noqa: E731
    done = subprocess.run(command, preexec_fn=limit, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "Cannot write" in done.stderr
    assert "Free disk space" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "run").rglob("*.p*t"))  # no partial file remains
    run_here(arguments, tmp_path / "run")


def test_the_shown_defaults_are_those_of_the_settings() -> None:
    hints = get_type_hints(train, include_extras=True)
    defaults = {field.name: field.default for field in fields(TrainSettings)}
    for name in ("batch_size", "learning_rate", "seed", "precision"):
        (option,) = hints[name].__metadata__
        assert option.show_default == str(defaults[name])
    (epochs,) = hints["epochs"].__metadata__
    assert epochs.show_default == "10, or 20 end to end"


def test_the_documentation_lists_every_option_and_setting() -> None:
    page = (ROOT / "docs/training.md").read_text().split("## Options")[1].split("## Run folder")[0]
    tables = "\n".join(line for line in page.splitlines() if line.startswith("|"))
    listed = set(re.findall(r"`--([a-z-]+)", tables))
    expected = {name.replace("_", "-") for name in inspect.signature(train).parameters}
    assert listed == expected | {"end-to-end"}
    settings = page.split("## Settings")[1]
    rows = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| ([^|]+) \|", settings, re.MULTILINE))
    assert rows.keys() == {field.name for field in fields(TrainSettings)}
    for field in fields(TrainSettings):
        if isinstance(field.default, int | float) and not isinstance(field.default, bool):
            assert rows[field.name].split(";")[0] == f"{field.default:g}"
