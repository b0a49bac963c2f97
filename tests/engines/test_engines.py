"""Every engine gives torch's scores, says what it is, and starts quickly the second time."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from clips import write_clip

from dover_plugin import EngineError, Scorer, SettingsError, doctor
from dover_plugin.engines import export, factory
from dover_plugin.preprocessing.sampling_rule import BRANCHES
from dover_plugin.preprocessing.views import Views

ROOT = Path(__file__).parents[2]
OTHERS = ("openvino", "onnxruntime")
MODELS = ("dover-open", "dover-mobile", "dover")
TOLERANCE = 1e-4
HALF_TOLERANCE = 1e-2


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory, mobile: Scorer) -> Views:
    clip = write_clip(tmp_path_factory.mktemp("clip") / "a.mp4", 96, (240, 320))
    return mobile.read(clip)[1][0]


def scorer(seeded: dict[str, Path], model: str, engine: str, **settings: Any) -> Scorer:
    return Scorer(model, "cpu", weights=seeded[model], engine=engine, **settings)


@pytest.mark.parametrize(
    ("model", "branches"),
    [("fast-vqa-m", None), ("dover-open", ("aesthetic",))],
)
def test_one_branch_is_that_of_torch(
    model: str,
    branches: tuple[str, ...] | None,
    seeded: dict[str, Path],
    clip: Path,
) -> None:
    expected = scorer(seeded, model, "torch", branches=branches).score(clip)
    assert expected.maps is not None
    for engine in OTHERS:
        found = scorer(seeded, model, engine, branches=branches).score(clip)
        assert found.maps is not None
        assert found.present == expected.present
        assert found.maps.branches == expected.maps.branches
        for branch in found.maps.branches:
            one, other = getattr(found.maps, branch), getattr(expected.maps, branch)
            assert one.shape == other.shape
            assert np.abs(one - other).max() < TOLERANCE


def test_a_model_with_one_score_is_exported(seeded: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "network.onnx"
    assert export.write_checked("fast-vqa-m", seeded["fast-vqa-m"], file) < TOLERANCE
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_inputs()] == ["technical_view"]
    assert session.get_inputs()[0].shape[1:] == [3, 16, 128, 128]
    assert [each.name for each in session.get_outputs()] == ["technical", "technical_map"]


@pytest.mark.parametrize("model", MODELS)
def test_maps_are_those_of_torch(model: str, seeded: dict[str, Path], views: Views) -> None:
    if model == "dover":  # which takes seconds for each clip
        views = replace(views, technical=views.technical[:1])
    expected = scorer(seeded, model, "torch").engine.run(views)
    for engine in OTHERS[:1] if model == "dover" else OTHERS:
        made = scorer(seeded, model, engine)
        assert (made.settings.engine, made.settings.device) == (engine, "cpu")
        found = made.engine.run(views)
        for branch in ("technical", "aesthetic"):
            one, other = getattr(found, branch), getattr(expected, branch)
            assert one.shape == other.shape
            assert one.dtype == np.float32
            assert abs(one - other).max() < TOLERANCE
            assert abs(other - other.mean()).max() > 100 * TOLERANCE  # there is something to see
        again = made.engine.run(views)
        np.testing.assert_array_equal(again.technical, found.technical)
        np.testing.assert_array_equal(again.aesthetic, found.aesthetic)


@pytest.mark.parametrize("engine", OTHERS)
def test_scores_do_not_depend_on_threads(
    engine: str, seeded: dict[str, Path], views: Views
) -> None:
    threads = torch.get_num_threads()
    maps = []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            maps.append(scorer(seeded, "dover-mobile", engine).engine.run(views))
    finally:
        torch.set_num_threads(threads)
    assert abs(maps[0].technical - maps[1].technical).max() < 1e-5
    assert abs(maps[0].technical.mean() - maps[1].technical.mean()) < 1e-6


def test_bfloat16_is_close_where_the_cpu_has_it(
    seeded: dict[str, Path], views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dover_plugin.engines.openvino_engine import core, openvino

    expected = scorer(seeded, "dover-mobile", "torch").engine.run(views)
    if "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        made = scorer(seeded, "dover-mobile", "openvino", precision="bfloat16")
        assert made.settings.precision == "bfloat16"
        found = made.engine.run(views)
        assert abs(found.technical.mean() - expected.technical.mean()) < HALF_TOLERANCE
        assert abs(found.aesthetic.mean() - expected.aesthetic.mean()) < HALF_TOLERANCE
        assert abs(found.technical - expected.technical).max() > 0
    monkeypatch.setattr(openvino.Core, "get_property", lambda *_: ["FP32"])
    with pytest.raises(SettingsError, match="no instructions for precision 'bfloat16'"):
        scorer(seeded, "dover-mobile", "openvino", precision="bfloat16")


@pytest.mark.parametrize("engine", OTHERS)
def test_end_to_end_as_the_reference(
    engine: str, seeded: dict[str, Path], shared_clips: Path
) -> None:
    golden = json.loads((Path(__file__).parents[1] / "golden/end_to_end.json").read_text())
    expected = golden["1724.mp4"]["dover-mobile"]
    scores = scorer(seeded, "dover-mobile", engine).score(shared_clips / "1724.mp4")
    assert scores.raw.technical == pytest.approx(expected["technical"], abs=TOLERANCE)
    assert scores.raw.aesthetic == pytest.approx(expected["aesthetic"], abs=TOLERANCE)
    assert scores.to_dict()["engine"] == engine


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no signals on this system")
def test_signals_are_handled_after_scorers_are_gone() -> None:
    """However they went; OpenVINO once took the stack away that handlers run on."""
    program = """
import os, signal, threading
from dover_plugin import Scorer
made = [Scorer("dover-open", "cpu", engine="openvino") for _ in range(3)]
del made[0]
del made[0]
thread = threading.Thread(target=made.clear)
thread.start()
thread.join()
signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
os.kill(os.getpid(), signal.SIGUSR1)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, b"handled\n"), done.stderr


def test_openvino_reports_nothing_over_the_network() -> None:
    program = """
import os, sys
os.fork = None
import dover_plugin.engines.openvino_engine
assert not any(name.startswith("openvino_telemetry.") for name in sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


@pytest.mark.parametrize("engine", OTHERS)
def test_the_second_start_makes_no_graph(
    engine: str, seeded: dict[str, Path], compiled_networks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer(seeded, "dover-mobile", engine)
    before = {file: file.stat().st_mtime_ns for file in compiled_networks.rglob("*.onnx")}
    assert before

    def fail(*_: object) -> None:
        raise AssertionError("a graph was made again")

    monkeypatch.setattr(export, "export_onnx", fail)
    scorer(seeded, "dover-mobile", engine)
    assert {file: file.stat().st_mtime_ns for file in before} == before


def test_a_cache_that_cannot_be_written_is_said_and_does_not_stop(
    seeded: dict[str, Path],
    views: Views,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "compiled").write_text("a file where the folder should be")
    monkeypatch.setenv("DOVER_HOME", str(tmp_path))
    made = scorer(seeded, "dover-open", "openvino")
    assert "Cannot keep compiled networks" in caplog.text
    assert np.isfinite(made.engine.run(views).technical).all()


def test_a_graph_that_cannot_be_made_is_said(
    seeded: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("an operator is missing")

    monkeypatch.setenv("DOVER_HOME", str(tmp_path))
    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(EngineError, match=r"operator is missing\)\. Use the engine 'torch'"):
        scorer(seeded, "dover-mobile", "openvino")
    assert not list(tmp_path.rglob("*.onnx"))
    assert not list(tmp_path.rglob("tmp*"))


def test_the_default_is_openvino_on_every_surface(seeded: dict[str, Path], clip: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "DOVER_ENGINE"}
    command = [sys.executable, "-m", "dover_plugin", "score", str(clip), "--format", "json"]
    done = subprocess.run(
        [
            *command,
            "--device",
            "cpu",
            "--model",
            "dover-mobile",
            "--weights",
            str(seeded["dover-mobile"]),
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    row = json.loads(done.stdout)
    assert (row["engine"], row["precision"]) == ("openvino", "float32")
    expected = scorer(seeded, "dover-mobile", "torch").score(clip)
    assert row["technical_raw"] == pytest.approx(expected.raw.technical, abs=TOLERANCE)


def test_doctor_tells_of_an_engine_that_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOVER_ENGINE", "onnxruntime")
    found = {check.name: check for check in doctor._engines()}
    assert found["engine auto"].state == "ok"
    assert "onnxruntime on" in found["engine auto"].detail
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name == "onnxruntime" else name)
    found = {check.name: check for check in doctor._engines()}
    assert found["engine onnxruntime"].state == "off"
    assert found["engine auto"].state == "broken"


def test_what_auto_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOVER_ENGINE")
    assert factory.choose("auto", "cpu") == "openvino"
    assert factory.choose("auto", "cuda") == "torch"
    assert factory.choose("onnxruntime", "cuda") == "onnxruntime"
    monkeypatch.setattr(factory, "find_spec", lambda name: None if name == "openvino" else name)
    assert factory.choose("auto", "cpu") == "torch"
    monkeypatch.setenv("DOVER_ENGINE", "onnxruntime")
    assert factory.choose("auto", "cpu") == "onnxruntime"
    assert factory.choose("torch", "cpu") == "torch"
    monkeypatch.setenv("DOVER_ENGINE", "caffe")
    with pytest.raises(SettingsError, match=r"'caffe' \(from \$DOVER_ENGINE\)"):
        factory.choose("auto", "cpu")


@pytest.mark.parametrize("engine", OTHERS)
def test_what_an_engine_cannot_do_is_said(
    engine: str, seeded: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match=f"'{engine}' computes in float32.*got .*'float16'"):
        scorer(seeded, "dover-mobile", engine, precision="float16")
    monkeypatch.setattr(factory, "find_spec", lambda name: None if name == engine else name)
    with pytest.raises(SettingsError, match=rf"needs {engine}\. Run pip install 'dover-plugin\["):
        scorer(seeded, "dover-mobile", engine)


def test_an_engine_runs_where_it_can(seeded: dict[str, Path]) -> None:
    from dover_plugin.engines.onnxruntime_engine import _providers
    from dover_plugin.engines.openvino_engine import OpenVinoEngine

    with pytest.raises(SettingsError, match="runs on the CPU, got device 'cuda:0'"):
        OpenVinoEngine(lambda: None, "dover", "cuda:0", "float32", "")  # type: ignore[arg-type]
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(SettingsError, match=r"'cuda:1' \(it has .*install onnxruntime-gpu"):
            _providers(torch.device("cuda:1"))


def test_an_exported_model_runs_with_onnxruntime_alone(
    seeded: dict[str, Path], views: Views, tmp_path: Path
) -> None:
    weights, file = seeded["dover-mobile"], tmp_path / "mobile.onnx"
    command = [sys.executable, "-m", "dover_plugin", "export", "onnx"]
    done = subprocess.run(
        [*command, "--model", "dover-mobile", "--weights", str(weights), "--output", str(file)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"{file}: outputs are within ")
    session = onnxruntime.InferenceSession(file)
    facts = session.get_modelmeta().custom_metadata_map
    torch_scorer = scorer(seeded, "dover-mobile", "torch")
    assert facts["model"] == "dover-mobile"
    assert facts["weights_sha256"] == torch_scorer.settings.weights_sha256
    assert "that of the file" in facts["license"]
    assert [i.name for i in session.get_inputs()] == [f"{branch}_view" for branch in BRANCHES]
    maps = [f"{branch}_map" for branch in BRANCHES]
    assert [o.name for o in session.get_outputs()] == [*BRANCHES, *maps]
    assert all(isinstance(i.shape[0], str) for i in session.get_inputs())  # any number of clips

    np.savez(tmp_path / "v.npz", technical=views.technical, aesthetic=views.aesthetic)
    program = (ROOT / "examples/onnx_alone.py").read_text()
    assert "torch" not in program
    printed = subprocess.run(
        [sys.executable, ROOT / "examples/onnx_alone.py", file, tmp_path / "v.npz"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    maps = torch_scorer.engine.run(views)
    assert (
        f"technical {maps.technical.mean():.4f}, aesthetic {maps.aesthetic.mean():.4f}" in printed
    )


def test_an_export_that_differs_is_not_written(
    seeded: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "open.onnx"
    file.write_text("an earlier one")
    monkeypatch.setattr(export, "_difference", lambda *_: float("nan"))
    with pytest.raises(EngineError, match="differs from torch by nan"):
        export.write_checked("dover-open", seeded["dover-open"], file)
    assert [f.name for f in tmp_path.iterdir()] == ["open.onnx"]
    assert file.read_text() == "an earlier one"
    with pytest.raises(SettingsError, match=r"Use an \.onnx file in a folder that exists"):
        export.write_checked("dover-mobile", seeded["dover-mobile"], tmp_path / "no" / "a.onnx")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("precision", ["float32", "float16", "bfloat16"])
def test_cuda_gives_the_scores_of_the_cpu(
    model: str, precision: str, seeded: dict[str, Path], views: Views
) -> None:
    expected = scorer(seeded, model, "torch").engine.run(views)
    made = Scorer(model, "cuda", weights=seeded[model], engine="torch", precision=precision)
    found = made.engine.run(views)
    limit = TOLERANCE if precision == "float32" else HALF_TOLERANCE
    assert abs(found.technical.mean() - expected.technical.mean()) < limit
    assert abs(found.aesthetic.mean() - expected.aesthetic.mean()) < limit
