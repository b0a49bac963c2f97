"""Make a folder of clips and the labels that go with them.

Every content gives one clip that is as good as its source and many that are spoilt. A label says
how much is left: the structure that SSIMULACRA 2 still finds, times what the penalties leave.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from math import prod
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from dover_plugin.files import write_text
from dover_plugin.training.blur import shallow
from dover_plugin.training.synthetic import scenes
from dover_plugin.training.synthetic.chains import Fault, plan
from dover_plugin.training.synthetic.degradations import (
    DEGRADATIONS,
    LIGHT,
    PENALTIES,
    Shot,
)
from dover_plugin.training.synthetic.encoding import decode, encode
from dover_plugin.training.synthetic.sources import SOURCES, Source, read
from dover_plugin.video import open_source
from dover_plugin.views import Picture

HELD_BACK = "held back"  # contents that backbones never see, for heads to learn from
# What one clip of the technical view spans; less in training, which sees two frames at a time.
NUM_FRAMES = {"train": 16, HELD_BACK: 16, "val": 32, "test": 64}
# Every other content that is learnt from is cut out of a picture of some height: fragments are the
# same there, and the rest is not read.
CUTS = ((144, 192), (224, 288), (224, 288), (288, 224), (256, 320), (360, 640))
HEIGHTS = (144, 180, 240, 270, 360, 480, 540, 720, 1080)
LARGEST = 5  # times its own height a cut-out's picture is high
FINEST = (1.5, 3.0)  # pixels of a photograph per pixel of a cut-out
SIZES = ((360, 640), (360, 640), (270, 480), (480, 854), (540, 960), (640, 360), (720, 1280))
SHALLOW = 0.2  # of them: some of the picture is in focus, the rest is not, which is no fault
STORED = ("libx264", 14)  # how a clip is kept whose fault is no codec's; its label knows
# So many, and the first of their numbers, which seed what is random (40_000 and 40_100 also seed
# films of two photographs; no content is shared).
SCENES = {"train": (600, 0), HELD_BACK: (200, 40_000), "val": (10, 10_000), "test": (15, 20_000)}


@dataclass(frozen=True)
class Content:
    """What a clip shows.

    Attributes:
        name: unique; clips of one content never lie in two splits.
        split: "train", "val", "test", or HELD_BACK.
        size: (H, W).
        seed: of all that is random about it.
        source: a file, or None for a scene.
        part: which film or span of the source.
        kind: of the scene.
        height: of the picture that it is cut out of; 0 if it is whole.
    """

    name: str
    split: str
    size: tuple[int, int]
    seed: int
    source: Source | None = None
    part: int = 0
    kind: str = ""
    height: int = 0

    @property
    def worn(self) -> int:
        """How many of its ladders begin as footage does."""
        if self.split == "train":
            return 2 if self.height else 1
        return 2 if self.split == HELD_BACK else 0


@dataclass(frozen=True)
class Label:
    """How good a clip is.

    Attributes:
        file: its name.
        split: of its content.
        content: what it shows.
        ladder: with which other clips it is compared.
        cut_from: height of the picture that it is cut out of, in pixels; 0 if it is whole.
        chain: what was done to it.
        similarity: what the metric still finds of the unspoilt clip, in [0, 1].
        kept: what all penalties leave, in [0, 1].
    """

    file: str
    split: str
    content: str
    ladder: str
    cut_from: int
    chain: tuple[Fault, ...]
    similarity: float
    kept: float

    @property
    def overall(self) -> float:
        """The opinion, in [0, 100]."""
        return 100 * self.similarity * self.kept

    @property
    def aesthetic(self) -> float:
        """What penalties of light and colour alone leave, in [0, 100]."""
        return 100 * prod(1 - PENALTIES[level - 1] for kind, level in self.chain if kind in LIGHT)

    @property
    def technical(self) -> float:
        """What all but those leave, in [0, 100]."""
        return 100 * self.overall / self.aesthetic

    def row(self) -> dict[str, str | float]:
        """Of the table of labels, with the step of each fault."""
        steps = dict(self.chain)
        return {
            "file": self.file,
            "overall": self.overall,
            "technical": self.technical,
            "aesthetic": self.aesthetic,
            "split": self.split,
            "content": self.content,
            "ladder": self.ladder,
            "cut_from": self.cut_from,
            "faults": "+".join(steps) or "none",
            "level": max(steps.values(), default=0),
            "similarity": self.similarity,
            "kept": self.kept,
            **{f"fault_{kind}": steps.get(kind, 0) for kind in DEGRADATIONS},
        }


def contents(seed: int) -> list[Content]:
    """Everything that is filmed."""
    found = []
    for split, (count, first) in SCENES.items():
        for i in range(count):
            number = first + i
            rng = np.random.default_rng([seed, number])
            size = SIZES[int(rng.integers(len(SIZES)))]
            kind = scenes.KINDS[i % len(scenes.KINDS)]
            name = f"scene-{split.replace(' ', '-')}-{i:03}"
            found.append(Content(name, split, size, number, kind=kind))
    for index, source in enumerate(SOURCES):
        for part in range(source.parts):
            number = 30_000 + 100 * index + part
            size = source.sizes[part % len(source.sizes)]
            name = f"{Path(source.file).stem}-{part}"
            found.append(Content(name, source.split, size, number, source, part))
    learnt = [each for each in found if each.split == "train"]
    found = [each for each in found if each.split != "train"]
    found += learnt[::2] + [_cut(each, seed) for each in learnt[1::2]]
    order = [*NUM_FRAMES]
    return sorted(found, key=lambda content: order.index(content.split))  # what is learnt first


def _cut(content: Content, seed: int) -> Content:
    """The content, small, as if cut out of a picture of some height."""
    rng = np.random.default_rng([seed, content.seed, 3])
    size = CUTS[int(rng.integers(len(CUTS)))]
    height = int(rng.choice([each for each in HEIGHTS if 1 <= each / size[0] <= LARGEST]))
    return replace(content, size=size, height=height)


def footage(videos: Sequence[Path]) -> list[Content]:
    """Contents of the user's own films of one folder, filmed as they are, to test on."""
    found = []
    for number, video in enumerate(videos):
        info = open_source(video).info
        size = (info.height // 2 * 2, info.width // 2 * 2)
        source = Source(video.name, "", "test", (size,), "", "", "", parts=1)
        found.append(Content(video.stem, "test", size, 90_000 + number, source))
    return found


def film(content: Content, folder: Path) -> tuple[Picture, int]:
    """The frames of a content, unspoilt, and frames per second."""
    count = NUM_FRAMES[content.split]
    rng = np.random.default_rng([content.seed, 4])
    if content.source is None:
        frames, fps = scenes.generate(content.kind, count, content.size, content.seed), 25
    else:
        finest = rng.uniform(*FINEST) if content.height else FINEST[1]
        frames, fps = read(
            content.source, folder, content.part, count, content.size, content.seed, finest
        )
    if content.split == "train" and not content.height and rng.random() < SHALLOW:
        frames = shallow(frames, rng)
    return frames, fps


def make_clips(content: Content, sources: Path, target: Path, seed: int) -> list[Label]:
    """Film, spoil, store and label one content."""
    from dover_plugin.training.synthetic.similarity import quality

    rng = np.random.default_rng([seed, content.seed, 1])
    frames, fps = film(content, sources)
    shots: dict[tuple[Fault, ...], Shot] = {(): Shot(frames, frames, fps, height=content.height)}
    labels = []
    ladders = plan(content.split, rng, content.worn)
    planned = [(i, chain) for i, ladder in enumerate(ladders) for chain in ladder]
    for number, (ladder, faults) in enumerate(planned):
        for end, (kind, level) in enumerate(faults, 1):
            if tuple(faults[:end]) not in shots:  # what several chains begin with is done once
                before = shots[tuple(faults[: end - 1])]
                shots[tuple(faults[:end])] = DEGRADATIONS[kind](before, level, rng)
        shot = shots[tuple(faults)]
        packets = shot.packets or encode(shot.frames, fps, *STORED)
        similarity = quality(decode(packets), shot.reference)
        file = f"{content.name}-{number:02}.mkv"
        (target / file).write_bytes(packets)
        labels.append(
            Label(
                file,
                content.split,
                content.name,
                f"{content.name}-{ladder}",
                content.height,
                tuple(faults),
                similarity,
                shot.kept,
            )
        )
    return labels


def build(
    every: Sequence[Content], sources: Path, target: Path, *, seed: int = 0, workers: int = 1
) -> Iterator[str]:
    """Make all clips into ``target/clips``, and their labels; what is made is kept.

    Labels go into ``target/labels.csv``, and into ``target/heads.csv`` where contents held back are
    what is learnt from.

    Args:
        every: what to film.
        sources: the folder that holds their files.
        target: made if need be.
        seed: of everything random.
        workers: processes.

    Yields:
        The name of each content, once it is done.
    """
    clips, parts = target / "clips", target / "parts"
    for folder in (clips, parts):
        folder.mkdir(parents=True, exist_ok=True)
    os.environ["SVT_LOG"] = "1"  # errors alone
    missing = [each for each in every if not (parts / f"{each.name}.csv").exists()]
    with ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        futures = {pool.submit(make_clips, c, sources, clips, seed): c for c in missing}
        for future in as_completed(futures):
            name = futures[future].name
            rows = pd.DataFrame([label.row() for label in future.result()])
            write_text(
                parts / f"{name}.csv", rows.to_csv(index=False, float_format="%.4f").rstrip()
            )
            yield name
    table = pd.concat([pd.read_csv(parts / f"{content.name}.csv") for content in every])
    held_back = table["split"] == HELD_BACK
    write_text(target / "labels.csv", table[~held_back].to_csv(index=False).rstrip())
    if held_back.any():
        heads = table[table["split"] != "train"].replace({"split": {HELD_BACK: "train"}})
        write_text(target / "heads.csv", heads.to_csv(index=False).rstrip())
