"""The two views that are the input of the networks, and how they are put together.

Each sampled frame is reduced to a picture of 224x224 (see pictures.py); 32 of them make a clip.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from dover_plugin.preprocessing.bars import NO_BARS, Bars, Part, common, inside
from dover_plugin.preprocessing.pictures import Picture, Sample
from dover_plugin.preprocessing.sampling import BRANCHES, Branch, Draw, SamplingRule
from dover_plugin.preprocessing.sampling_rule import DOVER


@dataclass(frozen=True)
class Views:
    """Both views of one video or segment (19 MB); a view without a branch has no clips.

    Attributes:
        technical: (num_clips, clip_len, 224, 224, 3) uint8 RGB mosaics; 128x128 for fast-vqa-m.
        aesthetic: (1, clip_len, 224, 224, 3) uint8 RGB frames.
        parts: rows and columns of the frames that each view shows; all of them if it is empty.
    """

    technical: Picture
    aesthetic: Picture
    parts: dict[Branch, Part] = field(default_factory=dict)

    @classmethod
    def blank(cls, rule: SamplingRule = DOVER) -> "Views":
        """Empty views to be filled frame by frame."""
        clips = {"technical": rule.num_clips, "aesthetic": 1}
        technical, aesthetic = (
            np.zeros((clips[branch] if branch in rule.branches else 0, *rule.clip_shape), "u1")
            for branch in BRANCHES
        )
        return cls(technical, aesthetic)

    def place(self, sample: Sample) -> Picture:
        """The slot of a sample in its view, (224, 224, 3)."""
        view = self.technical if sample.branch == "technical" else self.aesthetic
        place: Picture = view[sample.clip, sample.position]
        return place


def samples(draw: Draw) -> list[Sample]:
    """All frames of both views, in the order of their source frames."""
    technical = [
        Sample(int(frame), "technical", clip, position)
        for clip, frames in enumerate(draw.technical)
        for position, frame in enumerate(frames)
    ]
    aesthetic = [Sample(int(frame), "aesthetic", 0, i) for i, frame in enumerate(draw.aesthetic)]
    return sorted(technical + aesthetic)


class Cuts:
    """The part of its frames that each view shows: inside the bars that its frames have in common.

    Args:
        rule: what the model sees.
        height: height of a frame in pixels.
        width: width of a frame in pixels.
    """

    def __init__(self, rule: SamplingRule, height: int, width: int) -> None:
        self._size = height, width
        self._cut = rule.cut_bars
        self._bars: dict[tuple[int, Branch], Bars | None] = {}

    def see(self, repeat: int, branch: Branch, bars: Bars | None) -> None:
        """Take note of the bars of a frame of a view; see bars.bars_of."""
        self._bars[repeat, branch] = common(self._bars.get((repeat, branch)), bars)

    def part(self, repeat: int, branch: Branch) -> Part:
        """Rows and columns, from the frames seen so far."""
        return inside(self._bars.get((repeat, branch)) if self._cut else NO_BARS, *self._size)


class Assembly:
    """Views of one video or segment that are put together frame by frame.

    The cuts are known after the last frame. Pictures that then turn out to show another part of
    their frames are made again.

    Args:
        draws: one per sample of the video.
        cuts: of these views.
    """

    def __init__(self, draws: Sequence[Draw], cuts: Cuts) -> None:
        self._views = [Views.blank(draw.rule) for draw in draws]
        self._draws, self._cuts = draws, cuts
        self._shown: dict[tuple[int, Sample], Part] = {}

    def place(self, repeat: int, sample: Sample, part: Part, picture: Picture) -> None:
        """Add the picture of a sample, which shows this part of its frame."""
        self._views[repeat].place(sample)[:] = picture
        self._shown[repeat, sample] = part

    def outdated(self) -> list[tuple[int, Sample]]:
        """Repeat and sample of each picture to make again, in the order of their frames."""
        return sorted(
            (
                (repeat, sample)
                for (repeat, sample), part in self._shown.items()
                if part != self._cuts.part(repeat, sample.branch)
            ),
            key=lambda each: each[1].frame,
        )

    def finished(self) -> list[Views]:
        """The views, one per draw, once all samples are placed and none is outdated."""
        return [
            replace(views, parts={b: self._cuts.part(repeat, b) for b in draw.rule.branches})
            for repeat, (views, draw) in enumerate(zip(self._views, self._draws, strict=True))
        ]
