"""Interlaced video: one warning, and bwdif on request."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import scene, write_clip

from dover_plugin import SettingsError
from dover_plugin.io.open import open_source
from dover_plugin.io.source import INTERLACED

NUM_FRAMES = 12


def woven() -> Iterator[np.ndarray[Any, np.dtype[np.uint8]]]:
    """Frames whose even rows are of one moment and odd rows of the next."""
    fields = list(scene(2 * NUM_FRAMES, 96, 128))
    for top, bottom in zip(fields[::2], fields[1::2], strict=True):
        frame = top.copy()
        frame[1::2] = bottom[1::2]
        yield frame


@pytest.fixture(scope="module")
def interlaced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("woven") / "woven.mp4"
    options = {"x264-params": "tff=1", "crf": "4"}
    return write_clip(path, NUM_FRAMES, (96, 128), frames=woven(), options=options)


def comb(frame: Any) -> float:
    """How much rows differ from the mean of their neighbours."""
    rows = frame.astype(float).mean(axis=2)
    return float(np.abs(rows[1:-1] - (rows[:-2] + rows[2:]) / 2).mean())


def test_a_warning_once_frames_are_read(interlaced: Path, tmp_path: Path) -> None:
    source = open_source(interlaced)
    list(source.frames([0, 5]))
    assert INTERLACED in source.info.warnings
    progressive = open_source(write_clip(tmp_path / "a.mp4", 4, (64, 64)))
    list(progressive.frames([0, 3]))
    assert INTERLACED not in progressive.info.warnings


def test_deinterlacing(interlaced: Path) -> None:
    source = open_source(interlaced, deinterlace=True)
    raw = {i: f.copy() for i, f in open_source(interlaced).frames(range(NUM_FRAMES))}
    every = {i: f.copy() for i, f in source.frames(range(NUM_FRAMES))}
    assert list(every) == list(range(NUM_FRAMES))
    assert "interlaced frames are deinterlaced (bwdif)" in source.info.warnings
    for index in range(1, NUM_FRAMES - 1):
        assert comb(every[index]) < 0.9 * comb(raw[index])
    for chosen in ([0], [3, 4, 9], [NUM_FRAMES - 1]):
        few = open_source(interlaced, deinterlace=True).frames(chosen)
        for index, frame in few:
            np.testing.assert_array_equal(frame, every[index])


def test_progressive_frames_stay_as_they_are(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 6, (64, 96))
    pairs = zip(
        open_source(path).frames(range(6)),
        open_source(path, deinterlace=True).frames(range(6)),
        strict=True,
    )
    for (_, one), (_, other) in pairs:
        assert (one == other).all()


def test_decord_cannot(interlaced: Path) -> None:
    with pytest.raises(SettingsError, match="need the decoder 'pyav'"):
        open_source(interlaced, "decord", deinterlace=True)
