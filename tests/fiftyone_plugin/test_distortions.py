"""find_distortions and tag_distortions."""

from pathlib import Path
from typing import Any

import pytest
from fo_helpers import execute, form, operator, problem, text

from dover_plugin.analysis.diagnosis import diagnose
from dover_plugin.errors import SettingsError


@pytest.fixture(scope="module")
def measured_once(fo: Any, folder: Path) -> Any:
    """Clips of three qualities and a broken file, measured."""
    dataset = fo.Dataset(persistent=True)
    paths = sorted([*folder.glob("320x240*.mp4"), folder / "broken.mp4"])
    dataset.add_samples([fo.Sample(str(path)) for path in paths], progress=False)
    operator("find_distortions")(dataset)
    yield dataset
    dataset.delete()


@pytest.fixture
def measured(measured_once: Any) -> Any:
    copy = measured_once.clone(persistent=True)
    yield copy
    copy.delete()


def test_values_are_those_of_the_diagnosis(measured_once: Any) -> None:
    for sample in measured_once:
        if sample.filepath.endswith("broken.mp4"):
            assert "cannot be read as a video" in sample.distortions.error
            assert sample.distortions.tags is None
            continue
        found = diagnose(sample.filepath).found
        assert sample.distortions.tags == list(found.tags)
        assert {f.name: sample.distortions[f.name] for f in found.findings} == {
            f.name: f.value for f in found.findings
        }


def test_what_was_measured_is_skipped(measured: Any) -> None:
    again = operator("find_distortions")(measured)
    assert (again.scored, again.failed, again.skipped) == (0, 1, 3), "a failure is tried again"
    shown = form("find_distortions", measured, {"overwrite": True})
    assert text(shown["count"]).startswith("4 of 4 videos will be measured")


def test_distortions_are_tagged_by_threshold_and_undone(measured: Any) -> None:
    values = sorted(v for v in measured.values("distortions.noise") if v is not None)
    limit = values[1]
    shown = form("tag_distortions", measured, {"limit_noise": limit})
    assert "2 of 3" in str(shown["limit_noise"])
    counts = operator("tag_distortions")(measured, limits={"noise": limit})
    assert counts == {"noisy": 2}
    assert measured.match_tags("noisy").count() == 2
    operator("undo_low_quality")(measured)
    assert "noisy" not in measured.count_sample_tags()


def test_low_values_are_bad_for_exposure(measured: Any) -> None:
    values = sorted(v for v in measured.values("distortions.underexposure") if v is not None)
    counts = operator("tag_distortions")(measured, limits={"underexposure": values[0]})
    assert counts == {"dark": sum(v <= values[0] for v in values)}


def test_the_operator_reports_and_shows(measured: Any) -> None:
    result = execute("tag_distortions", measured, {"limit_noise": 0.0})
    assert result["counts"]["noisy"] == 3


def test_what_is_refused(dataset: Any, measured: Any) -> None:
    assert "Run 'DOVER: find distortions' first" in problem(form("tag_distortions", dataset))
    with pytest.raises(SettingsError, match="holds no distortions"):
        operator("tag_distortions")(dataset)
    with pytest.raises(SettingsError, match="No distortion is named 'loud'"):
        operator("tag_distortions")(measured, limits={"loud": 1.0})
    with pytest.raises(SettingsError, match="holds something else"):
        operator("find_distortions")(dataset, field="filepath")
    with pytest.raises(SettingsError, match="is not a field name"):
        operator("find_distortions")(dataset, field="my field")
