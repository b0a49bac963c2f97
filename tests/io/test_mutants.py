"""Damaged files of every container: each gives scores or one error, and none ends the batch."""

from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import write_clip
from typer.testing import CliRunner

from dover_plugin import Scorer
from dover_plugin.analysis.quality_map import middle_frame
from dover_plugin.analysis.segments import by_seconds, common_segments
from dover_plugin.batch.journal import Journal
from dover_plugin.batch.run import score_batch
from dover_plugin.cli import app
from dover_plugin.cli.model_options import NetworkOptions
from dover_plugin.errors import SettingsError, VideoError
from dover_plugin.io.source import VideoInfo
from dover_plugin.preprocessing.views import Views
from dover_plugin.readers.process_pool import ProcessPool
from dover_plugin.readers.reading import GIGABYTE, Limits, ReadOptions, VideoViews
from dover_plugin.scores import Maps

SEEDS: dict[str, dict[str, Any]] = {
    "mp4": {},
    "mov": {"container_options": {"movflags": "+faststart"}},
    "f4v": {"container_options": {"movflags": "+frag_keyframe+empty_moov"}},
    "mkv": {"codec": "libx265", "options": {"x265-params": "log-level=none"}},
    "webm": {"codec": "libvpx-vp9"},
    "ogv": {"codec": "libvpx"},
    "avi": {"codec": "mpeg4"},
    "ts": {},
    "mpg": {"codec": "mpeg2video"},
    "flv": {},
    "wmv": {"codec": "wmv2"},
    "mxf": {"codec": "mpeg2video"},
    "nut": {"codec": "ffv1"},
    "gif": {"codec": "gif", "pix_fmt": "rgb8"},
    "h264": {},
    "ivf": {"codec": "libvpx-vp9"},
}
OF_EACH = 63  # about 1,000 in all
OF_EACH_SCORED = 8
OF_EACH_COMMAND = 1
# Tables, sizes and rates: boxes of ISO 14496-12, chunks of AVI, elements of Matroska.
BOXES = b"stts stsz stco stss ctts stsc elst mdhd tkhd trun tfhd avih strh idx1 indx".split()
ELEMENTS = (b"\x2a\xd7\xb1", b"\x44\x89", b"\x16\x54\xae\x6b", b"\x15\x49\xa9\x66", b"onMetaData")
TABLES = (*BOXES, *ELEMENTS)
ABSURD = (b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00")


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """Flip, cut, repeat, blank or swap a part, or write absurd sizes, tables and rates."""
    data = np.frombuffer(content, np.uint8).copy()
    start = int(rng.integers(len(data)))
    length = int(rng.integers(1, max(2, len(data) // int(rng.choice([4, 40, 400])))))
    part = slice(start, start + length)
    match int(rng.integers(9)):
        case 0:
            places = rng.integers(0, len(data), int(rng.choice([1, 10, 200])))
            data[places] = rng.integers(0, 256, len(places))
        case 1:
            data = data[:start]
        case 2:
            data = np.delete(data, part)
        case 3:
            data[part] = 0
        case 4:
            data = np.insert(data, start, data[part])
        case 5:  # sizes and counts are at the start of a container
            data[rng.integers(0, min(len(data), 600), 8)] = rng.integers(0, 256, 8)
        case 6:
            places = tables_in(content)
            if places:
                at = int(rng.choice(places))
                end = min(len(data), at + int(rng.choice([4, 16, 48])))
                data[at:end] = rng.integers(0, 256, end - at)
        case 7:
            places = tables_in(content) or [start]
            at = int(rng.choice(places)) + 4 * int(rng.integers(0, 6))
            absurd = np.frombuffer(ABSURD[int(rng.integers(len(ABSURD)))], np.uint8)
            data[at : at + 4] = absurd[: len(data[at : at + 4])]
        case 8:  # boxes change places, or one takes the name of the other
            places = tables_in(content)
            if len(places) > 1:
                one, other = rng.choice(places, 2, replace=False)
                size = min(40, len(data) - int(max(one, other)))
                data[[*range(one, one + size), *range(other, other + size)]] = data[
                    [*range(other, other + size), *range(one, one + size)]
                ]
    return data.tobytes()


def tables_in(content: bytes) -> list[int]:
    """Where the bytes after the names of tables lie."""
    found = []
    for name in TABLES:
        at = content.find(name)
        if at >= 0:
            found.append(at + len(name))
    return found


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("seeds")
    return {
        kind: write_clip(folder / f"seed.{kind}", 12, (64, 96), **made).read_bytes()
        for kind, made in SEEDS.items()
    }


def mutants(seeds: dict[str, bytes], folder: Path, of_each: int, seed: int) -> Iterator[Path]:
    rng = np.random.default_rng(seed)
    for kind, content in seeds.items():
        for number in range(of_each):
            path = folder / f"{number:03}.{kind}"
            path.write_bytes(mutate(content, rng))
            yield path


class Unseeing:
    """Stands in for the networks, which these tests are not about: one number per view."""

    device, name, precision, parallel = "cpu", "torch", "float32", 1

    def run(self, views: Views) -> Maps:
        seen = views.technical.mean(), views.aesthetic.mean()
        return Maps(*(np.full((1, 16, 7, 7), mean / 1e4, np.float32) for mean in seen))


def every_way(path: str, options: ReadOptions) -> VideoViews:
    """Read a file as score, timeline, compare and map do, without building views."""
    source = options.open(path)
    info = source.info
    try:
        by_seconds(info, 0.2)
        common_segments(info, VideoInfo("b.mp4", 12, 64, 96, 25, "pyav"), 0.2)
    except SettingsError as error:
        assert "too short" in str(error) or "frame" in str(error)
    middle_frame(source)
    for _ in source.frames(range(min(info.num_frames, 40))):
        pass
    return VideoViews(source.info, [])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("allow_damaged", [False, True])
def test_reading(allow_damaged: bool, seeds: dict[str, bytes], tmp_path: Path) -> None:
    options = ReadOptions(allow_damaged=allow_damaged)
    limits = Limits(seconds=60, memory=2 * GIGABYTE)
    of_each = OF_EACH_SCORED if allow_damaged else OF_EACH
    files = list(mutants(seeds, tmp_path, of_each, 0))
    with ProcessPool(options, 2, limits, every_way) as pool:
        futures = {file: pool.submit(file) for file in files}
        wait(futures.values())
    errors = {file: future.exception() for file, future in futures.items()}
    for file, error in errors.items():
        if error is not None:
            assert isinstance(error, VideoError), (file, error)
            text = str(error)
            assert file.name in text
            assert "\n" not in text
            for words in ("took more than", "died", "Error:", "NoneType"):
                assert words not in text, text
    failed = sum(error is not None for error in errors.values())
    assert len(files) // 10 < failed < len(files)


@pytest.mark.timeout(600)
def test_a_batch(seeds: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = list(mutants(seeds, tmp_path, OF_EACH_SCORED, 1))
    scorer = Scorer("dover-open", "cpu")
    monkeypatch.setattr(Scorer, "engine", Unseeing())
    limits = Limits(seconds=60, memory=2 * GIGABYTE)
    with Journal(tmp_path / "scores.jsonl", scorer) as journal:
        tally = score_batch(
            scorer, [str(file) for file in files], journal, workers=2, limits=limits
        )
        rows = {row["path"]: row for row in journal.rows()}
    assert rows.keys() == {str(file) for file in files}
    assert tally.scored + tally.failed == len(files)
    assert min(tally.scored, tally.failed) > len(files) // 10
    for row in rows.values():
        if row["error"] is None:
            assert 0 < row["overall"] < 1
        else:
            assert row["overall"] is None
            assert len(row["error"]) > 10


@pytest.mark.timeout(600)
@pytest.mark.parametrize("command", ["timeline", "compare", "map"])
def test_commands(
    command: str, seeds: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = Scorer("dover-open", "cpu")
    monkeypatch.setattr(Scorer, "engine", Unseeing())
    monkeypatch.setattr(NetworkOptions, "load_scorer", lambda *_: scorer)
    good = write_clip(tmp_path / "good.mp4", 24, (64, 96))
    files = list(mutants(seeds, tmp_path, OF_EACH_COMMAND, 2))
    if command == "compare":
        done = CliRunner().invoke(app, ["compare", *map(str, [good, *files, good]), "-f", "json"])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        assert done.exit_code == 1
        assert '"good.mp4' in done.stdout or f'"{good}"' in done.stdout  # kept beside failures
        return
    for file in files:
        made = tmp_path / f"{file.name}.png"
        extra = ["-o", str(made)] if command == "map" else ["--segments", "0.2s", "-f", "json"]
        done = CliRunner().invoke(app, [command, str(file), *extra])
        kinds = (SystemExit, VideoError, SettingsError)
        assert done.exception is None or isinstance(done.exception, kinds), done.exception
