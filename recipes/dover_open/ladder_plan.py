"""Which ladders a content gets, and the rows that they consist of."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from dover_plugin.preprocessing.bars import without_bars
from dover_plugin.preprocessing.pictures import Picture, aesthetic_picture, technical_mosaic
from dover_plugin.preprocessing.sampling import SamplingRule, draw
from recipes.dover_open.degradations import (
    AESTHETIC,
    CODECS,
    LEVELS,
    SAME,
    TECHNICAL,
    Degradation,
    pre_degrade,
)
from recipes.dover_open.encoding import transcode
from recipes.dover_open.filters import even, resize
from recipes.dover_open.sources import Shot, detail

VIEWS = ("technical", "aesthetic")
SMALL, MEDIUM = 600_000, 2_300_000  # pixels; larger frames get fewer rows, to save time
COMMON = {"h264": 3.0, "hevc": 2.0, "av1": 2.0, "jpeg": 1.5, "noise": 2.0, "defocus": 1.5}
COMMON |= {"motion": 1.5, "block_loss": 0.5, "sharpened": 0.5, "desaturation": 0.5}
LINES = (1440, 1080, 720, 540, 360, 240, 144)  # of copies stored smaller
DARK, BRIGHT = 50, 165  # mean luma of pictures that are not darkened or brightened further
FLAT = 35  # standard deviation of luma of pictures whose contrast is not changed
GREY = 15  # mean difference of the largest and smallest channel: less has no colour to change
CRISP = 12  # detail of pictures that are sharpened


@dataclass(frozen=True)
class Content:
    """What one group of rows shows.

    Attributes:
        name: unique.
        split: "train" or "val".
        source: name of the file.
        part: number of this content among those of the file.
        parts: how many there are.
    """

    name: str
    split: str
    source: str
    part: int
    parts: int


@dataclass(frozen=True)
class Row:
    """One line of the table, and its two views.

    Attributes:
        content: what it shows.
        split: of the content.
        source: name of the file.
        height: of the scored frame in pixels.
        width: of the scored frame in pixels.
        ladder: kind of distortion, or "reference".
        level: 0 for the reference, else 1 to 5; "same" rows have level 1.
        expect: "worse" or "same".
        branch: the branch that the ladder should move most, or "both".
        group: rows of one ladder.
        prior: pre-degradation and delivery of the content, joined by "+"; empty if clean.
        technical: (224, 224, 3) uint8.
        aesthetic: (224, 224, 3) uint8.
    """

    content: str
    split: str
    source: str
    height: int
    width: int
    ladder: str
    level: int
    expect: str
    branch: str
    group: str
    prior: str
    technical: Picture
    aesthetic: Picture

    def line(self, number: int) -> dict[str, str | int]:
        """Values of the table's columns."""
        names = [field.name for field in fields(self) if field.name not in VIEWS]
        return {"row": number, **{name: getattr(self, name) for name in names}}


def _unsuitable(frame: Picture) -> list[str]:
    """Photometric distortions that would not show, or would improve the picture."""
    sample = frame[::4, ::4].astype(np.float32)
    luma = sample.mean(-1)
    unsuitable = {
        "exposure_dark": luma.mean() < DARK,
        "exposure_bright": luma.mean() > BRIGHT,
        "contrast": luma.std() < FLAT,
        "clipping": luma.std() < FLAT,
        "saturation": np.ptp(sample, axis=-1).mean() < GREY,
        "desaturation": np.ptp(sample, axis=-1).mean() < GREY,
    }
    return [name for name, skip in unsuitable.items() if skip]


class Plan:
    """Chooses the ladders of one content and makes their rows.

    Args:
        content: what is shown.
        shot: clean frames.
        rng: of all choices.
        rated: the source is a rated photo, which often has distortions of its own.
    """

    def __init__(
        self, content: Content, shot: Shot, rng: np.random.Generator, *, rated: bool
    ) -> None:
        self._content, self._rng, self._scored = content, rng, shot.scored
        self._clean = self._base = shot.frames
        self._pixels = shot.frames[0, ..., 0].size
        prior = []
        if rng.random() < (0.35 if rated else 0.6):
            self._base, kinds = pre_degrade(shot.frames, rng)
            prior.append(kinds)
        # The last encoding of a video, good but not lossless: h264 at this CRF, or none.
        self._delivery = 0
        if rng.random() < (0.4 if self._pixels <= SMALL else 0.15) and self._pixels <= MEDIUM:
            self._delivery = int(rng.integers(15, 22))
            prior.append("delivered")
        self._prior = "+".join(prior)
        self._reference = self._frame(self._base)

    def rows(self) -> list[Row]:
        """The reference, the ladders, and the rows that must score the same."""
        found = [self._row(self._reference, "reference", 0, "same", "both")]
        found += self._same()
        for kind, degradation in self._chosen().items():
            found += self._ladder(kind, degradation)
        found += self._smaller()
        if self._base is not self._clean:
            found += self._pre_degraded()
        return found

    def _chosen(self) -> dict[str, Degradation]:
        small = self._pixels <= SMALL
        codecs = {name: each for name, each in CODECS.items() if small or name != "hevc"}
        light = dict(AESTHETIC)
        for name in _unsuitable(self._reference):
            del light[name]
        technical = dict(TECHNICAL)
        if detail(self._reference) < CRISP:
            del technical["sharpened"]  # which may help a soft picture
        count = 1 if self._pixels > MEDIUM else 2
        return {
            **self._sample(codecs, count),
            **self._sample(technical, count),
            **self._sample(light, 2),
        }

    def _sample(self, kinds: dict[str, Degradation], count: int) -> dict[str, Degradation]:
        names = list(kinds)
        chances = np.array([COMMON.get(name, 1.0) for name in names])
        chosen = self._rng.choice(len(names), count, replace=False, p=chances / chances.sum())
        return {names[i]: kinds[names[i]] for i in chosen}

    def _ladder(self, kind: str, degradation: Degradation) -> Iterator[Row]:
        """Some of the five levels, all with the same random parameters."""
        seed = int(self._rng.integers(2**31))
        count = 3 if kind in AESTHETIC or self._pixels > SMALL else 4
        levels = np.sort(self._rng.permutation(LEVELS)[:count]) + 1
        for level in map(int, levels):
            rng = np.random.default_rng(seed)
            if kind in CODECS:
                frames = self._base[self._scored :][:1] if kind == "jpeg" else self._base
                frame = self._pick(degradation.apply(frames, level, rng))
            elif degradation.decoded:
                frame = degradation.apply(self._reference[None], level, rng)[0]
            else:
                frames = self._base if self._delivery else self._base[self._scored :][:1]
                frame = self._frame(degradation.apply(frames, level, rng))
            yield self._row(frame, kind, level, "worse", degradation.branch)

    def _smaller(self) -> Iterator[Row]:
        """Copies stored smaller, copies scaled up again, and a small one against a coded one."""
        height, width = self._base.shape[1:3]
        short = min(height, width)
        lines = [each for each in LINES if each < 0.85 * short]
        kept = sorted(self._rng.permutation(lines)[:4].tolist(), reverse=True)
        frames = self._base if self._delivery else self._base[self._scored :][:1]
        if kept and kept[-1] != LINES[-1] and self._rng.random() < 0.5:
            kept[-1] = LINES[-1]
        for level, side in enumerate(kept, 1):
            copy = resize(frames, even(height * side / short), even(width * side / short))
            yield self._row(self._frame(copy), "scale", level, "worse", "technical")
        seed = int(self._rng.integers(2**31))
        for level, side in enumerate(kept, 1):
            mode = ("bilinear", "bicubic")[seed % 2]
            copy = resize(frames, even(height * side / short), even(width * side / short))
            large = resize(copy, height, width, mode)
            yield self._row(self._frame(large), "upscaled", level, "worse", "technical")
        if self._pixels <= MEDIUM and self._rng.random() < 0.6:
            side = LINES[-1]
            coded = self._pick(transcode(self._base, "h264", int(self._rng.integers(26, 31))))
            copy = resize(frames, even(height * side / short), even(width * side / short))
            yield self._row(coded, "small_or_coded", 1, "worse", "technical")
            yield self._row(self._frame(copy), "small_or_coded", 2, "worse", "technical")

    def _same(self) -> Iterator[Row]:
        for kind, change in SAME.items():
            if kind == "grain" and self._prior:
                continue  # grain belongs to sharp pictures
            yield self._row(change(self._reference, self._rng), kind, 1, "same", "both")

    def _pre_degraded(self) -> list[Row]:
        """The clean frame, and what pre-degradation made of it, as a content of their own."""
        clean = self._frame(self._clean)
        return [
            self._row(clean, "reference", 0, "same", "both", suffix="+clean"),
            self._row(self._reference, "pre_degraded", 1, "worse", "technical", suffix="+clean"),
        ]

    def _frame(self, frames: Picture) -> Picture:
        """The scored frame, after delivery."""
        if self._delivery and len(frames) > 1:
            frames = transcode(frames, "h264", self._delivery)
        return self._pick(frames)

    def _pick(self, frames: Picture) -> Picture:
        frame: Picture = frames[self._scored if len(frames) > 1 else 0]
        return frame

    def _row(
        self, frame: Picture, ladder: str, level: int, expect: str, branch: str, suffix: str = ""
    ) -> Row:
        frame = without_bars(frame)
        height, width = frame.shape[:2]
        name = self._content.name + suffix
        offsets = draw(1, height, width, rule=SamplingRule(num_clips=1)).offsets[0]
        return Row(
            name,
            self._content.split,
            self._content.source,
            height,
            width,
            ladder,
            level,
            expect,
            branch,
            f"{name}/{ladder}",
            "" if suffix else self._prior,
            technical_mosaic(frame, offsets),
            aesthetic_picture(frame),
        )
