"""The manifest of the model zoo agrees with the weights it describes."""

import json
from pathlib import Path

import pytest

import fiftyone_plugin.zoo
from dover_plugin.weights.registry import published
from dover_plugin.weights.store import cached

MANIFEST = json.loads(
    Path(fiftyone_plugin.zoo.__file__).with_name("manifest.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("model", MANIFEST["models"], ids=lambda model: str(model["base_name"]))
def test_sizes_are_those_of_the_registry(model: dict[str, object]) -> None:
    assert model["size_bytes"] == published(str(model["base_name"]).removeprefix("dover/")).size


def test_the_size_of_the_packaged_weights() -> None:
    (model,) = (m for m in MANIFEST["models"] if m["base_name"] == "dover/dover-open")
    assert model["size_bytes"] == cached("dover-open").stat().st_size


def test_the_form_of_the_zoo_has_the_arguments_of_the_scorer() -> None:
    from inspect import signature

    from dover_plugin import Scorer

    form = fiftyone_plugin.zoo.resolve_input("dover/dover-open", None).to_json()
    fields = form["type"]["properties"]
    assert set(fields) <= set(signature(Scorer).parameters)
    for field in fields.values():
        assert field["view"]["description"]
