"""Settings: ranges, the config file, and which value takes precedence."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from train_helpers import SETTINGS

from dover_plugin.errors import SettingsError
from dover_plugin.training.settings import (
    TRAINABLE,
    TrainSettings,
    read_config,
    resolve_model,
    resolve_settings,
    trainable_parts,
)


@pytest.mark.parametrize(
    "wrong",
    [
        {"trainable": "head"},
        {"precision": "half"},
        {"epochs": 0},
        {"learning_rate": float("nan")},
        {"ema": 1.0},
        {"batch_size": 1},
        {"branch_loss_weight": -1.0},
        {"val_share": 1.5},
        {"trainable": "heads"},  # without a cached sample
    ],
)
def test_invalid_settings(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        replace(SETTINGS, **wrong)


def test_the_model_follows_from_the_initial_weights() -> None:
    assert resolve_model("dover-mobile", None) == "dover-mobile"
    assert resolve_model("mine.pth", "dover-open") == "dover-open"
    with pytest.raises(SettingsError, match="--model"):
        resolve_model("mine.pth", None)
    with pytest.raises(SettingsError, match="do not fit dover"):
        resolve_model("dover-mobile", "dover")
    with pytest.raises(SettingsError, match=r"do not fit dover\+\+"):
        resolve_model("dover", "dover++")
    with pytest.raises(SettingsError, match="Did you mean 'dover-mobile'"):
        resolve_model("mine.pth", "dover-mobil")


@pytest.mark.parametrize(
    ("head_only", "branch", "trainable"),
    [
        (True, None, "heads"),
        (True, "technical", "technical head"),
        (False, None, "all"),
        (False, "aesthetic", "aesthetic"),
    ],
)
def test_the_trainable_parts(head_only: bool, branch: str | None, trainable: str) -> None:
    assert trainable_parts(head_only, branch) == trainable in TRAINABLE
    settings = resolve_settings({}, head_only=head_only, branch=branch)
    assert settings.trainable == trainable
    assert settings.heads_only == head_only
    assert settings.trains("technical_head.fc_hid.weight") == (branch != "aesthetic")
    assert settings.trains("technical_backbone.norm.weight") == (
        not head_only and branch != "aesthetic"
    )


def test_the_defaults() -> None:
    heads = resolve_settings({})
    assert (heads.init, heads.model, heads.epochs, heads.cached_samples) == (
        "dover",
        "dover",
        10,
        3,
    )
    end_to_end = resolve_settings({"model": "dover-open"}, head_only=False)
    assert (end_to_end.init, end_to_end.epochs, end_to_end.cached_samples) == ("dover-open", 20, 0)


EXAMPLE = """
init = "mine.pth"
model = "dover-mobile"
trainable = "technical"
epochs = 7
ema = 0.99
weight_decay = 1  # an integer is a number, too
checkpointing = true
"""


def test_the_config_file_sets_any_field(tmp_path: Path) -> None:
    file = tmp_path / "train.toml"
    file.write_text(EXAMPLE)
    assert resolve_settings({}, file) == TrainSettings(
        model="dover-mobile", init="mine.pth", trainable="technical", epochs=7, ema=0.99,
        weight_decay=1.0, checkpointing=True, cached_samples=0,
    )  # fmt: skip
    every = asdict(SETTINGS)
    lines = [
        f"{k} = {str(v).lower() if isinstance(v, bool) else repr(v)}" for k, v in every.items()
    ]
    file.write_text("\n".join(lines))
    assert resolve_settings({}, file) == SETTINGS


def test_the_command_line_takes_precedence(tmp_path: Path) -> None:
    file = tmp_path / "train.toml"
    file.write_text(EXAMPLE)
    settings = resolve_settings({"epochs": 3, "init": "other.pth", "seed": None}, file)
    assert (settings.epochs, settings.init, settings.ema) == (3, "other.pth", 0.99)
    assert settings.seed == 42
    assert resolve_settings({}, file, branch="aesthetic").trainable == "aesthetic"
    heads = resolve_settings({}, file, head_only=True)
    assert (heads.trainable, heads.epochs, heads.cached_samples) == ("technical head", 7, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rte = 0.1", "'learning_rte', which is not a .* Did you mean 'learning_rate'"),
        ("workers = 2", "'workers', which is not a training setting. .*weight_decay"),
        ("[training]\nepochs = 2", "'training', which is not a training setting"),
        ("epochs = 'ten'", "sets epochs to 'ten'; it must be an integer"),
        ("epochs = 2.5", "sets epochs to 2.5; it must be an integer"),
        ("epochs = true", "sets epochs to True; it must be an integer"),
        ("ema = '0.9'", "sets ema to '0.9'; it must be a number"),
        ("checkpointing = 1", "sets checkpointing to 1; it must be true or false"),
        ("precision = [1]", "it must be a string"),
        ("epochs = 0", "epochs must be between 1 and 10000, got 0"),
        ("ema = nan", "ema must be between 0 and 0.999999, got nan"),
        ("trainable = 'head'", "Invalid trainable parts 'head'; use one of 'heads'"),
        ("epochs =", "not a valid TOML file"),
        ("\xff", "not a valid TOML file"),
    ],
)
def test_invalid_config_files(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "train.toml"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(SettingsError, match=message):
        resolve_settings({}, file)


def test_a_missing_config_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"Cannot read '.*none\.toml': No such file"):
        read_config(tmp_path / "none.toml")
