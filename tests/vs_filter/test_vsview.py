"""The plugin for vsview, in vsview's own registry where vsview is installed."""

import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest


def test_the_entry_point_names_the_plugin() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    (module,) = project["entry-points"]["vsview.frameprops"].values()
    assert find_spec(module) is not None


def test_vsview_formats_the_properties(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    pytest.importorskip("vsview")
    from vsview.app.tools.frameprops.plugin import manager

    from vs_filter import vsview

    if not manager.is_registered(vsview):
        manager.register(vsview)
    categories = manager.hook.vsview_frameprops_register_category_matchers()
    assert "DOVER" in [c.name for c in categories if getattr(c, "name", "")]
    formatters = vsview.vsview_frameprops_register_formatter_properties()
    shown = {f.prop_key: f.format_value(-0.0123456) for f in formatters}
    assert shown["DoverOverallDifference"] == "-0.012"
    assert shown["DoverTechnical"] == "-0.012"
