"""Put trained weights into the package: as float16, with their hash and their constants."""

import json
from dataclasses import asdict
from pathlib import Path

from torch import Tensor

from dover_plugin import __version__, weights
from dover_plugin.batch import score_kept
from dover_plugin.calibration import Calibration
from dover_plugin.download import sha256_of
from dover_plugin.errors import VideoError
from dover_plugin.files import write_text
from dover_plugin.published import packaged_facts
from dover_plugin.scorer import Scorer
from dover_plugin.training.examples import BRANCHES
from dover_plugin.training.label_table import read_labels

MODEL = "dover-open"
MEAN = "mean.safetensors"  # beside what was trained, to train on from; raw scores at its scale
UNIT = 2**-7  # by how much raw scores deviate, about


def pack(
    trained: Path, labels: Path, clips: Path, device: str = "auto", before: Path | None = None
) -> Path:
    """Write the package's weights, and beside them a JSON with what it says of them.

    Args:
        trained: a file of weights that dover train wrote, its calibration.json beside it.
        labels: of the clips; those of the split "val" give the constants of the fusion.
        clips: the folder that their names start from.
        device: where validation clips are scored.
        before: weights that ``trained`` began with. The mean of both is packed, which keeps more
            of what was known before (Wortsman et al., Robust fine-tuning, CVPR 2022).

    Returns:
        The file of weights in the package.

    Raises:
        DoverError: files that do not fit, or clips that cannot be scored.
    """
    state = weights.read_state_dict(trained)
    weights.check_fit(state, MODEL, trained)
    if before:
        old = weights.read_state_dict(before)
        weights.check_fit(old, MODEL, before)
        state = {name: (tensor.float() + old[name].float()) / 2 for name, tensor in state.items()}
        weights.save(state, trained.with_name(MEAN), {"version": __version__, "model": MODEL})
    _standardise(state, Calibration.load(trained.with_name("calibration.json")))
    file = trained.with_name(f"{MODEL}.safetensors")
    halves = {name: tensor.half() for name, tensor in state.items()}
    weights.save(halves, file, {"version": __version__, "model": MODEL})
    validation = [row.file for row in read_labels(labels, clips) if row.split == "val"]
    scorer = Scorer(MODEL, device, weights=file)
    kept = trained.with_name(f"val-{sha256_of(file)[:8]}.jsonl")
    rows = list(score_kept(scorer, validation, kept))
    broken = [row["error"] for row in rows if row["error"]]
    if broken:
        raise VideoError(
            f"{len(broken)} of {len(rows)} validation clips have no score. Make them anew.\n"
            f"{broken[0]}"
        )
    technical, aesthetic = ([row[f"{name}_raw"] for row in rows] for name in BRANCHES)
    facts = {
        "sha256": sha256_of(file),
        "size": file.stat().st_size,
        "clips": len(rows),
        "calibration": asdict(Calibration.fit("matched", technical, aesthetic)),
    }
    packaged = weights.PACKAGED / file.name  # only now that they have constants
    packaged.write_bytes(file.read_bytes())
    write_text(packaged_facts(MODEL), json.dumps(facts, indent=2))
    kept.unlink()  # of other constants than these weights have from now on
    return packaged


def _standardise(state: dict[str, Tensor], found: Calibration) -> None:
    """Make raw scores as small as DOVER's are: a training leaves them at any scale."""
    for branch in BRANCHES:
        mean, std = (getattr(found, f"{branch}_{what}") for what in ("mean", "std"))
        last = f"{branch}_head.fc_last"
        state[f"{last}.weight"] = UNIT * state[f"{last}.weight"] / std
        state[f"{last}.bias"] = UNIT * (state[f"{last}.bias"] - mean) / std
