"""Which faults a clip goes through, one after the other, and with which others it is compared."""

from collections.abc import Sequence

import numpy as np

from dover_plugin.training.synthetic.degradations import (
    AGAIN,
    CAPTURE,
    CODECS,
    DEGRADATIONS,
    DELIVERY,
    LEVELS,
    LIGHT,
)

LADDERS = ("h264", "hevc", "av1", "defocus", "motion_blur", "noise", "upscaled", "cast")
OFTEN = ("defocus", "motion_blur", "noise", "upscaled", "h264", "av1")  # in what is learnt from
WORN = ("upscaled", "defocus", "motion_blur")  # why footage is soft

type Fault = tuple[str, int]  # and its step
type Ladder = list[list[Fault]]  # chains, whose clips are compared with each other


def plan(split: str, rng: np.random.Generator, worn: int = 0) -> list[Ladder]:
    """Which chains of faults a content goes through; the empty one first.

    Args:
        split: of the content; of one that is held back, chains are those of "val" and worn ladders.
        rng: draws what is random.
        worn: so many ladders begin as footage does, of a content that is learnt from.
    """
    if split == "train":
        return _lessons(rng, worn)
    worn_ladders = [_worn_ladder(rng) for _ in range(worn)]
    return [_mixed(split, rng), *worn_ladders]


def _mixed(split: str, rng: np.random.Generator) -> Ladder:
    """Single faults, for tests in all five steps, and four chains of two."""
    kinds = list(DEGRADATIONS)
    chains: Ladder = [[]]
    if split != "test":
        for kind in rng.permutation(kinds)[:5]:
            low, high = _levels(rng, 2)
            chains += [[(str(kind), low)], [(str(kind), high)]]
    else:
        chains += [[(kind, level)] for kind in LADDERS for level in range(1, LEVELS + 1)]
        others = [kind for kind in kinds if kind not in LADDERS]
        chains += [[(kind, int(rng.integers(1, LEVELS + 1)))] for kind in others]
    for before, after in 2 * ((CAPTURE, DELIVERY), (CODECS, AGAIN)):
        first = str(rng.choice(before))
        then = str(rng.choice([kind for kind in after if kind != first]))
        chains.append([(first, int(rng.integers(1, 4))), (then, int(rng.integers(1, 4)))])
    return chains


def _lessons(rng: np.random.Generator, worn: int) -> list[Ladder]:
    """Four ladders of four clips: some of a clean content, some of one that is worn as footage is.

    Light and colour are met seldom, since a training spoils them anew each time.
    """
    first, *others = _faults(rng, list(DEGRADATIONS), 4 - worn)
    ladders: list[Ladder] = [[[], *([(first, level)] for level in _levels(rng, 3))]]
    ladders += [[[(fault, level)] for level in _levels(rng, 4)] for fault in others]
    return ladders + [_worn_ladder(rng) for _ in range(worn)]


def _worn_ladder(rng: np.random.Generator) -> Ladder:
    """What begins as footage does, and three steps of one more fault."""
    chain = _worn(rng)
    then = _faults(rng, [kind for kind in AGAIN if kind not in dict(chain)], 1)[0]
    return [chain, *([*chain, (then, level)] for level in _levels(rng, 3))]


def _faults(rng: np.random.Generator, kinds: Sequence[str], count: int) -> list[str]:
    often = np.array([0.3 if kind in LIGHT else 1 + (kind in OFTEN) for kind in kinds])
    return [str(kind) for kind in rng.choice(kinds, count, replace=False, p=often / often.sum())]


def _levels(rng: np.random.Generator, count: int) -> list[int]:
    return [int(level) for level in rng.permutation(np.arange(1, LEVELS + 1))[:count]]


def _worn(rng: np.random.Generator) -> list[Fault]:
    """What footage brings before anything else is done to it: soft, noisy, coded, or all three."""
    chain: list[Fault] = []
    if rng.random() < 0.7:
        chain.append((str(rng.choice(WORN)), int(rng.integers(1, 5))))
    if rng.random() < 0.25:
        chain.append(("noise", int(rng.integers(1, 3))))
    if rng.random() < 0.6 or not chain:
        chain.append((str(rng.choice(CODECS)), int(rng.integers(1, 4))))
    return chain
