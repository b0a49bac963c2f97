"""What is put into the package: the mean of two trainings' ends, with raw scores of one size."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from clips import write_clip

from dover_plugin import weights
from dover_plugin.calibration import Calibration
from dover_plugin.download import sha256_of
from dover_plugin.scorer import Scorer
from dover_plugin.training.model import save_trained
from dover_plugin.training.scratch import untrained
from dover_plugin.training.synthetic import pack as packing

VIDEOS = 10


def test_the_mean_of_before_and_after_is_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(VIDEOS):
        grain = np.random.default_rng(i).integers(-8 * i - 1, 8 * i + 1, (4, 224, 224, 3))
        frames = np.clip(128 + grain, 0, 255).astype(np.uint8)
        write_clip(tmp_path / f"{i}.mp4", size=(224, 224), frames=iter(frames))
    rows = [f"{i}.mp4,{i},val" for i in range(VIDEOS)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,overall,split", *rows]))
    files = []
    for seed in (1, 2):
        files.append(tmp_path / f"{seed}.safetensors")
        save_trained(untrained("dover-open", seed), files[-1], base_sha256=None, about={})
    plain = Calibration("plain", 3.0, 2.0, -1.0, 0.5)
    replace(plain, name="of the training").save(tmp_path / "calibration.json")
    monkeypatch.setattr(weights, "PACKAGED", tmp_path / "package")
    monkeypatch.setattr(packing, "packaged_facts", lambda _: tmp_path / "package" / "facts.json")
    (tmp_path / "package").mkdir()
    kept = packing.mean(files[1], files[0], 0.75, 0.25)
    packed = packing.pack(kept, tmp_path / "labels.csv", tmp_path, "cpu", 0.7)

    one, two, found, unit = (weights.read_state_dict(file) for file in (*files, packed, kept))
    for name, tensor in found.items():
        share = 0.75 if name.startswith("technical") else 0.25
        mean = (1 - share) * one[name] + share * two[name]
        for branch, middle, std in (("technical", 3.0, 2.0), ("aesthetic", -1.0, 0.5)):
            if name.startswith(f"{branch}_head.fc_last"):
                mean = (mean - (middle if name.endswith("bias") else 0)) / std
        torch.testing.assert_close(unit[name], mean)
        scale = packing.UNIT if "fc_last" in name else 1
        assert torch.equal(tensor, (scale * unit[name]).half())
    facts = json.loads((tmp_path / "package" / "facts.json").read_text())
    assert (facts["sha256"], facts["clips"]) == (sha256_of(packed), VIDEOS)
    fused = facts["calibration"]
    assert (fused["technical_weight"], fused["aesthetic_weight"]) == (0.7, 0.3)
    raw = [
        Scorer("dover-open", "cpu", weights=packed).score(tmp_path / f"{i}.mp4").raw
        for i in range(VIDEOS)
    ]
    assert facts["calibration"]["technical_mean"] == pytest.approx(
        np.mean([each.technical for each in raw]), abs=1e-6
    )
    assert facts["calibration"]["aesthetic_std"] == pytest.approx(
        np.std([each.aesthetic for each in raw]), abs=1e-6
    )
