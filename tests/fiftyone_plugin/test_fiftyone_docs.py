"""docs/fiftyone.md and the quickstart say what the code does."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fo_helpers import ROOT, operator

PAGE = (ROOT / "docs/fiftyone.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
README = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def test_every_operator_is_documented() -> None:
    from fiftyone_plugin.operators import OPERATORS

    for cls in OPERATORS:
        if not cls().config.unlisted:
            assert f"`{cls().name}`" in PAGE


def test_arguments_of_score_videos() -> None:
    table = PAGE.split("| argument |")[1].split("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    listed = re.findall(r"`(\w+)`", " ".join(rows))
    signature = inspect.signature(operator("score_videos").__call__)
    assert sorted(listed) == sorted(signature.parameters)


def test_the_examples_run(
    scored: Any, fo: Any, folder: Path, weights: str, tmp_path: Path, monkeypatch: Any
) -> None:
    """In the order of the page, with our weights and a dataset of its name."""
    from dover_plugin.weights import store

    monkeypatch.setattr(store, "find", lambda model, path=None, **_: Path(weights))
    monkeypatch.chdir(tmp_path)
    for side, crf in (("sources", 18), ("encodes", 48)):
        (tmp_path / side).mkdir()
        clip = (folder / f"320x240_crf{crf}.mp4").read_bytes()
        (tmp_path / side / "a.mp4").write_bytes(clip)
    scored.name = "clips"
    good = scored.match_tags("dover:failed", bool=False)
    good.set_values("mos", [1.0, 2.0, 3.0, 4.0, 5.0, 3.5])
    scope: dict[str, Any] = {}
    for example in EXAMPLES:
        code = example.replace('model="dover"', 'model="dover-open"').replace(
            'Scorer("dover")', 'Scorer("dover-open")'
        )
        if "apply_model" in code:
            code = code.replace("dataset.apply_model", "dataset.limit(0).apply_model")
        exec(code, scope)
    assert scope["found"].places
    fo.delete_dataset("transcodes")
    assert scope["summary"].skipped == 6


def test_the_readmes_example(
    fo: Any, folder: Path, weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dover_plugin.weights import store

    [example] = [code for code in README if "fiftyone" in code]
    monkeypatch.setattr(store, "find", lambda model, path=None, **_: Path(weights))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "videos").symlink_to(folder)
    scope: dict[str, Any] = {}
    exec(example.replace('model="dover"', 'model="dover-open"'), scope)
    assert len(scope["worst"]) == 1
    scope["dataset"].delete()


def test_the_quickstart(fo: Any, weights: str) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "examples/fiftyone_quickstart.py", "--weights", weights],
        env={**os.environ, "FIFTYONE_PLUGINS_DIR": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert "4 scored, 0 failed" in done.stdout
    assert len(re.findall(r"^bunny_crf\d\d\.mp4 +[01]\.\d", done.stdout, re.MULTILINE)) == 4
    assert fo.load_dataset("dover-quickstart").count_sample_tags() == {"low_quality": 1}
    fo.delete_dataset("dover-quickstart")
