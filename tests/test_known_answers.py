"""Published outputs of the released weights, for those who have them.

Set DOVER_RELEASED_WEIGHTS to a folder with DOVER.pth, DOVER-Mobile.pth, and for the first test
17734.mp4, the demo clip of the reference repository.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dover_plugin import Scorer

FOLDER = Path(os.environ.get("DOVER_RELEASED_WEIGHTS", ""))


def released(name: str) -> Path:
    file = FOLDER / name
    if not os.environ.get("DOVER_RELEASED_WEIGHTS") or not file.is_file():
        pytest.skip(f"needs {name} in $DOVER_RELEASED_WEIGHTS")
    return file


def grey_waves() -> NDArray[np.uint8]:
    """128 frames of 280x360: waves, and a bright box that moves to the right."""
    y, x = np.mgrid[:280, :360].astype(float)
    waves = 110 + 60 * np.sin(y / 9) * np.cos(x / 13) + 40 * np.sin((x + y) / 23)
    frames = np.empty((128, 280, 360, 3), np.uint8)
    for i in range(128):
        picture = waves.copy()
        left = 20 + 2 * i % 280
        picture[60:120, left : left + 60] += 60
        frames[i] = np.clip(picture, 0, 255).astype(np.uint8)[..., None]
    return frames


def test_grey_waves_are_what_they_are_said_to_be() -> None:
    frames = grey_waves()
    assert frames.shape == (128, 280, 360, 3)
    assert frames[0, 0, 0, 0] == 110
    assert int(frames[5, 90, 60, 0]) - int(frames[127, 90, 60, 0]) == 60  # under the box, and not


def test_dover_mobile_on_grey_waves() -> None:
    # reported by an independent port with slightly other sampling, so to about 0.02
    scores = Scorer("dover-mobile", weights=released("DOVER-Mobile.pth")).score(grey_waves())
    assert scores.raw.technical == pytest.approx(0.1005, abs=0.02)
    assert scores.raw.aesthetic == pytest.approx(-0.0820, abs=0.02)
    assert scores.overall == pytest.approx(0.481, abs=0.05)


def test_dover_on_the_demo_clip() -> None:
    # published: about -0.0788 and 0.148; 0.69 fused, 0.670 to 0.691 over random draws
    clip = released("17734.mp4")
    scores = Scorer("dover", weights=released("DOVER.pth"), fusion="reference").score(clip)
    assert scores.raw.technical == pytest.approx(-0.0788, abs=0.02)
    assert scores.raw.aesthetic == pytest.approx(0.148, abs=0.03)
    assert scores.overall == pytest.approx(0.68, abs=0.03)
