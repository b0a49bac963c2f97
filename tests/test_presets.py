"""Constants with which papers report scores of DOVER."""

import json
import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dover_plugin import Scorer, SettingsError, calibration
from dover_plugin.cli import app

TECHNICAL, AESTHETIC = -0.0788, 0.148  # of the reference's demo clip


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def test_evalcrafter_has_the_constants_of_its_generated_videos() -> None:
    t, a = (TECHNICAL + 0.0758) / 0.0129, (AESTHETIC - 0.1253) / 0.0318
    found = calibration.preset("evalcrafter").apply(TECHNICAL, AESTHETIC)
    assert found == pytest.approx((sigmoid(t), sigmoid(a), sigmoid(0.6104 * t + 0.3896 * a)))


@pytest.mark.parametrize("name", ["reference", "restoration"])
def test_the_others_have_those_of_the_reference(name: str) -> None:
    technical, _, overall = calibration.preset(name).apply(TECHNICAL, AESTHETIC)
    assert technical == pytest.approx(sigmoid((TECHNICAL - 0.1107) / 0.07355))
    assert overall == pytest.approx(0.69, abs=0.01)


@pytest.mark.parametrize("name", calibration.PRESETS)
def test_a_scorer_takes_a_preset(name: str, seeded: dict[str, Path]) -> None:
    chosen = calibration.preset(name)
    for fusion in (name, chosen):
        scorer = Scorer("dover-mobile", "cpu", weights=seeded["dover-mobile"], fusion=fusion)
        assert scorer.settings.fusion == chosen.name
        with pytest.raises(SettingsError, match=r"Use the model 'dover'|has no 'reference' fusion"):
            Scorer("dover-open", "cpu", fusion=fusion)


def test_unknown_presets_and_those_of_other_models_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"No preset is named 'x'\. Choose from reference"):
        calibration.preset("x")
    for model in ("dover-open", "fast-vqa"):
        with pytest.raises(SettingsError, match=f"the model is '{model}'. Use the model 'dover'"):
            calibration.find_preset("restoration", model)


def test_the_command_says_which_column_to_report(seeded: dict[str, Path], clip: Path) -> None:
    arguments = ["score", str(clip), "--preset", "restoration", "-f", "json", "--device", "cpu"]
    arguments += ["--model", "dover-mobile", "--weights", str(seeded["dover-mobile"])]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    row = json.loads(result.stdout)
    expected = calibration.preset("restoration").apply(row["technical_raw"], row["aesthetic_raw"])
    assert (row["technical"], row["aesthetic"], row["overall"]) == expected
    assert "preset restoration: 'DOVER' is 100 x 'technical'" in result.stderr
    both = CliRunner().invoke(app, [*arguments, "--fusion", "matched"])
    assert "Omit --fusion or --preset" in str(both.exception)
