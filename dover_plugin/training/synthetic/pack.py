"""Put trained weights into the package: as float16, with their hash and their constants."""

import json
from dataclasses import asdict, replace
from pathlib import Path

from torch import Tensor

from dover_plugin import __version__, weights
from dover_plugin.batch import score_kept
from dover_plugin.calibration import TECHNICAL_WEIGHT, Calibration
from dover_plugin.download import sha256_of
from dover_plugin.errors import VideoError
from dover_plugin.files import write_text
from dover_plugin.published import packaged_facts
from dover_plugin.scorer import Scorer
from dover_plugin.training.examples import BRANCHES
from dover_plugin.training.label_table import read_labels

MODEL = "dover-open"
CONSTANTS = "calibration.json"  # beside weights, as dover train writes it
MEAN = "mean"  # the folder, beside what was trained, of a mean to train on from
ABOUT = {"version": __version__, "model": MODEL}
UNIT = 2**-7  # by how much raw scores deviate, about


def mean(trained: Path, before: Path, share: float, aesthetic_share: float | None = None) -> Path:
    """Write the mean of two trainings' ends, which keeps more of what was known before.

    Source: Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022.

    Args:
        trained: a file of weights that dover train wrote, its calibration.json beside it.
        before: weights that ``trained`` began with, likewise.
        share: of ``trained`` in the mean, in [0, 1].
        aesthetic_share: likewise, of its aesthetic branch; None takes ``share``.

    Returns:
        The file of weights, in a folder MEAN beside ``trained``, with constants beside it.

    Raises:
        DoverError: files that do not fit.
    """
    old, new = _standardised(before), _standardised(trained)
    shares = {
        "technical": share,
        "aesthetic": share if aesthetic_share is None else aesthetic_share,
    }
    state = {name: old[name].lerp(tensor, shares[_branch(name)]) for name, tensor in new.items()}
    file = trained.with_name(MEAN) / trained.name
    file.parent.mkdir(exist_ok=True)
    weights.save(state, file, ABOUT)
    Calibration(MEAN, 0, 1, 0, 1).save(file.with_name(CONSTANTS))
    return file


def pack(
    trained: Path,
    labels: Path,
    clips: Path,
    device: str = "auto",
    technical_weight: float = TECHNICAL_WEIGHT,
) -> Path:
    """Write the package's weights, and beside them a JSON with what it says of them.

    Args:
        trained: a file of weights, its calibration.json beside it.
        labels: of the clips; those of the split "val" give the constants of the fusion.
        clips: the folder that their names start from.
        device: where validation clips are scored.
        technical_weight: of the technical z-score in the overall one, in [0, 1]; the aesthetic one
            has the rest.

    Returns:
        The file of weights in the package.

    Raises:
        DoverError: files that do not fit, or clips that cannot be scored.
    """
    state = _standardised(trained)
    for name in _last(state):
        state[name] = UNIT * state[name]
    file = trained.with_name(f"{MODEL}.safetensors")
    weights.save({name: tensor.half() for name, tensor in state.items()}, file, ABOUT)
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
        "calibration": asdict(
            replace(
                Calibration.fit("matched", technical, aesthetic),
                technical_weight=technical_weight,
                aesthetic_weight=round(1 - technical_weight, 4),
            )
        ),
    }
    packaged = weights.PACKAGED / file.name  # only now that they have constants
    packaged.write_bytes(file.read_bytes())
    write_text(packaged_facts(MODEL), json.dumps(facts, indent=2))
    kept.unlink()  # of other constants than these weights have from now on
    return packaged


def _standardised(file: Path) -> dict[str, Tensor]:
    """Weights whose raw scores deviate by one from zero: a training leaves them at any scale."""
    state = {name: tensor.float() for name, tensor in weights.read_state_dict(file).items()}
    weights.check_fit(state, MODEL, file)
    found = Calibration.load(file.with_name(CONSTANTS))
    for name in _last(state):
        branch, bias = _branch(name), name.endswith("bias")
        mean, std = (getattr(found, f"{branch}_{what}") for what in ("mean", "std"))
        state[name] = (state[name] - mean * bias) / std
    return state


def _branch(name: str) -> str:
    """Of a weight's name."""
    return name.split("_")[0]


def _last(state: dict[str, Tensor]) -> list[str]:
    """Names of the last layers, which give raw scores their scale."""
    return [name for name in state if "_head.fc_last." in name]
