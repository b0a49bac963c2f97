"""Films and photographs that may be used freely, and how they are filmed.

Nothing of them is in the package: they lie in a folder that the user fills (see
docs/model-card-dover-open.md), and are checked against their hash.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from dover_plugin.download import sha256_of
from dover_plugin.errors import SettingsError
from dover_plugin.training.synthetic.scenes import photograph
from dover_plugin.video import open_source
from dover_plugin.views import Picture

PHOTOGRAPHS = (".jpg", ".png")
LARGE = ((360, 640), (540, 960), (480, 854), (720, 1280), (640, 360))
MEDIUM = ((360, 640), (270, 480), (480, 360))
SMALL = ((240, 320),)
SHRUNK = ((360, 640), (270, 480))  # films lose the traces of their own compression
SHRUNK_MORE = ((270, 480), (288, 512))


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
        parts: spans of a film, or films of a photograph, that are made.
    """

    file: str
    sha256: str
    split: str
    sizes: tuple[tuple[int, int], ...]
    author: str
    licence: str
    origin: str
    parts: int = 3


_LOMIRI = "Debian package lomiri-wallpapers-16.04"
_SKIMAGE = "skimage.data of scikit-image"
_SKLEARN = "sklearn.datasets of scikit-learn"
_XPLANET = "Debian package xplanet-images"
_INTEL = "github.com/intel-iot-devkit/sample-videos"

SOURCES = (
    Source(
        "big_buck_bunny_480p.mp4",
        "521a78e22a4065814066d8a60d53b99472a80d6a8fb0908370df0410298b4b12",
        "train",
        SHRUNK,
        "Blender Foundation",
        "CC BY 3.0",
        "peach.blender.org, the first 30 s",
        parts=20,
    ),
    Source(
        "car-detection.mp4",
        "d31e0ebf194cc16e50eea784e7c3b0b1bb7976a4fb9b3fec26cb92a6704cca34",
        "train",
        SHRUNK_MORE,
        "Intel Corporation",
        "CC BY 4.0",
        _INTEL,
        parts=4,
    ),
    Source(
        "one-by-one-person-detection.mp4",
        "a5964aa259099a482a8b360ffc2c57b5a30f84d5919236a4dad01f8e929ac07c",
        "test",
        SHRUNK_MORE,
        "Intel Corporation",
        "CC BY 4.0",
        _INTEL,
        parts=3,
    ),
    Source(
        "Picture_0B_by_freespace.jpg",
        "c8c0ab18e48d9e0419fe42881112137f3afafc27dfddc29ec3a6d54c56d225ad",
        "train",
        LARGE,
        "Trevor 'Freespace'",
        "CC BY 4.0",
        _LOMIRI,
        parts=12,
    ),
    Source(
        "Picture_1A_by_freespace.jpg",
        "89e86af38d04daaef975665dc2127e9fa76f0fd68f4eea105a2d0ae3390b010b",
        "train",
        MEDIUM,
        "Trevor 'Freespace'",
        "CC BY 4.0",
        _LOMIRI,
        parts=4,
    ),
    Source(
        "Wine_by_Jakkub_Mede.jpg",
        "d2e96e6d4da40dd804b3d0ce295e94de04a2d7d9b6785d42cd9d92ba58bced74",
        "val",
        LARGE,
        "Jakub Mede",
        "CC BY 4.0",
        _LOMIRI,
    ),
    Source(
        "aitzgorri_by_Aitzol_Berasategi.jpg",
        "66268e7b48f8854d36a28765fac6e23ec1aee251daa6da1f64715f201020ad36",
        "train",
        LARGE,
        "Aitzol Berasategi",
        "CC BY 4.0",
        _LOMIRI,
        parts=12,
    ),
    Source(
        "friends_by_Aitzol_Berasategi.jpg",
        "cc40e313c74e421edffe3403def413c16878ce14661cce7ec5915baeab35538d",
        "test",
        LARGE,
        "Aitzol Berasategi",
        "CC BY 4.0",
        _LOMIRI,
    ),
    Source(
        "life_by_Aitzol_Berasategi.jpg",
        "4c119350ead80201fe256850c3d316309ddfb4bdf10b235ce982dcde0c667c05",
        "train",
        LARGE,
        "Aitzol Berasategi",
        "CC BY 4.0",
        _LOMIRI,
        parts=12,
    ),
    Source(
        "picosdeeuropa_by_Aitzol_Berasategi.jpg",
        "414d0072b2f6f2c555deafeaef6e45c4fed6fa9ad26eba6560ca8803959cf97a",
        "test",
        LARGE,
        "Aitzol Berasategi",
        "CC BY 4.0",
        _LOMIRI,
    ),
    Source(
        "seeding_by_Clements_Engelhardt.jpg",
        "a5634d1ab5e41a3568e92d4a894a500c92b891f9ff734e50bd224d6e185a605f",
        "train",
        LARGE,
        "Clemens Engelhardt",
        "CC0 1.0",
        _LOMIRI,
        parts=12,
    ),
    Source(
        "sunset_by_Aitzol_Berasategi.jpg",
        "474dab6a4b9f94dc76c29dfe30e9f5db4af0fd2e33fe5d695f8152b371efca18",
        "train",
        LARGE,
        "Aitzol Berasategi",
        "CC BY 4.0",
        _LOMIRI,
        parts=12,
    ),
    Source(
        "earth.jpg",
        "d4dc80a6ef571939d0abe04a9bed3d3d1e6cd63e59514be1c5e43a6b069e6f1e",
        "train",
        MEDIUM,
        "NASA",
        "public domain",
        _XPLANET,
        parts=4,
    ),
    Source(
        "hubble_deep_field.jpg",
        "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4",
        "train",
        MEDIUM[:2],
        "NASA, ESA",
        "public domain",
        _SKIMAGE,
        parts=4,
    ),
    Source(
        "astronaut.png",
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
        "train",
        SMALL,
        "NASA",
        "public domain",
        _SKIMAGE,
        parts=4,
    ),
    Source(
        "rocket.jpg",
        "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
        "val",
        SMALL,
        "SpaceX",
        "CC0 1.0",
        _SKIMAGE,
    ),
    Source(
        "coffee.png",
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
        "test",
        SMALL,
        "Rachel Michetti",
        "CC0 1.0",
        _SKIMAGE,
    ),
    Source(
        "china.jpg",
        "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
        "test",
        SMALL,
        "danielbuechele",
        "CC BY 2.0",
        _SKLEARN,
    ),
    Source(
        "flower.jpg",
        "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
        "train",
        SMALL,
        "vultilion",
        "CC BY 2.0",
        _SKLEARN,
        parts=4,
    ),
    Source(
        "grace_hopper.jpg",
        "a8ca6d734765703b09728ab47fe59f473d93ae3967fc24c7c0288c3c7adb7130",
        "train",
        SMALL,
        "United States Navy",
        "public domain",
        "sample data of matplotlib",
        parts=4,
    ),
    Source(
        "Bridge_by_Sander_Klootwijk.jpg",
        "bd86b081f9975e2b83527f71e49b9271a8ab40885428395969d9f7d834d7f050",
        "train",
        LARGE,
        "Sander Klootwijk",
        "CC BY-SA 4.0",
        _LOMIRI,
        parts=12,
    ),
    Source(
        "Dragonfly_by_Bolly.jpg",
        "af5af17841009732def24b09bb1e669a1b09d2b4bdeee7812c371101c30d2bb3",
        "train",
        LARGE,
        "Bolly",
        "CC BY-SA 4.0",
        _LOMIRI,
        parts=12,
    ),
    Source(
        "free_by_Peter_Nerlich.jpg",
        "85a5453c2fed514c75973016f3d862aca62eb7ca087618822469274ac1092373",
        "train",
        LARGE,
        "Peter Nerlich",
        "CC BY-SA 4.0",
        _LOMIRI,
        parts=12,
    ),
    Source(
        "greentock_by_Peter_Nerlich.jpg",
        "e7b20e2db9dcd6e2b278ca55873c2110b35d89cd38b04d0b18728726888e6889",
        "train",
        LARGE,
        "Peter Nerlich",
        "CC BY-SA 4.0",
        _LOMIRI,
        parts=12,
    ),
    Source(
        "Kleiber_by_Lukas_Baubkus.jpg",
        "6572410c09f4492c74ccadde133565a14c0161617d5917d4c820c66d65a44ba7",
        "train",
        LARGE,
        "Lukas Baubkus",
        "CC BY-SA 3.0",
        "Debian package lomiri-wallpapers-20.04",
        parts=12,
    ),
    Source(
        "chelsea.png",
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
        "train",
        SMALL,
        "Stefan van der Walt",
        "CC0 1.0",
        _SKIMAGE,
        parts=4,
    ),
    Source(
        "ihc.png",
        "f8dd1aa387ddd1f49d8ad13b50921b237df8e9b262606d258770687b0ef93cef",
        "train",
        SMALL,
        "Center for Microscopy and Molecular Imaging",
        "no known restrictions",
        _SKIMAGE,
        parts=4,
    ),
    Source(
        "camera.png",
        "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
        "train",
        SMALL,
        "Lav Varshney",
        "CC0 1.0",
        _SKIMAGE,
        parts=4,
    ),
    Source(
        "brick.png",
        "7966caf324f6ba843118d98f7a07746d22f6a343430add0233eca5f6eaaa8fcf",
        "train",
        SMALL,
        "CC0Textures",
        "CC0 1.0",
        _SKIMAGE,
        parts=4,
    ),
    Source(
        "grass.png",
        "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89",
        "train",
        SMALL,
        "Linolafett",
        "CC0 1.0",
        _SKIMAGE,
        parts=4,
    ),
    Source(
        "gravel.png",
        "c48615b451bf1e606fbd72c0aa9f8cc0f068ab7111ef7d93bb9b0f2586440c12",
        "train",
        SMALL,
        "CC0Textures",
        "CC0 1.0",
        _SKIMAGE,
        parts=4,
    ),
    Source(
        "moon.png",
        "78739619d11f7eb9c165bb5d2efd4772cee557812ec847532dbb1d92ef71f577",
        "train",
        SMALL,
        "NASA",
        "public domain",
        _SKIMAGE,
        parts=4,
    ),
)


def check(folder: Path) -> None:
    """Raise SettingsError, naming every file that is missing or another."""
    wrong = [
        f"{source.file} ({source.origin})"
        for source in SOURCES
        if not (folder / source.file).is_file() or sha256_of(folder / source.file) != source.sha256
    ]
    if wrong:
        raise SettingsError(
            f"'{folder}' lacks {len(wrong)} of {len(SOURCES)} sources, or holds other files of "
            f"their names: {', '.join(wrong)}. docs/model-card-dover-open.md says where they are."
        )


def read(
    source: Source, folder: Path, part: int, num_frames: int, size: tuple[int, int], seed: int
) -> tuple[Picture, int]:
    """Film one part of a source.

    Returns:
        (num_frames, H, W, 3) uint8, and frames per second.
    """
    if Path(source.file).suffix not in PHOTOGRAPHS:
        return _span(folder / source.file, part / source.parts, num_frames, size)
    from PIL import Image

    with Image.open(folder / source.file) as image:
        return photograph(np.asarray(image.convert("RGB")), num_frames, size, seed), 25


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
