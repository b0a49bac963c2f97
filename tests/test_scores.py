import json
import math
from pathlib import Path

import numpy as np
import pytest

from dover_plugin import Calibration, Failure, Raw, ReferenceSet, Scores, Settings, SettingsError
from dover_plugin import calibration as calibrations
from dover_plugin.ranks import published_sets, ranks
from dover_plugin.scores import COLUMNS

# Raw outputs of the released DOVER.pth on the reference's demo clip 17734.mp4, and the ranks that
# the reference's README prints for it: set -> technical %, z, aesthetic %, z.
DEMO = Raw(technical=-0.0788, aesthetic=0.148)
DEMO_RANKS = {
    "LIVE-VQC": (43, 0.10, 64, 0.51),
    "KoNViD-1k": (75, 0.77, 91, 1.21),
    "LSVQ-test": (69, 0.59, 79, 0.85),
    "LSVQ-1080p": (53, 0.25, 54, 0.25),
    "YouTube-UGC": (71, 0.65, 80, 0.86),
}
SETTINGS = Settings("0.1.0", "dover", "ab12", "cpu", "torch", "float32", "matched", 1, None)


def make(**changes: object) -> Scores:
    values = {
        "path": "a.mp4",
        "technical": 0.5,
        "aesthetic": 0.25,
        "overall": 0.4,
        "raw": DEMO,
        "raw_std": None,
        "settings": SETTINGS,
        "decoder": "decord",
        "num_frames": 240,
        "width": 1920,
        "height": 1080,
        "fps": 24.0,
        "warnings": ("HDR",),
    }
    return Scores(**values | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", DEMO_RANKS)
def test_published_ranks_follow_from_the_raw_scores(name: str) -> None:
    technical, technical_z, aesthetic, aesthetic_z = DEMO_RANKS[name]
    rank = make().ranks()[name]
    # published as whole percents, of raw scores published with three digits
    assert rank["technical"].percentile == pytest.approx(technical, abs=1)
    assert rank["aesthetic"].percentile == pytest.approx(aesthetic, abs=1)
    assert rank["technical"].z == pytest.approx(technical_z, abs=0.01)
    assert rank["aesthetic"].z == pytest.approx(aesthetic_z, abs=0.01)


def test_reference_fusion_of_the_demo_clip() -> None:
    technical, aesthetic, overall = calibrations.REFERENCE.apply(*DEMO)
    assert overall == pytest.approx(0.69, abs=0.005)
    assert technical < 0.1  # the swapped constants saturate: why 'matched' exists
    assert aesthetic > 0.99


def test_reference_fusion_is_the_references_formula_to_the_bit() -> None:
    rng = np.random.default_rng(0)
    for technical, aesthetic in rng.normal(0, 0.1, (100, 2)):
        t, a = (technical - 0.1107) / 0.07355, (aesthetic + 0.08285) / 0.03774
        x = t * 0.6104 + a * 0.3896
        expected = tuple(1 / (1 + np.exp(-z)) for z in (t, a, x))
        assert calibrations.REFERENCE.apply(technical, aesthetic) == expected


def test_matched_fusion() -> None:
    technical, aesthetic, overall = calibrations.MATCHED.apply(-0.0827 + 0.0377, 0.1105)
    assert technical == pytest.approx(1 / (1 + math.exp(-1)))
    assert aesthetic == 0.5
    assert overall == pytest.approx(1 / (1 + math.exp(-0.6104)))


def test_fusion_stays_in_bounds_without_warning() -> None:
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert calibrations.MATCHED.apply(-1e6, 1e6)[:2] == (0, 1)


def test_defaults_and_choices(tmp_path: Path) -> None:
    choose, warning = calibrations.choose, calibrations.warning
    assert choose(None, "dover") is calibrations.MATCHED
    assert choose("reference", "dover") is calibrations.REFERENCE
    assert choose(None, "dover-mobile") is calibrations.REFERENCE
    assert warning(calibrations.MATCHED, "dover") is None
    for model in ("dover-mobile", "dover++"):
        assert "uncalibrated" in (warning(choose(None, model), model) or "")
    with pytest.raises(SettingsError, match="no 'matched' fusion"):
        choose("matched", "dover-mobile")
    own = Calibration.fit("mine", list(np.arange(20.0)), list(np.arange(20.0) * 2))
    own.save(tmp_path / "mine.json")
    assert choose(tmp_path / "mine.json", "dover-mobile") == own
    assert warning(own, "dover-mobile") is None
    assert own.apply(9.5, 19.0) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("text", ["", "[]", '{"name": "a"}', '{"nam": 1}'])
def test_files_that_are_no_calibration(text: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(SettingsError, match="not a calibration file"):
        Calibration.load(tmp_path / "c.json")


def test_bad_calibrations(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no calibration file"):
        calibrations.choose(tmp_path / "none.json", "dover")
    with pytest.raises(SettingsError, match="at least 10 videos, got 3 and 3"):
        Calibration.fit("a", [1, 2, 3], [1, 2, 3])
    with pytest.raises(SettingsError, match="not above 0"):
        Calibration.fit("a", [1.0] * 20, [1.0] * 20)
    with pytest.raises(SettingsError, match="not a number"):
        Calibration("a", float("nan"), 1, 1, 1)


def test_published_sets_are_complete() -> None:
    sets = {s.name: s for s in published_sets()}
    assert sets.keys() == {*DEMO_RANKS, "CVD2014"}
    for reference in sets.values():
        for branch in (reference.technical, reference.aesthetic):
            assert len(branch.quantiles) == 201
            assert list(branch.quantiles) == sorted(branch.quantiles)


def test_ranks_of_another_model_are_refused() -> None:
    with pytest.raises(SettingsError, match="outputs of dover-mobile have no rank"):
        ranks("dover-mobile", 0, 0)


def test_own_reference_set(tmp_path: Path) -> None:
    values = list(np.linspace(0, 1, 101))
    own = ReferenceSet.of("mine", "dover-mobile", values, values[::-1])
    own.save(tmp_path / "mine.json")
    own = ReferenceSet.load(tmp_path / "mine.json")
    rank = ranks("dover-mobile", 0.25, 2.0, [own])["mine"]
    assert rank["technical"].percentile == pytest.approx(25)
    assert rank["technical"].z == pytest.approx((0.25 - 0.5) / np.std(values))
    assert rank["aesthetic"].percentile == 100
    with pytest.raises(SettingsError, match="at least 10"):
        ReferenceSet.of("few", "dover", [1.0], [1.0])
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(SettingsError, match="not a reference set"):
        ReferenceSet.load(tmp_path / "bad.json")


def test_rows_have_the_documented_columns_in_order() -> None:
    row = make(raw_std=Raw(0.1, 0.2)).to_dict()
    failed = Failure("b.mp4", "broken", SETTINGS).to_dict()
    assert tuple(row) == tuple(failed) == COLUMNS
    assert (row["technical_raw"], row["aesthetic_std"]) == (-0.0788, 0.2)
    assert row["warnings"] == ["HDR"]
    assert row["error"] is None
    assert failed["error"] == "broken"
    assert failed["model"] == "dover"
    assert failed["overall"] is None
    json.dumps([row, failed], allow_nan=False)
