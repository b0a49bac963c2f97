"""Any frames of a clip as a node."""

from collections.abc import Sequence

import vapoursynth as vs

PIECE = 1_000  # the time of SelectEvery grows with the square of its offsets


def select(clip: vs.VideoNode, frames: Sequence[int]) -> vs.VideoNode:
    """A node with any frames of a clip in any order."""
    core = vs.core
    if clip.num_frames == 1:
        clip = clip + clip  # SelectEvery needs a cycle of at least two
    return core.std.Splice(
        [
            core.std.SelectEvery(
                clip,
                cycle=clip.num_frames,
                offsets=list(frames[start : start + PIECE]),
                modify_duration=False,
            )
            for start in range(0, len(frames), PIECE)
        ]
    )
