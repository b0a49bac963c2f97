"""Training for real, for a few steps: losses, resuming, heads, what goes wrong."""

import csv
import hashlib
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from clips import write_clip
from typer.testing import CliRunner

from dover_plugin import published as table
from dover_plugin import weights
from dover_plugin.cli import app
from dover_plugin.errors import SettingsError, VideoError
from dover_plugin.networks import CONFIGS
from dover_plugin.networks.seeded import seeded_state_dict
from dover_plugin.training.labels import Labelled
from dover_plugin.training.outcome import keep, summary
from dover_plugin.training.run import TrainingError, TrainSettings, network_of
from dover_plugin.training.trainer import Trained, train

CPU = torch.device("cpu")
SETTINGS = TrainSettings(
    model="dover-open", init="scratch", what="all", epochs=2, batch_size=4, clip_len=2,
    backbone_rate=1.0, warmup_epochs=0.5, seed=1, draws=0,
)  # fmt: skip
VIDEOS = 16


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> list[Labelled]:
    """Clips whose label is how rough they are."""
    folder = tmp_path_factory.mktemp("labelled")
    rows = []
    for i in range(VIDEOS):
        rng = np.random.default_rng(i)
        grain = rng.integers(-8 * i - 1, 8 * i + 1, (4, 224, 224, 3))
        frames = np.clip(128 + grain, 0, 255).astype(np.uint8)
        file = write_clip(folder / f"{i:02}.mp4", size=(224, 224), frames=iter(frames))
        split = "train" if i % 8 < 4 else "val" if i % 8 < 6 else "test"
        rows.append(Labelled(file, 100 - 5.0 * i, group=file.name, split=split))
    return rows


def run(
    labels: list[Labelled],
    folder: Path,
    settings: TrainSettings = SETTINGS,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Trained:
    return train(labels, settings, folder, device=CPU, progress=progress)


def losses(folder: Path) -> list[float]:
    with (folder / "log.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def same(one: Trained, other: Trained) -> bool:
    pairs = zip(one.network.state_dict().values(), other.network.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def at_step(step: int, action: Callable[[], None]) -> Callable[[str, int, int], None]:
    def progress(name: str, done: int, _: int) -> None:
        if name == "training" and done == step:
            action()

    return progress


def test_the_loss_falls_and_the_run_is_kept(labels: list[Labelled], tmp_path: Path) -> None:
    settings = replace(SETTINGS, epochs=8, validate_every=2, learning_rate=3e-3)
    trained = run(labels, tmp_path / "run", settings)
    found = losses(tmp_path / "run")
    assert len(found) == 4
    assert found[-1] < 0.6 * found[0]
    assert trained.validation.agreement().srocc > 0.8
    files = keep(trained, settings, tmp_path / "run")
    network, _ = weights.load_network("dover-open", files.weights)
    assert all(
        torch.equal(a, b)
        for a, b in zip(network.parameters(), trained.network.parameters(), strict=True)
    )
    assert list((tmp_path / "run").rglob("events.out.tfevents*"))
    rows = summary(
        [{name: trained.test.agreement() for name in ("overall", "technical", "aesthetic")}]
    )
    assert rows[0]["srocc"] == trained.test.agreement().srocc


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def lose_power() -> None:
    raise RuntimeError("the power went")


@pytest.mark.parametrize(
    ("happens", "seen", "goes_on_at"),
    [(press_ctrl_c, KeyboardInterrupt, 4), (lose_power, RuntimeError, 3)],
)
def test_a_stopped_training_goes_on_exactly(
    labels: list[Labelled],
    tmp_path: Path,
    happens: Callable[[], None],
    seen: type[BaseException],
    goes_on_at: int,
) -> None:
    """Ctrl-C keeps the step in hand; after a kill the last epoch is where it goes on."""
    whole = run(labels, tmp_path / "whole")
    with pytest.raises(seen):
        run(labels, tmp_path / "stopped", progress=at_step(3, happens))
    resumed_at: list[int] = []
    again = run(
        labels,
        tmp_path / "stopped",
        progress=lambda name, done, _: resumed_at.append(done) if name == "training" else None,
    )
    assert resumed_at[0] == goes_on_at
    assert same(whole, again)
    assert losses(tmp_path / "whole") == losses(tmp_path / "stopped")
    assert np.array_equal(whole.test.technical, again.test.technical)


def test_a_finished_training_is_not_done_again(labels: list[Labelled], tmp_path: Path) -> None:
    first = run(labels, tmp_path)
    seen: list[str] = []
    second = run(labels, tmp_path, progress=lambda name, *_: seen.append(name))
    assert same(first, second)
    assert "training" not in seen


def test_another_training_is_not_mixed_in(labels: list[Labelled], tmp_path: Path) -> None:
    run(labels, tmp_path, replace(SETTINGS, epochs=1))
    with pytest.raises(SettingsError, match="epochs 1, not 2"):
        run(labels, tmp_path)
    other = [replace(row, overall=row.overall + 1) for row in labels]
    with pytest.raises(SettingsError, match="videos"):
        run(other, tmp_path, replace(SETTINGS, epochs=1))


def published(monkeypatch: pytest.MonkeyPatch, model: str) -> dict[str, Any]:
    """Untrained weights, as if they were the published ones and in the cache."""
    state = seeded_state_dict(CONFIGS[model])
    file = weights.cached(model)
    file.parent.mkdir(parents=True)
    torch.save(state, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    row = replace(table.published(model), sha256=digest)
    monkeypatch.setattr(table, "PUBLISHED", (row,))
    return state


def test_heads_alone_leave_the_backbones_bit_equal(
    labels: list[Labelled], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = published(monkeypatch, "dover-mobile")
    settings = TrainSettings(
        model="dover-mobile", init="dover-mobile", epochs=3, batch_size=4, draws=1, seed=1
    )
    made: list[int] = []
    note = lambda name, done, _: made.append(done) if name == "features" else None  # noqa: E731
    trained = run(labels, tmp_path / "run", settings, progress=note)
    files = keep(trained, settings, tmp_path / "run")
    assert files.weights.name == "heads.safetensors"
    assert files.weights.stat().st_size < 200_000
    network, digest = weights.load_network("dover-mobile", files.weights)
    after = network.state_dict()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    heads = {key for key in before if key.startswith(("technical_head.", "aesthetic_head."))}
    assert changed == heads
    assert digest.endswith(trained.start.sha256)
    cached = sorted((tmp_path / "kept").iterdir())
    times = [file.stat().st_mtime_ns for file in cached]
    run(labels, tmp_path / "other", replace(settings, seed=1, epochs=2))
    assert [file.stat().st_mtime_ns for file in cached] == times  # nothing was computed again


def test_a_loss_that_is_no_number_stops_with_what_was_reached(
    labels: list[Labelled], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(SETTINGS, learning_rate=1e30, warmup_epochs=0)
    with pytest.raises(TrainingError, match="lower --learning-rate"):
        run(labels, tmp_path, settings)


def test_memory_that_runs_out_says_what_to_do(labels: list[Labelled], tmp_path: Path) -> None:
    def fill_memory() -> None:
        torch.empty(2**60, dtype=torch.uint8)

    with pytest.raises(TrainingError, match="smaller --batch-size"):
        run(labels, tmp_path, progress=at_step(1, fill_memory))


def test_a_video_that_breaks_is_named(labels: list[Labelled], tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    rows = [replace(labels[0], file=broken), *labels[1:]]
    with pytest.raises(VideoError, match=r"broken\.mp4"):
        run(rows, tmp_path / "run")


def test_too_few_videos(labels: list[Labelled], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="val split has 2 videos"):
        run([row for row in labels if row.split != "val" or row.overall > 70], tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"what": "head"},
        {"precision": "half"},
        {"epochs": 0},
        {"batch_size": 1},
        {"clip_len": 3},
        {"what": "heads", "clip_len": 32},
    ],
)
def test_settings_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        replace(SETTINGS, **wrong)


def test_which_network() -> None:
    assert network_of("dover-mobile", None) == "dover-mobile"
    assert network_of("dover", "dover++") == "dover++"
    assert network_of("scratch", "dover-open") == "dover-open"
    with pytest.raises(SettingsError, match="--model"):
        network_of("mine.pth", None)
    with pytest.raises(SettingsError, match="no dover"):
        network_of("dover-mobile", "dover")


def test_checkpointing_changes_no_gradient() -> None:
    from dover_plugin.networks import Swin3d, SwinConfig

    torch.manual_seed(0)
    swin = Swin3d(SwinConfig(depths=(2, 2, 2, 2)))
    clip = torch.randn(1, 3, 16, 224, 224)
    gradients = []
    for checkpointing in (False, True):
        swin.checkpointing = checkpointing
        swin.zero_grad()
        swin(clip).square().mean().backward()
        gradients.append([p.grad.clone() for p in swin.parameters() if p.grad is not None])
    assert len(gradients[0]) == len(list(swin.parameters()))
    for plain, kept in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, kept, rtol=1e-4, atol=1e-7)


def test_the_command(labels: list[Labelled], tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    lines = [f"{row.file.name},{row.overall},{row.split}" for row in labels]
    table.write_text("\n".join(["file,mos,split", *lines[1:]]) + "\n")
    command = (
        f"train --labels {table} --videos {labels[0].file.parent} -o {tmp_path / 'run'} "
        "--init scratch -m dover-open --end-to-end --epochs 1 --clip-len 2 --batch-size 4 "
        "--workers 0 --device cpu"
    )
    result = CliRunner().invoke(app, command.split())
    assert result.exit_code == 0, result.output
    assert "SROCC" in result.stdout
    assert "1 videos of" in result.stderr  # the first has no label
    assert "model.safetensors" in result.stderr
