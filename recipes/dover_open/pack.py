"""Packing of trained branches: float16 safetensors, calibration and table of examples."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import spearmanr
from torch import Tensor

from dover_plugin.calibration import Calibration
from dover_plugin.networks import CONFIGS, Dover
from dover_plugin.preprocessing.normalise import normalise
from dover_plugin.preprocessing.sampling import CLIP_LEN
from dover_plugin.weights.download import sha256_of
from dover_plugin.weights.state_dict import save
from recipes.dover_open.config import Recipe, read_recipe
from recipes.dover_open.input_noise import input_noise

MODEL = "dover-open"
BRANCHES = ("technical", "aesthetic")
BATCH = 25
BINS = 10  # of the table of predicted and mean opinion scores

type Scores = NDArray[np.float64]


def join_branches(folder: Path, recipe: Recipe) -> dict[str, Tensor]:
    """State dict of the whole network in float16.

    Args:
        folder: with the files that fit.py wrote.
        recipe: strength and seed of the fixed noise on the input.
    """
    state: dict[str, Tensor] = {}
    dither = input_noise(recipe)
    for branch in BRANCHES:
        part = torch.load(folder / f"{branch}.pt", weights_only=True)
        part["backbone.dither"] = dither.clone()
        state |= {f"{branch}_{name}": value.half() for name, value in part.items()}
    return state


def make_network(state: dict[str, Tensor]) -> Dover:
    """The network of ``state`` in evaluation mode, float32."""
    network = Dover(CONFIGS[MODEL])
    network.load_state_dict(state)
    return network.float().eval().requires_grad_(False)


def raw_scores(
    network: Dover, technical: NDArray[np.uint8], aesthetic: NDArray[np.uint8]
) -> tuple[Scores, Scores]:
    """Raw scores of both branches for view frames of photographs.

    Args:
        network: in evaluation mode.
        technical: (N, 224, 224, 3).
        aesthetic: (N, 224, 224, 3).

    Returns:
        Two arrays (N,).
    """
    maps = (network.technical_map, network.aesthetic_map)
    results = []
    for score, frames in zip(maps, (technical, aesthetic), strict=True):
        found = []
        for start in range(0, len(frames), BATCH):
            clips = torch.from_numpy(np.ascontiguousarray(frames[start : start + BATCH, None]))
            repeated = normalise(clips).expand(-1, -1, _shortest_clip(), -1, -1)
            with torch.inference_mode():
                found.append(score(repeated).mean(dim=(1, 2, 3)).double().numpy())
        results.append(np.concatenate(found))
    return results[0], results[1]


def _shortest_clip() -> int:
    """Length of a clip in which the network uses one frame; a photograph has one frame only."""
    stride = getattr(CONFIGS[MODEL].technical, "frame_stride", CLIP_LEN)
    return int(stride)


def fit_calibration(technical: Scores, aesthetic: Scores, mos: Scores) -> Calibration:
    """Constants such that each score estimates the MOS on [0, 1].

    Args:
        technical: (N,) raw scores.
        aesthetic: (N,) raw scores.
        mos: (N,) in [0, 1].
    """
    t_slope, t_bias = _logistic(technical[:, None], mos)
    a_slope, a_bias = _logistic(aesthetic[:, None], mos)
    z_scores = [technical * t_slope + t_bias, aesthetic * a_slope + a_bias]
    t_weight, a_weight = _logistic(np.stack(z_scores, axis=1), mos, bias=False)
    return Calibration(
        name="matched",
        technical_mean=-t_bias / t_slope,
        technical_std=1 / t_slope,
        aesthetic_mean=-a_bias / a_slope,
        aesthetic_std=1 / a_slope,
        technical_weight=t_weight,
        aesthetic_weight=a_weight,
    )


def _logistic(inputs: Scores, mos: Scores, bias: bool = True) -> list[float]:
    """Slopes, then the bias, of the sigmoid of a linear function that is nearest to the MOS.

    Args:
        inputs: (N, K).
        mos: (N,).
        bias: whether the function has one.
    """
    columns = np.column_stack([inputs, np.ones(len(inputs))]) if bias else inputs

    def error(weights: Scores) -> float:
        return float(np.square(1 / (1 + np.exp(-columns @ weights)) - mos).mean())

    start = np.linalg.lstsq(columns, np.log(mos.clip(0.02, 0.98) / (1 - mos.clip(0.02, 0.98))))[0]
    found = minimize(error, start, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-6})
    return [float(value) for value in found.x]


def apply(calibration: Calibration, technical: Scores, aesthetic: Scores) -> dict[str, Scores]:
    """Calibrated scores of many raw ones: technical, aesthetic and overall."""
    rows = [calibration.apply(*pair) for pair in zip(technical, aesthetic, strict=True)]
    names = ("technical", "aesthetic", "overall")
    return dict(zip(names, np.array(rows).T, strict=True))


def examples(scores: Scores, mos: Scores) -> list[dict[str, float]]:
    """Bins of equal width of the score: number, mean score and mean MOS."""
    places = np.minimum((scores * BINS).astype(int), BINS - 1)
    return [
        {
            "from": place / BINS,
            "photos": int((places == place).sum()),
            "score": round(float(scores[places == place].mean()), 3),
            "mos": round(float(mos[places == place].mean()), 3),
        }
        for place in range(BINS)
        if (places == place).any()
    ]


def pack(fitted: Path, views: Path, target: Path) -> dict[str, Any]:
    """Write dover-open.safetensors and dover-open.json.

    Args:
        fitted: folder of fit.py's results.
        views: folder of the cached view frames of the rated photographs.
        target: folder to write to.

    Returns:
        SROCC of each score on the held-out photographs, and the table of calibration.
    """
    target.mkdir(parents=True, exist_ok=True)
    state = join_branches(fitted, read_recipe())
    file = target / f"{MODEL}.safetensors"
    save(state, file, {"model": MODEL})
    held_out = np.flatnonzero(np.load(views / "held_out.npy"))
    mos = np.load(views / "mos.npy")[held_out].astype(np.float64)
    frames = [np.load(views / f"{b}.npy", mmap_mode="r")[held_out, 0] for b in BRANCHES]
    raw = raw_scores(make_network(state), *frames)
    calibration = fit_calibration(*raw, mos)
    scores = apply(calibration, *raw)
    report = {
        "srocc": {name: float(spearmanr(each, mos)[0]) for name, each in scores.items()},
        "error": {name: float(np.abs(each - mos).mean()) for name, each in scores.items()},
        "calibration": examples(scores["overall"], mos),
    }
    facts = {
        "sha256": sha256_of(file),
        "size": file.stat().st_size,
        "photos": len(held_out),
        "calibration": asdict(calibration),
    }
    (target / f"{MODEL}.json").write_text(json.dumps(facts, indent=2) + "\n")
    (target / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    return report
