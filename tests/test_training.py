"""Training for real, for a few steps: losses, resuming, heads, what goes wrong."""

import csv
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from clips import write_clip
from dover_plugin.training.synthetic.degradations import LIGHT, PENALTIES
from safetensors.torch import load_file
from typer.testing import CliRunner

from dover_plugin.cli import app
from dover_plugin.errors import SettingsError, VideoError, WeightsError
from dover_plugin.evaluation.labels import LabelledVideo
from dover_plugin.networks import CONFIGS
from dover_plugin.networks.seeded import seeded_state_dict
from dover_plugin.training import run as run_module
from dover_plugin.training.data import load
from dover_plugin.training.examples import MakeViews, VideoDataset
from dover_plugin.training.outcome import keep, summary
from dover_plugin.training.run import TrainingError, TrainSettings
from dover_plugin.training.trainer import Trained, train
from dover_plugin.weights import registry, store
from dover_plugin.weights.download import sha256_of
from dover_plugin.weights.load import load_network

CPU = torch.device("cpu")
SETTINGS = TrainSettings(
    model="dover-open", init="scratch", what="all", epochs=2, batch_size=4, clip_len=2,
    backbone_rate=1.0, warmup_epochs=0.5, seed=1, draws=0,
)  # fmt: skip
VIDEOS = 16


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledVideo]:
    """Clips whose label is how rough they are."""
    folder = tmp_path_factory.mktemp("labelled")
    rows = []
    for i in range(VIDEOS):
        rng = np.random.default_rng(i)
        grain = rng.integers(-8 * i - 1, 8 * i + 1, (4, 224, 224, 3))
        frames = np.clip(128 + grain, 0, 255).astype(np.uint8)
        file = write_clip(folder / f"{i:02}.mp4", size=(224, 224), frames=iter(frames))
        split = "train" if i % 8 < 4 else "val" if i % 8 < 6 else "test"
        rows.append(LabelledVideo(file, 100 - 5.0 * i, group=file.name, split=split))
    return rows


def run(
    labels: list[LabelledVideo],
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


def test_the_loss_falls_and_the_run_is_kept(labels: list[LabelledVideo], tmp_path: Path) -> None:
    settings = replace(SETTINGS, epochs=8, validate_every=2, learning_rate=3e-3)
    trained = run(labels, tmp_path / "run", settings)
    found = losses(tmp_path / "run")
    assert len(found) == 4
    assert found[-1] < 0.6 * found[0]
    assert trained.validation.agreement().srocc > 0.8
    files = keep(trained, settings, tmp_path / "run")
    network, _ = load_network("dover-open", files.weights)
    assert all(
        torch.equal(a, b)
        for a, b in zip(network.parameters(), trained.network.parameters(), strict=True)
    )
    assert list((tmp_path / "run").rglob("events.out.tfevents*"))
    rows = summary(
        [{name: trained.test.agreement() for name in ("overall", "technical", "aesthetic")}]
    )
    assert rows[0]["srocc"] == trained.test.agreement().srocc


def lose_power() -> None:
    raise RuntimeError("the power went")


def test_other_columns_teach_the_backbones_and_are_left_out(
    labels: list[LabelledVideo], tmp_path: Path
) -> None:
    told = [
        replace(row, also={"a": i / VIDEOS, "b": nan if i % 2 else i})
        for i, row in enumerate(labels)
    ]
    plain, whole = run(labels, tmp_path / "plain"), run(told, tmp_path / "whole")
    assert plain.network.state_dict().keys() == whole.network.state_dict().keys()
    assert not same(plain, whole)
    with pytest.raises(RuntimeError, match="power"):
        run(told, tmp_path / "stopped", progress=at_step(3, lose_power))
    assert same(whole, run(told, tmp_path / "stopped"))
    with pytest.raises(SettingsError, match="--end-to-end"):
        run(told, tmp_path / "heads", TrainSettings(model="dover-open", init="dover-open"))


@pytest.mark.parametrize("step", [3, 4])  # within an epoch, and at its end, before validation
def test_a_killed_training_goes_on_exactly(
    labels: list[LabelledVideo], tmp_path: Path, step: int
) -> None:
    whole = run(labels, tmp_path / "whole")

    def die(name: str, done: int, _: int) -> None:
        at_end = step == 4 and name == "validating" and (tmp_path / "stopped/log.csv").exists()
        if at_end or (step == 3 and name == "training" and done == step):
            lose_power()

    with pytest.raises(RuntimeError, match="power"):
        run(labels, tmp_path / "stopped", progress=die)
    resumed_at: list[int] = []
    again = run(
        labels,
        tmp_path / "stopped",
        progress=lambda name, done, _: resumed_at.append(done) if name == "training" else None,
    )
    assert resumed_at == ([3, 4] if step == 3 else [])
    assert same(whole, again)
    assert losses(tmp_path / "whole") == losses(tmp_path / "stopped")
    assert np.array_equal(whole.test.technical, again.test.technical)


@pytest.mark.timeout(1200)  # four commands that start processes
def test_a_killed_command_goes_on_exactly(labels: list[LabelledVideo], tmp_path: Path) -> None:
    """The real command, with a process that reads; Ctrl-C reaches both. Then a plain kill."""
    table = write_table(labels, tmp_path / "labels.csv")
    command = [sys.executable, "-m", "dover_plugin", "train", "--labels", str(table)]
    command += ["--videos", str(labels[0].file.parent), *COMMAND]
    subprocess.run([*command, "-o", str(tmp_path / "whole")], check=True, capture_output=True)
    folder = tmp_path / "stopped/split-1"
    checkpoint = folder / "checkpoint.pt"
    again = [*command, "-o", str(tmp_path / "stopped")]

    def stop(how: signal.Signals, when: Callable[[], bool], workers: str) -> tuple[int, bytes]:
        process = subprocess.Popen(
            [*again, "--workers", workers], start_new_session=True, stderr=subprocess.PIPE
        )
        while not when():
            assert process.poll() is None
            time.sleep(0.02)
        os.killpg(process.pid, how)
        _, told = process.communicate()
        assert not (folder / "model.safetensors").exists()
        return process.returncode, told

    code, told = stop(signal.SIGINT, lambda: any(folder.rglob("events.out.tfevents*")), "1")
    assert code == 130, told
    assert b"Traceback" not in told
    kept = checkpoint.stat().st_mtime_ns
    stop(signal.SIGKILL, lambda: checkpoint.stat().st_mtime_ns != kept, "0")
    subprocess.run(again, check=True, capture_output=True)
    assert (tmp_path / "whole/split-1/model.safetensors").read_bytes() == (
        folder / "model.safetensors"
    ).read_bytes()


def test_heads_alone_go_on_exactly(
    labels: list[LabelledVideo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(monkeypatch, "dover-mobile")
    settings = TrainSettings(
        model="dover-mobile", init="dover-mobile", epochs=3, batch_size=4, draws=2, seed=1
    )
    whole = run(labels, tmp_path / "whole", settings)
    with pytest.raises(RuntimeError, match="power"):
        run(labels, tmp_path / "stopped", settings, at_step(3, lose_power))
    assert same(whole, run(labels, tmp_path / "stopped", settings))


def test_a_full_disk_loses_no_step_that_was_kept(
    labels: list[LabelledVideo], tmp_path: Path
) -> None:
    """A limit on the size of files is to a program what a full disk is."""
    table = write_table(labels, tmp_path / "labels.csv")
    command = [sys.executable, "-m", "dover_plugin", "train", "--labels", str(table)]
    command += ["--videos", str(labels[0].file.parent), *COMMAND]
    command += ["-o", str(tmp_path / "run")]
    small = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))  # noqa: E731
    done = subprocess.run(command, preexec_fn=small, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "Cannot write" in done.stderr
    assert "Make room" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "run").rglob("*.p*t"))  # neither half a file nor a part of one
    subprocess.run(command, check=True, capture_output=True)


def test_a_finished_training_is_not_done_again(labels: list[LabelledVideo], tmp_path: Path) -> None:
    first = run(labels, tmp_path)
    seen: list[str] = []
    second = run(labels, tmp_path, progress=lambda name, *_: seen.append(name))
    assert same(first, second)
    assert "training" not in seen


def test_another_training_is_not_mixed_in(labels: list[LabelledVideo], tmp_path: Path) -> None:
    run(labels, tmp_path, replace(SETTINGS, epochs=1))
    with pytest.raises(SettingsError, match="epochs 1, not 2"):
        run(labels, tmp_path)
    other = [replace(row, overall=row.overall + 1) for row in labels]
    with pytest.raises(SettingsError, match="other labels"):
        run(other, tmp_path, replace(SETTINGS, epochs=1))
    untested = [row for row in labels if row.split != "test" or row.overall > 25]
    assert run(untested, tmp_path, replace(SETTINGS, epochs=1)).best_epoch == 1


def test_what_never_began_binds_nobody(labels: list[LabelledVideo], tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="power"):
        run(labels, tmp_path, progress=at_step(1, lose_power))
    assert run(labels, tmp_path, replace(SETTINGS, epochs=1)).best_epoch == 1


def published(monkeypatch: pytest.MonkeyPatch, model: str) -> dict[str, Any]:
    """Untrained weights, as if they were the published ones and in the cache."""
    state = seeded_state_dict(CONFIGS[model])
    state["technical_backbone.downsample_layers.0.0.bias"][0] = -0.0  # which an average loses
    file = store.cached(model)
    file.parent.mkdir(parents=True)
    torch.save(state, file)
    digest = sha256_of(file)
    row = replace(registry.published(model), sha256=digest)
    monkeypatch.setattr(registry, "PUBLISHED", (row,))
    return state


def same_bytes(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Also of zeros: 0.0 and -0.0 are equal to torch."""
    return one.numpy().tobytes() == other.numpy().tobytes()


def test_heads_alone_leave_the_backbones_bit_equal(
    labels: list[LabelledVideo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = published(monkeypatch, "dover-mobile")
    settings = TrainSettings(
        model="dover-mobile", init="dover-mobile", epochs=12, batch_size=4, draws=1, seed=1
    )
    made: list[int] = []
    note = lambda name, done, _: made.append(done) if name == "reading" else None  # noqa: E731
    trained = run(labels, tmp_path / "run", settings, progress=note)
    files = keep(trained, settings, tmp_path / "run")
    assert files.weights.name == "heads.safetensors"
    assert files.weights.stat().st_size < 200_000
    network, digest = load_network("dover-mobile", files.weights)
    after = network.state_dict()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    heads = {key for key in before if key.startswith(("technical_head.", "aesthetic_head."))}
    assert changed == heads
    assert digest.endswith(trained.start.sha256)
    mine = tmp_path / "mine.pth"  # heads on a file of the user's come with its backbones
    torch.save(before, mine)
    full = keep(trained, replace(settings, init=str(mine)), tmp_path / "run").weights
    assert full.name == "model.safetensors"
    assert load_file(full).keys() == before.keys()
    assert all(same_bytes(load_file(full)[key], before[key]) for key in before.keys() - heads)
    cached = sorted((tmp_path / "kept").iterdir())
    more = replace(settings, model="dover-mobile", init=str(full), what="technical head", epochs=1)
    run(labels, tmp_path / "more", more)  # other heads, the same backbones
    assert sorted((tmp_path / "kept").iterdir()) == cached
    times = [file.stat().st_mtime_ns for file in cached]
    run(labels, tmp_path / "other", replace(settings, seed=1, epochs=2))
    assert [file.stat().st_mtime_ns for file in cached] == times  # nothing was computed again
    other = {key: tensor + 1 for key, tensor in before.items()}
    torch.save(other, store.cached("dover-mobile"))
    row = replace(
        registry.published("dover-mobile"), sha256=sha256_of(store.cached("dover-mobile"))
    )
    monkeypatch.setattr(registry, "PUBLISHED", (row,))
    with pytest.raises(WeightsError, match="were trained on weights with SHA-256"):
        load_network("dover-mobile", files.weights)


def test_a_loss_that_is_no_number_stops_with_what_was_reached(
    labels: list[LabelledVideo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(run_module.RANGES, "learning_rate", (0, 1e31))
    settings = replace(SETTINGS, learning_rate=1e30, warmup_epochs=0)
    with pytest.raises(TrainingError, match="lower --learning-rate"):
        run(labels, tmp_path, settings)


def test_memory_that_runs_out_says_what_to_do(labels: list[LabelledVideo], tmp_path: Path) -> None:
    def fill_memory() -> None:
        torch.empty(2**60, dtype=torch.uint8)

    with pytest.raises(TrainingError, match="smaller --batch-size"):
        run(labels, tmp_path, progress=at_step(1, fill_memory))


def test_a_video_that_breaks_is_named(labels: list[LabelledVideo], tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    rows = [replace(labels[0], file=broken), *labels[1:]]
    with pytest.raises(VideoError, match=r"1 of 16 .*\n.*broken\.mp4"):
        run(rows, tmp_path / "run")
    examples = VideoDataset(rows, MakeViews(2), seed=0, draws=0, folder=tmp_path)
    with pytest.raises(VideoError, match=r"^[^\n]*broken\.mp4' cannot be read[^\n]*$"):
        list(load(examples, [[(0, 1), (0, 0)]], workers=1))


def test_too_few_videos(labels: list[LabelledVideo], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="val split has 2 videos"):
        run([row for row in labels if row.split != "val" or row.overall > 70], tmp_path)


def test_spoilt_light_lowers_all_opinions_but_the_technical_one(
    labels: list[LabelledVideo], tmp_path: Path
) -> None:
    steps = {f"fault_{kind}": 0.0 for kind in (*LIGHT, "noise")}
    row = replace(labels[0], technical=80.0, aesthetic=60.0, also=steps)
    plain, spoilt = (
        VideoDataset([row], MakeViews(2), seed=0, draws=0, folder=tmp_path, spoil_light=light)
        for light in (False, True)
    )
    left = set()
    for number in range(8):
        before, after = plain[(number, 0)], spoilt[(number, 0)]
        assert isinstance(before, dict)
        assert isinstance(after, dict)
        share = float(after["overall"]) / row.overall
        left.add(share)
        assert torch.equal(before["technical_view"], after["technical_view"]) == (share == 1)
        assert float(after["technical"]) == 80
        assert float(after["aesthetic"]) == pytest.approx(60 * share)
        assert not before["also"].any()
        penalties = [PENALTIES[int(step) - 1] for step in after["also"][:-1] if step]
        assert 1 - share == pytest.approx(sum(penalties))
        assert after["also"][-1] == 0
    assert min(left) < 1 == max(left)


COMMAND = (
    "--init scratch -m dover-open --end-to-end --epochs 2 --clip-len 2 --batch-size 4 "
    "--device cpu --workers 0"  # each process that reads takes seconds to begin
).split()


def write_table(labels: list[LabelledVideo], path: Path) -> Path:
    lines = [f"{row.file.name},{row.overall},{row.split}" for row in labels]
    path.write_text("\n".join(["file,mos,split", *lines]) + "\n")
    return path


def test_the_command(labels: list[LabelledVideo], tmp_path: Path) -> None:
    labelled = write_table(labels[1:], tmp_path / "labels.csv")
    command = f"train --labels {labelled} --videos {labels[0].file.parent} -o {tmp_path / 'run'} "
    result = CliRunner().invoke(app, [*command.split(), *COMMAND])
    assert result.exit_code == 0, result.output
    assert "SROCC" in result.stdout
    assert "1 videos of" in result.stderr  # the first has no label
    assert "model.safetensors" in result.stderr
    result = CliRunner().invoke(app, [*command.split(), *COMMAND, "--splits", "2"])
    assert "names the split of each video" in str(result.exception)
