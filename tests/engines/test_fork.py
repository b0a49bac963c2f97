"""Networks in child processes: the same scores, or one clear error; never a hang."""

import json
import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest

ENGINES = ("torch", "openvino", "onnxruntime")
PROGRAM = """
import json, multiprocessing, sys
import numpy as np
from dover_plugin import Scorer

FRAMES = np.random.default_rng(0).integers(0, 256, (4, 64, 96, 3), np.uint8)

def make(engine):
    return Scorer("dover-open", "cpu", engine=engine)

def attempt(task):
    try:
        return task()
    except Exception as error:
        return f"{type(error).__name__}: {error}"

def child(pipe, engine, inherited):
    found = [attempt(lambda: list(make(engine).score(FRAMES).raw))]
    if inherited:
        found.append(attempt(lambda: list(inherited.score(FRAMES).raw)))
    pipe.send(found)

if __name__ == "__main__":
    engine, method, used = sys.argv[1:]
    scorer = make(engine) if used == "used" else None
    expected = list(scorer.score(FRAMES).raw) if scorer else None
    context = multiprocessing.get_context(method)
    pipe, theirs = context.Pipe()
    inherited = scorer if method == "fork" else None
    process = context.Process(target=child, args=(theirs, engine, inherited))
    process.start()
    theirs.close()
    found = pipe.recv() if pipe.poll(240) else "hangs"
    process.join(60)
    process.kill()
    again = list(scorer.score(FRAMES).raw) if scorer else None
    print(json.dumps([expected, found, process.exitcode, again]))
"""


def run(tmp_path: Path, engine: str, method: str, used: str) -> list[object]:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no start method {method} on this system")
    pytest.importorskip({"torch": "torch"}.get(engine, engine))
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", program, engine, method, used],
        capture_output=True,
        text=True,
        timeout=500,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    found: list[object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_a_fork_after_use_is_refused(engine: str, tmp_path: Path) -> None:
    expected, found, exitcode, again = run(tmp_path, engine, "fork", "used")
    assert exitcode == 0
    assert isinstance(found, list)
    assert len(found) == 2
    for message in found:
        assert isinstance(message, str), "the child scored with threads that it does not have"
        assert message.startswith("EngineError: Process ")
        assert "was forked from process" in message
        assert "multiprocessing.get_context('spawn')" in message
    assert again == expected


@pytest.mark.parametrize("engine", ENGINES)
def test_a_spawned_child_scores_the_same(engine: str, tmp_path: Path) -> None:
    expected, found, exitcode, again = run(tmp_path, engine, "spawn", "used")
    assert (exitcode, found, again) == (0, [expected], expected)


def test_a_fork_before_use_scores(tmp_path: Path) -> None:
    _, found, exitcode, _ = run(tmp_path, "torch", "fork", "unused")
    assert exitcode == 0
    assert isinstance(found, list)
    assert isinstance(found[0], list), found
