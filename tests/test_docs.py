"""The documentation says what the code does."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import scene, write_clip
from PIL import Image

from dover_plugin.analysis.distortions import DISTORTIONS
from dover_plugin.calibration import MATCHED, matched
from dover_plugin.engines.factory import ENGINES
from dover_plugin.evaluation.datasets import PRESETS
from dover_plugin.evaluation.label_table import NAMES
from dover_plugin.io.options import DECODERS
from dover_plugin.options import FileOptions
from dover_plugin.preprocessing.sampling import BRANCHES
from dover_plugin.scores import COLUMNS
from dover_plugin.weights import store
from dover_plugin.weights.registry import MODELS

ROOT = Path(__file__).parents[1]
TYPER = (sys.executable, "-m", "typer", "dover_plugin.cli")
README = (ROOT / "README.md").read_text()


def test_the_reference_of_the_commands_is_that_of_the_code(tmp_path: Path) -> None:
    target = tmp_path / "cli.md"
    subprocess.run(
        [*TYPER, "utils", "docs", "--name", "dover", "--output", str(target)],
        check=True,
        capture_output=True,
        cwd=ROOT,
    )
    assert (ROOT / "docs/cli.md").read_text() == target.read_text(), "run 'make docs'"


def test_every_column_is_explained_in_order() -> None:
    text = (ROOT / "docs/scores.md").read_text().split("## Columns of a result")[1]
    table = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    assert tuple(re.findall(r"`(\w+)`", " ".join(table))) == COLUMNS


def test_the_python_example_runs(
    seeded: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    example, *_ = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(store, "find", lambda model, path: seeded[model])
    write_clip("clip.mp4")
    write_clip("a.mp4", 20)
    Path("videos").mkdir()
    write_clip("videos/c.mp4", 20)
    scope: dict[str, Any] = {}
    exec(example, scope)
    assert scope["scores"].path == "clip.mp4"
    assert scope["table"]["path"].tolist() == ["videos/c.mp4", "more/*.mkv"]
    assert scope["table"]["overall"].notna().tolist() == [True, False]
    printed = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"a\.mp4 [01]\.\d+", printed[0])
    assert re.fullmatch(r"b\.mp4 There is no file 'b.mp4'.*", printed[1])


def test_options_of_reading_and_decoders_are_listed() -> None:
    page = (ROOT / "docs/inputs.md").read_text()
    reading = page.split("## Read options")[1].split("##")[0]
    assert {"decoder", *re.findall(r"`(\w+)`", reading)} - {"reading"} == set(
        FileOptions.__annotations__
    )
    decoders = re.findall(r"^\| `(\w+)`", page.split("## Decoders")[1], re.MULTILINE)
    assert set(decoders) == {*DECODERS} - {"auto"}


@pytest.mark.parametrize("page", ["inputs", "pipelines"])
def test_the_examples_of_a_page_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip("clip.mp4", 20)
    Path("frames").mkdir()
    for index, frame in enumerate(scene(4, 64, 96)):
        Image.fromarray(frame).save(f"frames/{index}.png")
    scope: dict[str, Any] = {}
    for example in re.findall(
        r"```python\n(.*?)```", (ROOT / f"docs/{page}.md").read_text(), re.DOTALL
    ):
        exec(example, scope)
    assert scope["scores"].overall > 0
    assert len(set(scope.get("same", [0]))) == 1


def test_the_batch_example_runs(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/batch.md").read_text(), re.DOTALL)
    (tmp_path / "mine.py").write_text(
        example + "        print(tally.scored, tally.failed, len(rows))\n"
    )
    write_clip(tmp_path / "a.mp4", 20)
    done = subprocess.run(
        [sys.executable, "mine.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "1 1 2\n", done.stderr
    assert (tmp_path / "scores.jsonl").read_bytes().count(b"\n") == 2


def test_every_option_that_is_named_exists() -> None:
    reference = (ROOT / "docs/cli.md").read_text()
    known = set(re.findall(r"--[a-z][a-z-]+", reference))
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for command in re.findall(r"^(?:.*\| )?dover [a-z].*$", page.read_text(), re.MULTILINE):
            named = set(re.findall(r"(?<!\S)--[a-z][a-z-]+", command))
            assert named <= known, (page.name, command)


def test_the_demo_prints_what_the_readme_shows(tmp_path: Path) -> None:
    shown = README.split("$ make demo\n")[1].split("```")[0]
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples/demo.py")],
        capture_output=True,
        text=True,
        check=True,
        env={
            "PATH": "/usr/bin:/bin",
            "COLUMNS": "100",
            "DOVER_ENGINE": "torch",  # as in a fresh clone, which has no other
            "DOVER_HOME": str(tmp_path),
        },
    )

    def form(text: str) -> list[str]:
        """Scores may differ in their digits between machines, nothing else may."""
        return re.sub(r"\b0\.\d{3}\b", "#", text).split()

    assert form(done.stdout) == form(shown)


def test_models_are_listed_in_the_readme() -> None:
    listed = re.findall(r"^\| `([\w+-]+)`", README, re.MULTILINE)
    assert tuple(listed) == MODELS


def test_engines_and_names_of_the_exported_model_are_explained() -> None:
    page = (ROOT / "docs/performance.md").read_text()
    table = page.split("## Engines")[1].split("##")[0]
    assert tuple(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == ENGINES[1:]
    names = page.split("## ONNX export")[1]
    for branch in BRANCHES:
        for name in (f"{branch}_view", branch, f"{branch}_map"):
            assert f"`{name}`" in names


def test_links_lead_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name} -> {link}"


def test_pictures_are_pictures() -> None:
    import matplotlib.image

    for picture in (ROOT / "docs/images").glob("*.png"):
        assert np.asarray(matplotlib.image.imread(picture)).std() > 0.05


def test_the_sets_are_listed_as_they_are() -> None:
    page = (ROOT / "docs/training.md").read_text()
    for row in PRESETS:
        shown = (
            f"| `{row.name}` | {row.title} | {row.videos} | `{row.labels}` | `{row.pattern}` "
            f"| {row.technical_weight} |"
        )
        assert shown in page


def test_distortions_are_listed_as_they_are() -> None:
    page = (ROOT / "docs/diagnose.md").read_text()
    for distortion in DISTORTIONS:
        name, tag = f"`{distortion.name}`", f"`{distortion.tag}`"
        limits = f"{distortion.visible:g} | {distortion.strong:g}"
        row = f"| {name} | {tag} | {distortion.unit} | {limits} | {distortion.source} |"
        assert row in page


def test_the_weights_of_the_fusion_are_those_of_the_code() -> None:
    for page, each in (
        ("scores.md", MATCHED),
        ("scores.md", matched("dover-open")),
        ("model-card-dover-open.md", matched("dover-open")),
    ):
        shown = f"{each.technical_weight:.4g} and {each.aesthetic_weight:.4g}"
        assert shown in " ".join((ROOT / "docs" / page).read_text().split())


def test_columns_of_labels_are_listed() -> None:
    page = (ROOT / "docs/training.md").read_text().split("## ")[1]
    table = [line for line in page.splitlines() if line.startswith("| `")]
    listed = set(re.findall(r"`(\w+)`", " ".join(" ".join(row.split("|")[1:3]) for row in table)))
    assert listed == {name for names in NAMES.values() for name in names}
