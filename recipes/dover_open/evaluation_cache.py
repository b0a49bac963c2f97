"""Scores and views kept on disk, so that an evaluation resumes and a repeated one only scores."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dover_plugin import Scorer
from dover_plugin.io.open import open_source
from dover_plugin.preprocessing.views import Views
from recipes.dover_open import baselines

type Frames = NDArray[np.uint8]  # (T, H, W, 3) RGB
type Row = dict[str, float]
type Score = Callable[[str, Callable[[], Frames]], Row]  # key and frames -> scores

BRANCHES = ("technical", "aesthetic")
SCORES = ("overall", *BRANCHES)


class KeptRows:
    """Rows by key in a JSONL file; each is written as soon as it is known.

    Args:
        path: the file, which may exist.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._rows: dict[str, Row] = {}
        if path.is_file():
            lines = path.read_text().splitlines()
            path.write_text("".join(f"{line}\n" for line in lines))  # ends an interrupted line
            for line in lines:
                try:
                    key, row = json.loads(line)
                except ValueError:
                    continue  # the last line of an interrupted run
                self._rows[key] = row

    def get(self, key: str, make: Callable[[], Row]) -> Row:
        """The row of ``key``, made and written if it is not there."""
        if key not in self._rows:
            self._rows[key] = make()
            with self._path.open("a") as file:
                file.write(json.dumps([key, self._rows[key]]) + "\n")
        return self._rows[key]


class CachedScorer:
    """A scorer that keeps raw scores, and the views of clips that it is asked to keep.

    Rows are kept per weights and per what the code makes of a fixed clip, so that rows of an
    older network or engine are not mixed with new ones.

    Args:
        name: of the model in the tables.
        scorer: scores what is not kept.
        folder: of the cache.
    """

    def __init__(self, name: str, scorer: Scorer, folder: Path) -> None:
        self.name = name
        self._scorer = scorer
        info, views = scorer.read(_fixed_clip())
        made = hashlib.sha256(views[0].technical.tobytes() + views[0].aesthetic.tobytes())
        raw = scorer.score_views(info, views).raw
        weights = scorer.settings.weights_sha256[:8]
        rounded = [value if value is None else round(value, 4) for value in raw]
        state = hashlib.sha256(repr(rounded).encode())
        settings = scorer.settings
        self.title = (
            f"{name}: weights {weights}, engine {settings.engine}, calibration {settings.fusion}"
        )
        self.about = {"name": name, **asdict(settings)}
        name = f"{scorer.settings.model}-{weights}-{state.hexdigest()[:6]}.jsonl"
        self._rows = KeptRows(folder / "scores" / name)
        self._views = folder / f"views-{made.hexdigest()[:8]}"

    def score(self, key: str, frames: Callable[[], Frames], *, keep_views: bool = True) -> Row:
        """Raw and calibrated scores.

        Args:
            key: names the frames; the same key always means the same frames.
            frames: makes (T, H, W, 3) uint8 RGB; called only if nothing is kept.
            keep_views: whether the views are written to the cache, 19 MB.

        Returns:
            "technical_raw", "aesthetic_raw", and "technical", "aesthetic", "overall" in [0, 1];
            without those that the model does not have.
        """
        raw = self._rows.get(key, lambda: self._run(key, frames, keep_views))
        technical, aesthetic, overall = self._scorer.calibration.apply(
            raw.get("technical_raw"), raw.get("aesthetic_raw")
        )
        return raw | _known(technical=technical, aesthetic=aesthetic, overall=overall)

    def _run(self, key: str, frames: Callable[[], Frames], keep_views: bool) -> Row:
        file = self._views / f"{key}.npz"
        if keep_views and file.is_file():
            with np.load(file) as held:
                views = Views(held["technical"], held["aesthetic"])
            [clip, *_] = (*views.technical, *views.aesthetic)
            info = open_source(clip).info
            raw = self._scorer.score_views(info, [views]).raw
        else:
            info, made = self._scorer.read(frames())
            raw = self._scorer.score_views(info, made).raw
            if keep_views:
                file.parent.mkdir(parents=True, exist_ok=True)
                part = file.with_suffix(".part.npz")
                np.savez(part, technical=made[0].technical, aesthetic=made[0].aesthetic)
                part.replace(file)
        return _known(technical_raw=raw.technical, aesthetic_raw=raw.aesthetic)


class CachedBaselines:
    """Baselines that keep what they measured.

    Args:
        folder: of the cache.
    """

    def __init__(self, folder: Path) -> None:
        self.names = list(baselines.available())
        self._rows = {
            name: KeptRows(folder / "baselines" / f"{name.replace(' ', '-')}.jsonl")
            for name in self.names
        }

    def score(
        self, key: str, frames: Callable[[], Frames], count: int = baselines.MEASURED_FRAMES
    ) -> Row:
        """Every baseline by name, higher is better; NaN where it is not defined.

        Args:
            key: see CachedScorer.
            frames: see CachedScorer.
            count: how many of the frames are measured at most.
        """
        once = cache(frames)

        def row(name: str) -> Row:
            return {"value": baselines.measure(once(), name, count)}

        return {
            name: rows.get(key, partial(row, name))["value"] for name, rows in self._rows.items()
        }


def file_key(path: Path) -> str:
    """Names a file by its stem and size, so that another file of that name is not mistaken."""
    return f"{path.stem}-{path.stat().st_size}"


def _known(**values: float | None) -> Row:
    return {name: value for name, value in values.items() if value is not None}


def _fixed_clip() -> Frames:
    """(64, 240, 320, 3): texture that moves between black bars, which become thinner."""
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 256, (240, 400, 3), np.uint8)
    frames = np.stack([texture[:, t : t + 320] for t in range(64)])
    for t, frame in enumerate(frames):
        depth = 30 - t // 8
        frame[:depth] = frame[240 - depth :] = 0
    return frames
