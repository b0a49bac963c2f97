"""docs/vapoursynth.md says what the filter does."""

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
import vapoursynth as vs
from clips import write_clip

from dover_plugin.frame_properties import DIFFERENCES
from dover_plugin.options import ModelOptions
from dover_plugin.weights import store
from vs_filter import PROPS, dover, dover_compare, dover_segments
from vs_filter.filter import DEFAULT_SEGMENT

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/vapoursynth.md").read_text()


def test_every_property_is_explained() -> None:
    table = PAGE.split("## Properties")[1].split("##")[0]
    assert tuple(re.findall(r"`(Dover\w+)`", table)) == (*PROPS, *DIFFERENCES.values())


def test_every_parameter_is_explained() -> None:
    table = PAGE.split("## `dover(clip, ...)`")[1].split("`**options`")[0]
    first_cells = " ".join(re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE))
    parameters = inspect.signature(dover).parameters
    assert sorted(re.findall(r"`(\w+)`", first_cells)) == sorted(set(parameters) - {"clip"})
    assert f"| `segment` | {DEFAULT_SEGMENT} |" in table
    for other in (dover_segments, dover_compare):
        names = set(inspect.signature(other).parameters) - {"before", "after"}
        assert names | {"clip", "overlap", "prefetch", "props"} == set(parameters)


def test_every_option_of_the_scorer_is_explained() -> None:
    table = PAGE.split("`**options`")[1].split("**Evaluation.**")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| ")]
    named = {name.strip() for row in rows[1:] for name in row.split(",")}
    assert named == set(ModelOptions.__annotations__)


@pytest.mark.parametrize("page", ["README.md", "docs/vapoursynth.md"])
def test_python_examples_run(
    page: str, seeded: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    mine = [example for example in examples if "vs_filter" in example]
    assert mine
    source = write_clip(tmp_path / "clip.mp4", 60, (120, 160))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(store, "find", lambda model, path: seeded[model])
    for example in mine:
        scope: dict[str, Any] = {}
        if "VideoSource" not in example:
            scope["clip"] = vs.core.bs.VideoSource(str(source), cachemode=0)
        exec(example, scope)
        if "segments" in scope:
            (worst,) = json.loads((tmp_path / "worst.json").read_text())
            assert (worst["start"], worst["end"]) == (0, 60)
        elif "found" in scope:
            assert scope["found"].tags
        else:
            assert 0 <= scope["clip"].get_frame(0).props["DoverOverall"] <= 1
    vs.clear_outputs()
