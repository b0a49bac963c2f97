"""Readers in processes of their own: what crashes, hangs or eats memory ends alone."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import wait
from pathlib import Path

import numpy as np
import psutil
import pytest
from clips import write_clip
from processes import readers_of

from dover_plugin import Scorer
from dover_plugin.errors import SettingsError, VideoError
from dover_plugin.readers.pools import readers
from dover_plugin.readers.process_pool import ProcessPool
from dover_plugin.readers.reading import GIGABYTE, Limits, ReadOptions, VideoViews, read

HOW = ReadOptions("pyav", None, 1)
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="limits are of POSIX")


def misbehave(path: str, how: ReadOptions) -> VideoViews:
    """A decoder that does what a file's name says."""
    name = Path(path).stem
    if name == "aborts":
        os.abort()
    if name == "sleeps":
        time.sleep(600)
    if name == "eats":
        return [np.ones(GIGABYTE // 8) for _ in range(64)]
    if name == "raises":
        raise ZeroDivisionError("by a broken header")
    if name == "once":  # dies the first time alone
        marker = Path(path).with_suffix(".died")
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return read(str(Path(path).with_name("good.mp4")), how)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_clip(tmp_path / "good.mp4", 40)
    return tmp_path


def children() -> list[psutil.Process]:
    """Those that read; other tests leave a database and more in this process."""
    return readers_of(psutil.Process())


@pytest.mark.timeout(240)
def test_a_poison_file_takes_down_only_its_process(folder: Path) -> None:
    names = ["good", "aborts", "sleeps", "eats", "raises", "once", "other"]
    limits = Limits(seconds=20, memory=GIGABYTE)
    with ProcessPool(HOW, 2, limits, misbehave) as pool:
        futures = {name: pool.submit(folder / f"{name}.mp4") for name in names}
        wait(futures.values())
    for name, says in (
        ("aborts", "died twice"),
        ("sleeps", "took more than 20 s"),
        ("eats", "took more than 1.0 GiB of memory"),
        ("raises", "ZeroDivisionError: by a broken header"),
    ):
        with pytest.raises(VideoError, match=rf"{name}\.mp4.*{says}"):
            futures[name].result()
    here = read(str(folder / "good.mp4"), HOW)
    for name in ("good", "once", "other"):
        info, views = futures[name].result()
        assert info == here.info
        assert (views[0].technical == here.views[0].technical).all()
        assert (views[0].aesthetic == here.views[0].aesthetic).all()
    assert not children()


def test_a_process_that_is_killed_while_it_sends(folder: Path) -> None:
    """Sixteen draws are 300 MB; the process is killed with a part of them in the pipe."""
    with ProcessPool(ReadOptions("pyav", 0, 16), 1, Limits(seconds=120)) as pool:
        pool.submit(folder / "good.mp4").result()
        future = pool.submit(folder / "good.mp4")
        (child,) = children()
        threading.Timer(0.8, child.kill).start()
        _, views = future.result()
    assert len(views) == 16


def test_leaving_ends_what_hangs(folder: Path) -> None:
    began = time.monotonic()
    with ProcessPool(HOW, 1, Limits(seconds=600), misbehave) as pool:
        pool.submit(folder / "sleeps.mp4")
        time.sleep(0.5)
    assert time.monotonic() - began < 60
    assert not children()


def test_only_files(mobile: Scorer) -> None:
    with ProcessPool(HOW, 1, Limits()) as pool, pytest.raises(SettingsError, match="Only files"):
        pool.submit(np.zeros((4, 64, 64, 3), np.uint8))
    with pytest.raises(SettingsError, match="0 workers"), readers(HOW, 0, None):
        pass
    with pytest.raises(SettingsError, match="Limits must be above 0"):
        Limits(seconds=0)


def test_scores_are_those_of_threads(mobile: Scorer, folder: Path) -> None:
    files = [folder / "good.mp4"] * 3
    threads = list(mobile.score_many(files))
    isolated = list(mobile.score_many(files, workers=2, limits=Limits()))
    assert [each.raw for each in threads] == [each.raw for each in isolated]
    as_read = dict(mobile.score_as_read([str(folder / "good.mp4")], limits=Limits()))
    assert as_read[str(folder / "good.mp4")].raw == threads[0].raw


def test_a_process_that_reads_loads_what_reading_needs() -> None:
    """torch alone would take each of them seconds to load."""
    program = (
        "import sys, dover_plugin.io.decoders, dover_plugin.readers.process_pool; "
        "print({'torch', 'pandas', 'scipy', 'openvino'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
