"""Reader processes confine a decoder that crashes, hangs or exhausts memory."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import wait
from pathlib import Path

import numpy as np
import psutil
import pytest
from clips import write_clip
from processes import alive_after, readers_of

from dover_plugin import Scorer
from dover_plugin.errors import SettingsError, VideoError
from dover_plugin.readers.pools import readers
from dover_plugin.readers.process_pool import ProcessPool
from dover_plugin.readers.reading import GIGABYTE, Limits, ReadOptions, VideoViews, read

OPTIONS = ReadOptions(decoder="pyav")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="limits are of POSIX")


def misbehave(path: str, options: ReadOptions) -> VideoViews:
    """A decoder that does what the name of a file says."""
    name = Path(path).stem
    if name == "aborts":
        os.abort()
    if name == "sleeps":
        time.sleep(600)
    if name == "copies":  # a video that is not a file, which is read from a copy
        Path(tempfile.mkstemp(prefix="dover-")[1]).write_bytes(b"a part of it")
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
    return read(str(Path(path).with_name("good.mp4")), options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_clip(tmp_path / "good.mp4", 40)
    return tmp_path


def children() -> list[psutil.Process]:
    """The reader processes; other tests leave a database and more in this process."""
    return readers_of(psutil.Process())


def test_a_killed_process_leaves_no_copy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = folder / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with ProcessPool(OPTIONS, 1, Limits(seconds=5), misbehave) as pool:
        stopped = pool.submit(str(folder / "copies.mp4"))
        with pytest.raises(VideoError, match="was stopped"):
            stopped.result(timeout=120)
        assert not list(temporary.iterdir())
        assert pool.submit(str(folder / "good.mp4")).result(timeout=120).info.num_frames == 40
        assert len(list(temporary.iterdir())) == 1  # the folder of the process that runs
    assert not list(temporary.iterdir())


@pytest.mark.timeout(240)
def test_a_poison_file_takes_down_only_its_process(folder: Path) -> None:
    names = ["good", "aborts", "sleeps", "eats", "raises", "once", "other"]
    limits = Limits(seconds=20, memory=GIGABYTE)
    with ProcessPool(OPTIONS, 2, limits, misbehave) as pool:
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
    here = read(str(folder / "good.mp4"), OPTIONS)
    for name in ("good", "once", "other"):
        info, views = futures[name].result()
        assert info == here.info
        assert (views[0].technical == here.views[0].technical).all()
        assert (views[0].aesthetic == here.views[0].aesthetic).all()
    assert not children()


def test_a_process_that_is_killed_while_it_sends(folder: Path) -> None:
    """Sixteen samples are 300 MB; the process is killed with a part of them in the pipe."""
    with ProcessPool(
        ReadOptions(decoder="pyav", seed=0, repeats=16), 1, Limits(seconds=120)
    ) as pool:
        pool.submit(folder / "good.mp4").result()
        future = pool.submit(folder / "good.mp4")
        (child,) = children()
        threading.Timer(0.8, child.kill).start()
        _, views = future.result()
    assert len(views) == 16


def test_leaving_ends_what_hangs(folder: Path) -> None:
    began = time.monotonic()
    with ProcessPool(OPTIONS, 1, Limits(seconds=600), misbehave) as pool:
        pool.submit(folder / "sleeps.mp4")
        time.sleep(0.5)
    assert time.monotonic() - began < 60
    assert not children()


def test_only_files(mobile: Scorer) -> None:
    with (
        ProcessPool(OPTIONS, 1, Limits()) as pool,
        pytest.raises(SettingsError, match="read files only"),
    ):
        pool.submit(np.zeros((4, 64, 64, 3), np.uint8))
    with pytest.raises(SettingsError, match="at least 1, got 0"), readers(OPTIONS, 0, None):
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


def test_reader_processes_load_no_torch() -> None:
    """torch alone would take each process seconds to load."""
    program = (
        "import sys, dover_plugin.io.decoders, dover_plugin.readers.process_pool; "
        "print({'torch', 'pandas', 'scipy', 'openvino'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


SLEEPER = """
import sys, time
from pathlib import Path
from dover_plugin.readers.process_pool import ProcessPool
from dover_plugin.readers.reading import Limits, ReadOptions

def sleep(path, options):
    Path(path).touch()
    time.sleep(600)

if __name__ == "__main__":
    with ProcessPool(ReadOptions(decoder="pyav"), 1, Limits(), sleep) as pool:
        pool.submit(sys.argv[1]).result()
"""


def test_readers_end_with_their_parent(tmp_path: Path) -> None:
    """After kill -9 in the middle of a file, too."""
    script, marker = tmp_path / "sleeper.py", tmp_path / "reading"
    script.write_text(SLEEPER)
    parent = subprocess.Popen([sys.executable, str(script), str(marker)])
    try:
        while not marker.exists():
            assert parent.poll() is None
            time.sleep(0.05)
        found = readers_of(psutil.Process(parent.pid))
        assert len(found) == 1
    finally:
        parent.kill()
        parent.wait()
    assert alive_after(found, 30) == []
