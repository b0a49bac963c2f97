"""Free photographs and films, and how clean reference frames are made of them.

The files are not part of the package. They lie in a folder that the user fills; `sources.csv` names
each with its hash, author, license and origin. The photos of BIQ2021 (train split) lie in the
sub-folder `biq2021` of that folder.

Splits go by the name of the file, with the rule of photos.py: "val" where the first four bytes of
its SHA-256, as a big-endian number, are a multiple of ten, else "train".
"""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from shutil import copyfile
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from dover_plugin.io.open import open_source
from dover_plugin.preprocessing.pictures import Picture
from recipes.dover_open.filters import even, resize
from recipes.dover_open.photos import VALIDATION_SHARE, Photo, read_photos

RATED = "biq2021"
PHOTOS = (".jpg", ".png")
HEIGHTS = (240, 360, 480, 540, 720, 1080, 1440, 2160)
# Chance of each of these heights among those that a photo is large enough for.
CHANCES = (0.5, 0.7, 0.7, 1, 2.5, 3, 2, 5)
ASPECTS = ((16, 9), (4, 3), (3, 2), (1, 1), (9, 16))
ASPECT_CHANCES = (0.5, 0.15, 0.15, 0.1, 0.1)
NIGHT = 0.15  # share of the contents that are darkened before their ladders are made
NIGHT_STOPS = (1.5, 4.0)
NIGHT_NOISE = (0.4, 1.6)  # standard deviation in grey levels
BARRED = 0.1  # share of the contents that get black bars
BAR_DEPTHS = (0.08, 0.2)  # of one bar, as a share of the side
MIN_DETAIL = 3.0  # levels: 99th percentile of what is lost in a picture of half the size


@dataclass(frozen=True)
class Source:
    """A file that may be used freely.

    Attributes:
        file: its name in the folder of sources.
        sha256: of the file.
        author: to be named.
        license: short name.
        origin: where it is published.
        contents: reference clips that are made of it.
    """

    file: str
    sha256: str
    author: str
    license: str
    origin: str
    contents: int


@dataclass(frozen=True)
class Shot:
    """Clean frames of one content.

    Attributes:
        frames: (T, H, W, 3) uint8, H and W even.
        scored: index of the frame that views are made of.
    """

    frames: Picture
    scored: int


def listed() -> list[Source]:
    """The rows of sources.csv."""
    table = Path(__file__).with_name("sources.csv")
    with table.open(encoding="utf-8", newline="") as lines:
        return [
            Source(file, sha256, author, terms, origin, int(contents))
            for file, sha256, author, terms, origin, contents in list(csv.reader(lines))[1:]
        ]


def split_of(name: str) -> Literal["train", "val"]:
    """The split of a file, by the hash of its name: "val" for one in ten, as for rated photos."""
    digest = hashlib.sha256(name.encode()).digest()
    return "val" if int.from_bytes(digest[:4]) % VALIDATION_SHARE == 0 else "train"


def gather(places: Sequence[Path], folder: Path) -> list[str]:
    """Copy listed files from wherever they lie, as unpacked packages, to a folder.

    Args:
        places: folders to search.
        folder: receives the files under the names in the table.

    Returns:
        The names of listed files that are still missing.
    """
    wanted = {source.sha256: folder / source.file for source in listed() if source.sha256}
    suffixes = {target.suffix for target in wanted.values()}
    folder.mkdir(parents=True, exist_ok=True)
    for path in (each for place in places for each in sorted(place.rglob("*"))):
        if path.suffix.lower() in suffixes and path.is_file():
            target = wanted.get(hashlib.sha256(path.read_bytes()).hexdigest())
            if target and not target.exists():
                copyfile(path, target)
    return sorted(target.name for target in wanted.values() if not target.is_file())


def rated_photos(folder: Path, count: int, seed: int) -> list[Photo]:
    """Rated photos from the official train split, in random order.

    One half is spread evenly over the range of the scores, one half comes from the better third.

    Args:
        folder: of BIQ2021.
        count: photos at most.
        seed: of the choice.
    """
    photos = read_photos(folder, "train")
    rng = np.random.default_rng(seed)
    order = [photos[i] for i in rng.permutation(len(photos))]
    good = float(np.quantile([photo.mos for photo in order], 2 / 3))
    bins: list[list[Photo]] = [[] for _ in range(10)]
    for photo in order:
        bins[min(9, int(photo.mos * 10))].append(photo)
    spread = [photos[i] for i in range(len(order)) for photos in bins if i < len(photos)]
    better = [photo for photo in order if photo.mos >= good]
    chosen: dict[Photo, None] = {}
    for pair in zip_longest(spread, better):
        chosen.update({photo: None for photo in pair if photo})
    return list(chosen)[:count]


def read_picture(path: Path) -> Picture:
    """Decode a photo to (H, W, 3) uint8 RGB."""
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


def rated_shot(path: Path, rng: np.random.Generator) -> Shot:
    """A clip of a rated photo: whole, as the part of another aspect, or reduced.

    The scored frame shows the photo's own pixels, unless reduced.
    """
    picture = read_picture(path)
    kind = rng.choice(["whole", "wide", "tall", "reduced"], p=[0.65, 0.1, 0.05, 0.2])
    height, width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
    if kind == "wide":
        height = even(height * 9 / 16)
    elif kind == "tall":
        width = even(width * 9 / 16)
    top = (picture.shape[0] - height) // 2
    left = (picture.shape[1] - width) // 2
    picture = picture[top : top + height, left : left + width]
    if kind == "reduced":
        factor = float(rng.choice([240, 270, 360])) / height
        picture = resize(picture[None], even(height * factor), even(width * factor))[0]
    return pan(picture, rng)


def photo_shot(path: Path, rng: np.random.Generator, largest: int = HEIGHTS[-1]) -> Shot:
    """A clip of a part of a large photo, at one of HEIGHTS and one of ASPECTS.

    A picture that has no detail at that height, as photos of soft lenses at full size, is reduced.
    """
    picture = read_picture(path)
    across, down = ASPECTS[int(rng.choice(len(ASPECTS), p=ASPECT_CHANCES))]
    share = rng.uniform(0.7, 1.0)
    scale = share * min(picture.shape[0] / down, picture.shape[1] / across)
    crop = int(down * scale), int(across * scale)
    top, left = (int(rng.integers(0, picture.shape[i] - crop[i] + 1)) for i in (0, 1))
    picture = picture[top : top + crop[0], left : left + crop[1]]
    lines = min(crop)  # the short side counts, as for portrait video
    fit = [i for i, height in enumerate(HEIGHTS) if height <= min(lines * 1.02, largest)] or [0]
    chances = np.array([CHANCES[i] for i in fit])
    height = HEIGHTS[fit[int(rng.choice(len(fit), p=chances / chances.sum()))]]
    while True:
        factor = height / lines
        reduced = resize(picture[None], even(crop[0] * factor), even(crop[1] * factor))[0]
        if height <= HEIGHTS[0] or detail(reduced) >= MIN_DETAIL:
            return pan(reduced, rng)
        height = HEIGHTS[HEIGHTS.index(height) - 1]


def film_shot(path: Path, part: int, parts: int, rng: np.random.Generator) -> Shot:
    """A span of a film, at its own size or reduced to 240, 270 or 360 lines."""
    film = open_source(path, "pyav")
    count = frames_of(film.info.height * film.info.width)
    first = int((part + 0.5) / parts * (film.info.num_frames - count))
    frames = np.stack([frame.copy() for _, frame in film.frames(range(first, first + count))])
    height, width = film.info.height, film.info.width
    options = [lines for lines in (240, 270, 360) if lines < height]
    if rng.random() < 0.6 and options:
        factor = float(rng.choice(options)) / height
        frames = resize(frames, even(height * factor), even(width * factor))
    else:
        frames = frames[:, : height // 2 * 2, : width // 2 * 2]
    return Shot(frames, count * 2 // 3)


def night_shot(shot: Shot, rng: np.random.Generator) -> Shot:
    """The same clip with 1.5 to 4 stops less light.

    Sensor noise is added before the values are rounded, as in a camera: dark areas of a frame that
    is darkened after rounding would have steps.
    """
    gain = 2 ** -float(rng.uniform(*NIGHT_STOPS))
    sigma = float(rng.uniform(*NIGHT_NOISE))
    frames = np.empty_like(shot.frames)
    for index, frame in enumerate(shot.frames):
        dark = ((frame / np.float32(255)) ** 2.2 * gain) ** (1 / 2.2) * 255
        noise = rng.standard_normal(frame.shape, np.float32)
        frames[index] = np.clip(np.rint(dark + sigma * noise), 0, 255)
    return Shot(frames, shot.scored)


def barred_shot(shot: Shot, rng: np.random.Generator) -> Shot:
    """The same clip behind black bars at two opposite sides."""
    frames = shot.frames.copy()
    axis = 1 + int(rng.integers(2))
    depth = round(float(rng.uniform(*BAR_DEPTHS)) * frames.shape[axis])
    if axis == 1:
        frames[:, :depth] = frames[:, -depth:] = 0
    else:
        frames[:, :, :depth] = frames[:, :, -depth:] = 0
    return Shot(frames, shot.scored)


def frames_of(pixels: int) -> int:
    """Frames of a clip: fewer for large pictures, to save time."""
    return 9 if pixels <= 600_000 else 6 if pixels <= 2_300_000 else 4


def detail(picture: Picture) -> float:
    """99th percentile of the difference that halving and doubling the size makes, in levels."""
    height, width = picture.shape[:2]
    small = resize(picture[None], even(height / 2), even(width / 2))
    back = resize(small, height, width)[0]
    difference = np.abs(picture[..., 1].astype(np.int16) - back[..., 1])
    return float(np.percentile(difference[::2, ::2], 99))


def pan(picture: Picture, rng: np.random.Generator) -> Shot:
    """Move a camera over a picture, with a pan and a zoom by fractions of pixels.

    The scored frame is the picture itself, not resampled.

    Args:
        picture: (H, W, 3), H and W even.
        rng: samples direction, speed and zoom.
    """
    height, width = picture.shape[:2]
    count = frames_of(height * width)
    scored = count * 2 // 3
    speed = float(rng.choice([0.0005, 0.002, 0.006])) * rng.uniform(
        0.5, 1.5
    )  # of the frame, halved
    angle, zoom = rng.uniform(0, 2 * np.pi), rng.uniform(-0.004, 0.004)
    shake = rng.standard_normal((count, 2)) * float(rng.choice([0, 0.0006]))
    x = torch.tensor(picture).permute(2, 0, 1)[None].float()
    frames = np.empty((count, *picture.shape), np.uint8)
    for i in range(count):
        if i == scored:
            frames[i] = picture
            continue
        time = i - scored
        scale = 1 + zoom * time
        right = speed * time * np.cos(angle) + shake[i, 0]
        down = speed * time * np.sin(angle) + shake[i, 1]
        theta = torch.tensor([[[scale, 0, right], [0, scale, down]]], dtype=torch.float32)
        positions = F.affine_grid(theta, [1, 3, height, width], align_corners=False)
        mode = "bicubic" if height * width <= 600_000 else "bilinear"  # the latter costs a fifth
        seen = F.grid_sample(
            x, positions, mode=mode, padding_mode="reflection", align_corners=False
        )[0]
        frames[i] = seen.round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    return Shot(frames, scored)
