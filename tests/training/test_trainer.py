"""Training for a few steps: convergence, exact resume, frozen parts, and errors."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from train_helpers import HEADS, MODEL, SETTINGS, at_step, fail, losses, publish, run, same_weights

from dover_plugin.errors import SettingsError, VideoError, WeightsError
from dover_plugin.evaluation.labels import LabelledVideo
from dover_plugin.preprocessing.sampling_rule import DOVER
from dover_plugin.training import dataset
from dover_plugin.training import settings as settings_module
from dover_plugin.training.artifacts import save_artifacts
from dover_plugin.training.run_folder import TrainingError
from dover_plugin.training.settings import TrainSettings
from dover_plugin.weights.load import load_network


def test_the_loss_falls_and_the_weights_are_saved(
    labels: list[LabelledVideo], tmp_path: Path
) -> None:
    settings = replace(SETTINGS, epochs=6, validate_every=2, learning_rate=3e-3)
    result = run(labels, tmp_path / "run", settings)
    found = losses(tmp_path / "run")
    assert len(found) == 3
    assert found[-1] < 0.6 * found[0]
    assert result.validation.correlations().srocc > 0.8
    weights = save_artifacts(result, settings, tmp_path / "run").weights
    network, _ = load_network(MODEL, weights)
    assert all(
        torch.equal(a, b)
        for a, b in zip(network.parameters(), result.network.parameters(), strict=True)
    )
    assert list((tmp_path / "run").rglob("events.out.tfevents*"))


@pytest.mark.parametrize("step", [3, 4])  # within an epoch, and at its end before the validation
def test_a_killed_run_resumes_exactly(
    labels: list[LabelledVideo], tmp_path: Path, step: int
) -> None:
    whole = run(labels, tmp_path / "whole")

    def kill(name: str, done: int, _: int) -> None:
        at_end = step == 4 and name == "validating" and (tmp_path / "stopped/log.csv").exists()
        if at_end or (step == 3 and name == "training" and done == step):
            fail()

    with pytest.raises(RuntimeError, match="power failure"):
        run(labels, tmp_path / "stopped", progress=kill)
    steps: list[int] = []
    resumed = run(
        labels,
        tmp_path / "stopped",
        progress=lambda name, done, _: steps.append(done) if name == "training" else None,
    )
    assert steps == ([3, 4] if step == 3 else [])
    assert same_weights(whole, resumed)
    assert losses(tmp_path / "whole") == losses(tmp_path / "stopped")
    assert np.array_equal(whole.test.technical, resumed.test.technical)


def test_a_killed_run_of_the_heads_resumes_exactly(
    labels: list[LabelledVideo], tmp_path: Path
) -> None:
    whole = run(labels, tmp_path / "whole", HEADS)
    with pytest.raises(RuntimeError, match="power failure"):
        run(labels, tmp_path / "stopped", HEADS, at_step(3, fail))
    assert same_weights(whole, run(labels, tmp_path / "stopped", HEADS))


def test_a_finished_run_is_not_repeated(labels: list[LabelledVideo], tmp_path: Path) -> None:
    first = run(labels, tmp_path)
    tasks: list[str] = []
    second = run(labels, tmp_path, progress=lambda name, *_: tasks.append(name))
    assert same_weights(first, second)
    assert "training" not in tasks


def test_another_run_is_not_mixed_in(labels: list[LabelledVideo], tmp_path: Path) -> None:
    one_epoch = replace(SETTINGS, epochs=1)
    run(labels, tmp_path, one_epoch)
    with pytest.raises(SettingsError, match="epochs 1, not 2"):
        run(labels, tmp_path)
    with pytest.raises(SettingsError, match="other labels"):
        run([replace(row, overall=row.overall + 1) for row in labels], tmp_path, one_epoch)
    fewer_tests = [row for row in labels if row.split != "test" or row.overall > 25]
    assert len(fewer_tests) < len(labels)
    assert run(fewer_tests, tmp_path, one_epoch).best_epoch == 1


def test_a_run_without_a_checkpoint_may_change_its_settings(
    labels: list[LabelledVideo], tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError, match="power failure"):
        run(labels, tmp_path, progress=at_step(1, fail))
    assert run(labels, tmp_path, replace(SETTINGS, epochs=1)).best_epoch == 1


def same_bytes(one: Tensor, other: Tensor) -> bool:
    """Unlike torch.equal, tells -0.0 from 0.0."""
    return one.numpy().tobytes() == other.numpy().tobytes()


def test_training_the_heads_leaves_the_backbones_bit_equal(
    labels: list[LabelledVideo],
    tmp_path: Path,
    initial: dict[str, Tensor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = replace(HEADS, epochs=6, cached_samples=1)
    result = run(labels, tmp_path / "run", settings)
    weights = save_artifacts(result, settings, tmp_path / "run").weights
    heads = {key for key in initial if key.startswith(("technical_head.", "aesthetic_head."))}
    assert weights.name == "heads.safetensors"
    assert load_file(weights).keys() == heads
    network, digest = load_network(MODEL, weights)
    trained = network.state_dict()
    assert {key for key in initial if not torch.equal(initial[key], trained[key])} == heads
    assert digest.endswith(result.initial_sha256)

    # Heads trained on a weights file of the user are saved together with its backbones.
    user_file = tmp_path / "mine.pth"
    torch.save(initial, user_file)
    full = save_artifacts(result, replace(settings, init=str(user_file)), tmp_path / "run").weights
    assert full.name == "model.safetensors"
    assert load_file(full).keys() == initial.keys()
    assert all(same_bytes(load_file(full)[key], initial[key]) for key in initial.keys() - heads)

    # Other heads and other runs share the cached features of equal backbones.
    cached = sorted((tmp_path / "cache").iterdir())
    times = [file.stat().st_mtime_ns for file in cached]
    run(
        labels,
        tmp_path / "more",
        replace(settings, init=str(full), trainable="technical head", epochs=1),
    )
    run(labels, tmp_path / "other", replace(settings, epochs=2))
    assert sorted((tmp_path / "cache").iterdir()) == cached
    assert [file.stat().st_mtime_ns for file in cached] == times

    publish(monkeypatch, {key: tensor + 1 for key, tensor in initial.items()})
    with pytest.raises(WeightsError, match=r"trained on|belong"):
        load_network(MODEL, weights)


def test_the_heads_of_the_bundled_model_learn(
    labels: list[LabelledVideo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "RULE", DOVER)  # the real clip length
    rows = [row for row in labels if row.split == "train"]
    splits = ("train", "val", "test")
    parts = [replace(row, split=splits[i % 3]) for i, row in enumerate([*rows, labels[-1]])]
    settings = TrainSettings(
        model="dover-open", init="dover-open", epochs=20, batch_size=3, learning_rate=0.01,
        warmup_epochs=1, validate_every=10, cached_samples=1,
    )  # fmt: skip
    result = run(parts, tmp_path / "run", settings)
    first, last = losses(tmp_path / "run")
    assert last < first
    weights = save_artifacts(result, settings, tmp_path / "run").weights
    network, digest = load_network("dover-open", weights)
    assert digest.endswith(result.initial_sha256)
    assert all(
        torch.equal(tensor, result.network.state_dict()[name])
        for name, tensor in network.state_dict().items()
    )


def test_a_loss_that_is_not_finite_stops_the_run(
    labels: list[LabelledVideo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(settings_module.RANGES, "learning_rate", (0, 1e31))
    settings = replace(SETTINGS, learning_rate=1e30, warmup_epochs=0)
    with pytest.raises(TrainingError, match="lower --learning-rate"):
        run(labels, tmp_path, settings)


def test_the_error_for_exhausted_memory(labels: list[LabelledVideo], tmp_path: Path) -> None:
    def fill_memory() -> None:
        torch.empty(2**60, dtype=torch.uint8)

    with pytest.raises(TrainingError, match="smaller --batch-size"):
        run(labels, tmp_path, progress=at_step(1, fill_memory))


def test_a_broken_video_is_named(labels: list[LabelledVideo], tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    rows = [replace(labels[0], file=broken), *labels[1:]]
    with pytest.raises(VideoError, match=r"1 of 16 .*\n.*broken\.mp4"):
        run(rows, tmp_path / "run")


def test_too_few_videos(labels: list[LabelledVideo], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="val split has 2 videos"):
        run([row for row in labels if row.split != "val" or row.overall > 70], tmp_path)


def test_videos_of_equal_quality(labels: list[LabelledVideo], tmp_path: Path) -> None:
    rows = [replace(row, overall=50.0) if row.split == "test" else row for row in labels]
    with pytest.raises(SettingsError, match="test split has 4 videos with 1 distinct MOS"):
        run(rows, tmp_path)
