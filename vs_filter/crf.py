"""The CRF of each scene that keeps a wanted quality, from trial encodes."""

from collections.abc import Mapping, Sequence
from operator import index
from typing import Any, Literal, NamedTuple, Unpack

import vapoursynth as vs

from dover_plugin.options import ModelOptions
from vs_filter.colour import Matrix
from vs_filter.compare import dover_compare_segments
from vs_filter.filter import DEFAULT_SEGMENT
from vs_filter.results import By, scored_ranges
from vs_filter.segments import Segmentation
from vs_filter.zones import Path, av1an_zones, write, x26x_zones

CRF_PER_DOUBLING = 6  # x264 and x265 halve the quantiser's step, and about double the bits


class SceneCrf(NamedTuple):
    """The CRF of a scene.

    Attributes:
        start: first frame.
        end: frame after the last one.
        crf: the highest CRF that loses no more than allowed, rounded down to the step.
        difference: expected score of the encode minus that of the source.
    """

    start: int
    end: int
    crf: float
    difference: float


def search_crf(
    source: vs.VideoNode,
    encodes: Mapping[Any, vs.VideoNode],
    *,
    max_loss: float = 0.02,
    by: Literal["overall", "technical", "aesthetic"] = "technical",
    step: float = 1.0,
    segment: Segmentation = DEFAULT_SEGMENT,
    matrix: Matrix = "decord",
    progress: bool = False,
    **options: Unpack[ModelOptions],
) -> list[SceneCrf]:
    """Choose the CRF of each scene from trial encodes of the whole clip.

    The difference in quality is interpolated between the CRFs that were tried; a CRF outside their
    range is never chosen. If even the lowest CRF loses more than allowed, the scene gets that CRF.
    The source is scored once.

    Args:
        source: clip before encoding.
        encodes: trial encodes by their CRF, two or more; all have the source's number of frames.
        max_loss: largest allowed loss of the score, from 0 to 1.
        by: score that may lose so much.
        step: step of the CRFs to choose from; SVT-AV1 needs whole numbers.
        segment: scenes, as for dover; an av1an scenes file gives its chunks.
        matrix: as for dover.
        progress: show progress bars on standard error.
        options: settings of dover_plugin.Scorer.

    Raises:
        vapoursynth.Error: fewer than two encodes, invalid settings, or a frame that cannot be read.
    """
    if len(encodes) < 2:
        raise vs.Error(f"dover: search_crf needs two trial encodes or more, got {len(encodes)}.")
    if not 0 <= max_loss <= 1 or step <= 0:
        raise vs.Error(
            f"dover: Invalid max_loss={max_loss} or step={step}; use a loss from 0 to 1 and a step "
            "above 0."
        )
    crfs: list[float] = sorted(encodes)
    nodes = dover_compare_segments(
        source, [encodes[crf] for crf in crfs], segment=segment, matrix=matrix, **options
    )
    name: By = "difference" if by == "overall" else f"{by}_difference"  # type: ignore[assignment]
    tried = [scored_ranges(node, by=name, progress=progress) for node in nodes]
    found = []
    for scenes in zip(*tried, strict=True):
        crf, difference = _choose(crfs, [scene.score for scene in scenes], -max_loss, step)
        found.append(SceneCrf(scenes[0].start, scenes[0].end, crf, difference))
    return found


def write_crfs(
    scenes: Sequence[SceneCrf],
    path: Path,
    kind: Literal["x264", "x265", "av1an"],
    *,
    crf: float | None = None,
    encoder: str = "svt-av1",
) -> None:
    """Write the CRFs for an encoder.

    Args:
        scenes: result of search_crf.
        path: file to write.
        kind: "x264" or "x265" write the value of --zones: bitrate factors against the --crf of the
            encode. "av1an" writes a file for its --zones.
        crf: --crf of the encode, for x264 and x265.
        encoder: name of the encoder, for av1an.

    Raises:
        vapoursynth.Error: another kind, no crf, or a file that cannot be written.
    """
    if kind == "av1an":
        zones = [(s.start, s.end, f"{encoder} --crf {s.crf:g}") for s in scenes]
        write(path, av1an_zones(zones, encoder))
    elif kind in ("x264", "x265"):
        if crf is None:
            raise vs.Error(f"dover: Zones of {kind} need the CRF of the encode. Pass crf=.")
        write(
            path,
            x26x_zones(
                (s.start, s.end, f"b={2 ** ((crf - s.crf) / CRF_PER_DOUBLING):.4f}") for s in scenes
            ),
        )
    else:
        raise vs.Error(f"dover: Unknown kind {kind!r}; use x264, x265 or av1an.")


def _choose(
    crfs: Sequence[float], differences: Sequence[float], limit: float, step: float
) -> tuple[float, float]:
    """The highest CRF whose difference is not below the limit, and that difference."""
    import numpy as np

    falling = np.minimum.accumulate(differences)  # more compression is taken to be no better
    low, high = crfs[0], crfs[-1]
    grid = np.append(np.arange(low, high, step), high)
    expected = np.interp(grid, crfs, falling)
    kept = np.flatnonzero(expected >= limit)
    at = index(kept[-1]) if len(kept) else 0
    return float(grid[at]), float(expected[at])
