import json
import math
import os
from dataclasses import asdict
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


HOSTILE_JSON = {
    "empty": "",
    "list": "[]",
    "text": '"calibration"',
    "other object": '{"nam": 1}',
    "not text": b"\xff\xfe\x00",
    "nested lists": "[" * 100_000,
    "nested objects": '{"name":' * 100_000,
    "long": '{"name": "' + "a" * 2_000_000 + '"}',
    "long number": '{"name": ' + "1" * 10_000 + "}",
}


def calibration_json(**changes: object) -> str:
    return json.dumps(asdict(Calibration("mine", 0.0, 1.0, 0.0, 1.0)) | changes)


@pytest.mark.parametrize("text", HOSTILE_JSON.values(), ids=HOSTILE_JSON.keys())
def test_files_that_are_no_calibration(text: str | bytes, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError, match="not a calibration file") as caught:
        Calibration.load(tmp_path / "c.json")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


HOSTILE_NAMES = [None, 3, ["a"], {"a": 1}, "", "a\nb", "a\x1b[2J", "a\u202eb", "a" * 1000]
HOSTILE_NUMBERS = [None, "1", [1.0], True, float("nan"), float("inf"), 10**400, -(10**400), 1e300]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_that_are_no_line_of_text(name: object, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(calibration_json(name=name))
    with pytest.raises(SettingsError, match=r"calibration file '.*c\.json': .* its name") as caught:
        Calibration.load(tmp_path / "c.json")
    assert str(caught.value).isprintable()
    own = asdict(ReferenceSet.of("mine", "dover", range(20), range(20)))
    for field in ("name", "model"):
        (tmp_path / "r.json").write_text(json.dumps(own | {field: name}))
        with pytest.raises(SettingsError, match=rf"reference set '.*r\.json': .* its {field}"):
            ReferenceSet.load(tmp_path / "r.json")


@pytest.mark.parametrize("number", HOSTILE_NUMBERS)
@pytest.mark.parametrize("field", ["technical_mean", "aesthetic_std", "technical_weight"])
def test_constants_that_are_no_usable_numbers(field: str, number: object, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(calibration_json(**{field: number}))
    with pytest.raises(SettingsError, match=rf"calibration file '.*c\.json': .* its {field}"):
        Calibration.load(tmp_path / "c.json")


@pytest.mark.parametrize("std", [0, -1.0, 1e-320])
def test_standard_deviations_that_are_no_divisors(std: float) -> None:
    with pytest.raises(SettingsError, match="must be at least 1e-12"):
        Calibration("mine", 0.0, std, 0.0, 1.0)


def test_scores_of_extreme_constants_are_numbers() -> None:
    extreme = Calibration("mine", 1e12, 1e-12, -1e12, 1e-12, 1e12, -1e12)
    for raw in (-3e38, 0.0, 3e38):
        assert all(0 <= score <= 1 for score in extreme.apply(raw, -raw))


def test_fields_of_a_calibration_file(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(calibration_json(colour=1))
    with pytest.raises(SettingsError, match="'colour' is not one of its fields"):
        Calibration.load(tmp_path / "c.json")
    (tmp_path / "c.json").write_text('{"name": "a", "technical_mean": 0}')
    with pytest.raises(SettingsError, match="it lacks 'technical_std'"):
        Calibration.load(tmp_path / "c.json")
    (tmp_path / "c.json").write_text(calibration_json(technical_weight=0.9, aesthetic_weight=0.5))
    assert Calibration.load(tmp_path / "c.json").apply(0.0, 0.0) == (0.5, 0.5, 0.5)
    (tmp_path / "c.json").write_text(calibration_json(name="matched"))
    with pytest.raises(SettingsError, match="reserved name 'matched'"):
        Calibration.load(tmp_path / "c.json")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
@pytest.mark.parametrize("kind", [Calibration, ReferenceSet])
def test_settings_are_read_from_regular_files(
    kind: type[Calibration | ReferenceSet], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, reason in ((tmp_path / "pipe", "a named pipe"), (Path("/dev/zero"), "a device")):
        with pytest.raises(SettingsError, match=reason):
            kind.load(path)
    with pytest.raises(SettingsError, match="There is no"):
        kind.load(tmp_path / "none")


def test_bad_calibrations(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no calibration file"):
        calibrations.choose(tmp_path / "none.json", "dover")
    with pytest.raises(SettingsError, match="at least 10 videos, got 3 and 3"):
        Calibration.fit("a", [1, 2, 3], [1, 2, 3])
    with pytest.raises(SettingsError, match="Fit it again on videos that differ"):
        Calibration.fit("a", [1.0] * 20, [1.0] * 20)
    with pytest.raises(SettingsError, match="its technical_mean is not a finite number"):
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


def reference_json(**changes: object) -> str:
    own = asdict(ReferenceSet.of("mine", "dover", range(20), range(20)))
    return json.dumps(own | changes)


@pytest.mark.parametrize("text", HOSTILE_JSON.values(), ids=HOSTILE_JSON.keys())
def test_files_that_are_no_reference_set(text: str | bytes, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError, match="not a reference set") as caught:
        ReferenceSet.load(tmp_path / "r.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", HOSTILE_NUMBERS[:-1])
def test_distributions_that_are_no_numbers(number: object, tmp_path: Path) -> None:
    good = {"mean": 0.0, "std": 1.0, "quantiles": list(range(201))}
    changes = ({"mean": number}, {"std": number}, {"quantiles": [number] * 201})
    for changed in changes:
        (tmp_path / "r.json").write_text(reference_json(technical=good | changed))
        with pytest.raises(
            SettingsError, match=r"reference set '.*r\.json': .* its (mean|std|quan)"
        ):
            ReferenceSet.load(tmp_path / "r.json")
    (tmp_path / "r.json").write_text(reference_json(videos=number))
    with pytest.raises(SettingsError, match="its number of videos"):
        ReferenceSet.load(tmp_path / "r.json")


@pytest.mark.parametrize(
    ("technical", "reason"),
    [
        ([], "a branch must hold"),
        ({"mean": 0, "std": 1, "quantiles": 5}, "a branch must hold"),
        ({"mean": 0, "quantiles": []}, "it lacks 'std'"),
        ({"mean": 0, "std": 1, "quantiles": [1, 2]}, "201 quantiles, got 2"),
        ({"mean": 0, "std": -1, "quantiles": [0] * 201}, "below 0"),
        ({"mean": 0, "std": 1, "quantiles": list(range(201, 0, -1))}, "must not descend"),
    ],
)
def test_distributions_of_another_form(technical: object, reason: str, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(reference_json(technical=technical))
    with pytest.raises(SettingsError, match=reason):
        ReferenceSet.load(tmp_path / "r.json")


def test_a_reference_set_needs_a_branch(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(reference_json(technical=None))
    assert ReferenceSet.load(tmp_path / "r.json").technical is None
    (tmp_path / "r.json").write_text(reference_json(technical=None, aesthetic=None))
    with pytest.raises(SettingsError, match="it has no distribution of a branch"):
        ReferenceSet.load(tmp_path / "r.json")


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
