"""The examples in docstrings of the public API run and print what they state."""

import doctest
import inspect
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

import dover_plugin

ROOT = Path(__file__).parents[1]


def examples() -> Iterator[doctest.DocTest]:
    """Doctests of everything that ``dover_plugin`` exports."""
    finder = doctest.DocTestFinder()
    for name in dover_plugin.__all__:
        thing = getattr(dover_plugin, name)
        module = inspect.getmodule(thing)
        for test in finder.find(thing, name, module=module):
            if test.examples:
                yield test


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("doctests")
    clips = runpy.run_path(str(ROOT / "examples/clips.py"))
    clips["write_clip"](path / "good.mp4", 50, (360, 640), crf=14)
    clips["write_clip"](path / "bad.mp4", 50, (360, 640), crf=40)
    return path


@pytest.mark.parametrize("test", list(examples()), ids=lambda test: test.name)
def test_example(test: doctest.DocTest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DOVER_ENGINE", "torch")  # compiles nothing
    test.globs = dict(test.globs)
    printed: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    failed, attempted = runner.run(test, out=printed.append)
    assert attempted and not failed, "".join(printed)


def test_the_main_entry_points_have_examples() -> None:
    named = {test.name for test in examples()}
    assert {"Scorer", "score_many", "compare", "cut", "open_source", "Calibration"} <= named
