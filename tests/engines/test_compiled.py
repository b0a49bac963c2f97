"""The cache of compiled graphs: verified, bounded waits, and never a reason to fail."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from dover_plugin import Scorer, doctor
from dover_plugin.engines import compiled
from dover_plugin.engines.export import export_onnx
from dover_plugin.errors import EngineError
from dover_plugin.networks import CONFIGS, Dover
from dover_plugin.preprocessing.sampling_rule import Branch, SamplingRule
from dover_plugin.weights import lock

FRAMES = np.random.default_rng(0).integers(0, 256, (4, 64, 96, 3), np.uint8)
OTHERS = ("openvino", "onnxruntime")


@pytest.fixture(autouse=True)
def _empty_cache(_own_cache: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOVER_HOME", str(tmp_path / "empty"))


def fresh_files(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file.name != compiled.HASHES
    }


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Folders for which graphs were exported; small files stand for the graphs."""
    folders: list[Path] = []

    def export(network: object, file: Path, metadata: object) -> None:
        raise AssertionError("not exported in this test")

    def make(network: object, rule: SamplingRule, folder: Path) -> dict[Branch, Path]:
        folders.append(folder)
        files = compiled._files(rule, folder)
        for branch, file in files.items():
            file.write_text(f"graph of the {branch} branch")
        compiled._store_hashes(folder)
        return files

    monkeypatch.setattr("dover_plugin.engines.export.export_onnx", export)
    monkeypatch.setattr(compiled, "_make", make)
    return folders


def use(add: str = "") -> dict[str, str]:
    """Contents of the graphs; an engine adds a file of its own."""
    with compiled.graphs(lambda: None, "dover", "weights") as files:  # type: ignore[arg-type,return-value]
        if add:
            inside = files["technical"].parent / "engine" / "technical.blob"
            inside.parent.mkdir(exist_ok=True)
            inside.write_text(add)
        return {branch: file.read_text() for branch, file in files.items()}


def test_graphs_are_made_once(made: list[Path]) -> None:
    first = use()
    assert use("compiled by the engine") == use() == first
    assert len(made) == 1
    assert (made[0] / "engine" / "technical.blob").exists()
    assert compiled.damaged_files() == []


@pytest.mark.parametrize("content", [b"", b"graph", b"another graph", None])
def test_a_graph_that_was_changed_is_made_again(
    content: bytes | None, made: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    first = use()
    file = made[0] / "technical.onnx"
    if content is None:
        file.unlink()
        if hasattr(os, "mkfifo"):
            os.mkfifo(file)
    else:
        file.write_bytes(content)
    if content is not None:
        assert compiled.damaged_files() == [file]
        assert {check.state for check in doctor._compiled()} == {"off"}
    assert use() == first
    assert len(made) == 2
    assert compiled.damaged_files() == []
    assert {check.state for check in doctor._compiled()} == {"ok"}
    if content is not None:
        assert f"Deleting '{file}'" in caplog.text


def test_files_of_engines_that_were_changed_or_added_are_deleted(made: list[Path]) -> None:
    use("compiled by the engine")
    blob = made[0] / "engine" / "technical.blob"
    blob.write_text("changed")
    stranger = made[0] / "engine" / "stranger.blob"
    stranger.write_text("added")
    link = made[0] / "engine" / "link.blob"
    link.symlink_to(stranger)
    use()
    assert not blob.exists()
    assert not stranger.exists()
    assert not link.is_symlink()
    assert len(made) == 1


@pytest.mark.parametrize("content", ["", "[]", "{}", "[" * 100_000, '{"technical.onnx": 3}'])
def test_damaged_hashes_make_everything_again(content: str, made: list[Path]) -> None:
    first = use("compiled by the engine")
    (made[0] / compiled.HASHES).write_text(content)
    assert use() == first
    assert len(made) == 2
    assert not list((made[0] / "engine").iterdir())


def test_what_a_killed_start_left_is_removed(made: list[Path]) -> None:
    use()
    left = made[0] / "tmpabc"
    left.mkdir()
    (left / "network.onnx").write_text("half a graph")
    use()
    assert not left.exists()


def test_other_weights_have_other_graphs(made: list[Path]) -> None:
    for digest in ("a", "b", "a"):
        with compiled.graphs(lambda: None, "dover", digest):  # type: ignore[arg-type,return-value]
            pass
    assert len(set(made)) == len(made) == 2


def test_a_lock_that_stays_held_is_announced_and_passed_by(
    made: list[Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lock, "NOTICE_SECONDS", 0.1)
    monkeypatch.setattr(compiled, "LOCK_SECONDS", 0.3)
    first = use()
    with FileLock(f"{made[0]}.lock"):
        assert use() == first
    assert (
        "Waiting up to 0 s for another process that compiles or loads this network" in caplog.text
    )
    assert "compiling for this run only" in caplog.text
    assert made[1].parent != made[0].parent
    assert not made[1].exists()
    assert use() == first
    assert len(made) == 2


def test_a_cache_that_cannot_be_written_is_passed_by(
    made: list[Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    compiled.cache_folder().parent.mkdir(parents=True, exist_ok=True)
    compiled.cache_folder().write_text("a file in place of the folder")
    use()
    assert "Cannot keep compiled networks in" in caplog.text


def test_a_read_only_cache_is_verified(made: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    first = use()
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert use() == first
    assert len(made) == 1
    (made[0] / "technical.onnx").write_text("changed")
    assert use() == first
    assert len(made) == 2
    assert (made[0] / "technical.onnx").read_text() == "changed"


@pytest.fixture(params=OTHERS)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    pytest.importorskip(request.param)
    yield request.param


def test_scores_survive_changed_and_truncated_files(
    engine: str, caplog: pytest.LogCaptureFixture
) -> None:
    def raw() -> tuple[float, float]:
        return Scorer("dover-open", "cpu", engine=engine).score(FRAMES).raw

    first = raw()
    assert "Deleting" not in caplog.text
    (folder,) = compiled.cache_folder().glob("*/")
    whole = fresh_files(folder)
    assert raw() == first
    assert fresh_files(folder) == whole  # nothing is made twice
    for number, (name, content) in enumerate(sorted(whole.items())):
        middle = len(content) // 2
        changed = content[:middle] + bytes(64) + content[middle + 64 :]
        (folder / name).write_bytes(changed if number % 2 else content[:middle])
    assert compiled.damaged_files()
    assert raw() == first
    assert fresh_files(folder).keys() == whole.keys()
    assert compiled.damaged_files() == []


def test_a_failed_export_is_told_on_one_line(tmp_path: Path) -> None:
    class Broken(Dover):
        def quality_map(self, *_: Any) -> Any:
            raise NameError("name 'x' is not defined")

    with pytest.raises(EngineError) as caught:
        export_onnx(Broken(CONFIGS["dover-open"]).eval(), tmp_path / "broken.onnx", {})
    assert str(caught.value).startswith(
        "Cannot export the network to ONNX (NameError: name 'x' is not defined). Use the engine"
    )
