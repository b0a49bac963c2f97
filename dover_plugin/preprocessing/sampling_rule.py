"""What each model sees of a video: a part of its definition. Loads no NumPy."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from dover_plugin.errors import SettingsError

CLIP_LEN = 32
NUM_CLIPS = 3
FRAME_INTERVAL = 2
GRID = 7
FRAGMENT = 32
VIEW = GRID * FRAGMENT  # 224

type Branch = Literal["technical", "aesthetic"]

BRANCHES: tuple[Branch, ...] = ("technical", "aesthetic")


@dataclass(frozen=True)
class SamplingRule:
    """Frames and fragments that a model sees of a video.

    The technical view has ``num_clips`` clips of every second frame; each frame is a mosaic of
    ``grid`` x ``grid`` fragments. The aesthetic view is one clip of whole frames.

    Attributes:
        branches: branches whose views are made.
        num_clips: clips of the technical view.
        clip_len: frames of a clip.
        spans: number of equal spans of the video from which the frames of one clip are taken.
        fixed_starts: clips start at evenly spread frames, also with a seed; otherwise each span
            has its own start, which a seed makes random.
        grid: fragments along each side of a mosaic.
        cut_bars: views show the picture inside black bars; see bars.py.
    """

    branches: tuple[Branch, ...] = BRANCHES
    num_clips: int = NUM_CLIPS
    clip_len: int = CLIP_LEN
    spans: int = 1
    fixed_starts: bool = False
    grid: int = GRID
    cut_bars: bool = False

    @property
    def view(self) -> int:
        """Side of the views in pixels; frames with a smaller short side are enlarged first."""
        return self.grid * FRAGMENT

    @property
    def clip_shape(self) -> tuple[int, int, int, int]:
        """Shape (T, H, W, 3) of one clip of either view."""
        return self.clip_len, self.view, self.view, 3

    @property
    def label(self) -> str:
        """The branches as they are recorded, such as "technical+aesthetic"."""
        return "+".join(self.branches)

    def only(self, branches: Sequence[str] | None, model: str) -> "SamplingRule":
        """The rule for these branches alone; None keeps all branches of the model.

        Args:
            branches: names of branches.
            model: name of the model, for the message.

        Raises:
            SettingsError: the model has no such branch, or none is named.
        """
        if branches is None:
            return self
        names = list(branches) if isinstance(branches, list | tuple) else [branches]
        unknown = [name for name in names if name not in self.branches]
        if unknown or not names:
            got = f"no branch {unknown[0]!r}" if unknown else "to run at least one branch"
            raise SettingsError(
                f"The model {model!r} has {got}. Use branches={self.branches!r} or a part of it."
            )
        return replace(self, branches=tuple(b for b in self.branches if b in names))


# Paper section 3.2 and dover.yml of the reference.
DOVER = SamplingRule()
DOVER_OPEN = SamplingRule(cut_bars=True)
# FAST-VQA: fast-b.yml, f3dvqa-b.yml and fast-m.yml of its repository, test mode. Its vqa.py leaves
# out the frame interval of 2 that these files, and so all published numbers, have.
FAST_VQA = SamplingRule(("technical",), num_clips=4, fixed_starts=True)
FASTER_VQA = SamplingRule(("technical",), num_clips=1, spans=8)
FAST_VQA_M = SamplingRule(("technical",), num_clips=4, clip_len=16, fixed_starts=True, grid=4)
