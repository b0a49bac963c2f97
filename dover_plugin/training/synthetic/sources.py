"""Films and photographs that may be used freely, and how they are filmed.

Nothing of them is in the package: they lie in a folder that the user fills (see
docs/model-card-dover-open.md), and are checked against their hash.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from dover_plugin.download import sha256_of
from dover_plugin.errors import SettingsError
from dover_plugin.training.synthetic.scenes import photograph
from dover_plugin.video import open_source
from dover_plugin.views import Picture

PHOTOGRAPHS = (".jpg", ".png")
NAMED = 10  # of missing files, in an error
# (H, W) that something is filmed in. Films are made smaller, and so lose the traces of their own
# compression.
SIZES = {
    "large": ((360, 640), (540, 960), (480, 854), (720, 1280), (640, 360)),
    "medium": ((360, 640), (270, 480), (480, 360)),
    "small": ((240, 320),),
    "shrunk": ((360, 640), (270, 480)),
    "shrunk_more": ((270, 480), (288, 512)),
    "270p": ((270, 480),),
    "360p": ((360, 640),),
    "480p": ((480, 854),),
    "540p": ((540, 960),),
}


@dataclass(frozen=True)
class Source:
    """A file that may be used freely.

    Attributes:
        file: its name.
        sha256: of the file.
        split: where everything made of it goes.
        sizes: (H, W) it is filmed in.
        author: who is to be named.
        licence: short name.
        origin: where it is published.
        parts: spans of a film, or films of a photograph, that are made; 0 of what earlier weights
            learnt from, which is named and no longer needed.
    """

    file: str
    sha256: str
    split: str
    sizes: tuple[tuple[int, int], ...]
    author: str
    licence: str
    origin: str
    parts: int


def _sources() -> tuple[Source, ...]:
    """The table beside this file. New rows go to its end: the order seeds what is random."""
    table = pd.read_csv(Path(__file__).with_name("sources.csv"))
    table["sizes"] = table["sizes"].map(SIZES)
    return tuple(Source(*row) for row in table.itertuples(index=False))


SOURCES = _sources()


def filmed() -> list[Source]:
    """Those that are needed."""
    return [source for source in SOURCES if source.parts]


def check(folder: Path) -> None:
    """Raise SettingsError, naming files that are missing or others, and what they are part of."""
    wrong = [
        source
        for source in filmed()
        if not (folder / source.file).is_file() or sha256_of(folder / source.file) != source.sha256
    ]
    if wrong:
        names = ", ".join(f"{source.file} ({source.origin})" for source in wrong[:NAMED])
        more = f" and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
        raise SettingsError(
            f"'{folder}' lacks {len(wrong)} of {len(filmed())} sources, or holds other files of "
            f"their names: {names}{more}. docs/model-card-dover-open.md says where they are."
        )


def gather(places: Sequence[Path], folder: Path) -> int:
    """Copy sources from wherever they lie, under whatever names, as unpacked packages.

    Args:
        places: folders to look through.
        folder: where copies go, under the names in the table; made if need be.

    Returns:
        How many sources it holds then.
    """
    wanted = {source.sha256: folder / source.file for source in filmed()}
    folder.mkdir(parents=True, exist_ok=True)
    kinds = {Path(source.file).suffix for source in filmed()}
    for path in (each for place in places for each in sorted(place.rglob("*"))):
        if path.suffix.lower() in kinds and path.is_file():
            target = wanted.get(sha256_of(path))
            if target and not target.exists():
                copyfile(path, target)
    return sum(target.is_file() for target in wanted.values())


def read(
    source: Source,
    folder: Path,
    part: int,
    num_frames: int,
    size: tuple[int, int],
    seed: int,
    finest: float,
) -> tuple[Picture, int]:
    """Film one part of a source.

    Args:
        source: what is filmed.
        folder: where its file lies.
        part: which span of a film, or film of a photograph.
        num_frames: how many pictures.
        size: (H, W) of them.
        seed: of the camera.
        finest: pixels of a photograph per pixel of the film, if it has so many.

    Returns:
        (num_frames, H, W, 3) uint8, and frames per second.
    """
    if Path(source.file).suffix not in PHOTOGRAPHS:
        return _span(folder / source.file, part / source.parts, num_frames, size)
    from PIL import Image

    with Image.open(folder / source.file) as image:
        return photograph(np.asarray(image.convert("RGB")), num_frames, size, seed, finest), 25


def _span(path: Path, start: float, num_frames: int, size: tuple[int, int]) -> tuple[Picture, int]:
    """Frames of a film from ``start``, a share of its length, made smaller."""
    film = open_source(path, "pyav")
    first = int(start * (film.info.num_frames - num_frames))
    frames = np.empty((num_frames, *size, 3), np.uint8)
    for index, frame in film.frames(range(first, first + num_frames)):
        x = torch.tensor(frame).permute(2, 0, 1)[None].float()
        x = F.interpolate(x, size, mode="bicubic", antialias=True)[0]
        frames[index - first] = x.round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    return frames, round(film.info.fps or 25)
