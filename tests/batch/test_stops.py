"""A batch that is interrupted, killed or disturbed loses no row and repeats none."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from batch_helpers import CLIPS, rows, run, videos
from clips import write_clip
from processes import alive_after, readers_of

from dover_plugin import Scorer
from dover_plugin.batch.journal import Journal, stamp_of
from dover_plugin.batch.run import score_batch
from dover_plugin.batch.tables import back_up
from dover_plugin.errors import SettingsError
from dover_plugin.scores import Failure


@pytest.mark.timeout(600)
def test_killed_fifty_times(folder: Path, whole: list[Any], tmp_path: Path) -> None:
    """Kill -9 at random moments, in one process that forks so that each start is quick."""
    file = tmp_path / "scores.jsonl"
    code = (
        "import os, random, signal, sys, time\n"
        "from pathlib import Path\n"
        "from dover_plugin import Scorer\n"
        "from dover_plugin.batch.journal import Journal\n"
        "from dover_plugin.batch.run import score_batch\n"
        "import torch; torch.set_num_threads(1)\n"
        "file, *videos = sys.argv[1:]\n"
        "scorer, rng, killed = Scorer('dover-open', 'cpu'), random.Random(7), 0\n"
        "while killed < 50:\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        with Journal(Path(file), scorer) as journal:\n"
        "            score_batch(scorer, videos, journal)\n"
        "        os._exit(0)\n"
        "    time.sleep(rng.uniform(0, 0.25))\n"
        "    os.kill(child, signal.SIGKILL)\n"
        "    killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])\n"
        "    if not rng.randrange(4):\n"  # both partial and missing journals are resumed
        "        Path(file).unlink(missing_ok=True)\n"
        "print(killed)\n"
    )
    command = [sys.executable, "-c", code, str(file), *videos(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "50\n", done.stderr
    last = [sys.executable, "-m", "dover_plugin", "score", str(folder), "-o", str(file)]
    assert subprocess.run([*last, "--device", "cpu"], check=False).returncode == 1
    assert rows(file) == whole


def test_a_line_that_was_cut_off(
    scorer: Scorer, folder: Path, whole: list[Any], tmp_path: Path
) -> None:
    file = tmp_path / "scores.jsonl"
    with Journal(file, scorer) as journal:
        score_batch(scorer, videos(folder), journal)
    content = file.read_bytes()
    for end in (len(content) - 1, len(content) - 40, content.rindex(b"\n", 0, -1) + 3):
        file.write_bytes(content[:end] + b"\0" * 5)
        with Journal(file, scorer) as journal:
            tally = score_batch(scorer, videos(folder), journal)
        assert tally.scored + tally.failed == 1
        assert rows(file) == whole


def test_only_what_changed_is_done_again(scorer: Scorer, tmp_path: Path) -> None:
    clips = [str(write_clip(tmp_path / f"{i}.mp4", 4, (64, 64))) for i in range(3)]
    file = tmp_path / "scores.jsonl"

    def done() -> tuple[int, int, int]:
        with Journal(file, scorer) as journal:
            tally = score_batch(scorer, clips, journal)
        return tally.resumed, tally.scored, tally.failed

    assert done() == (0, 3, 0)
    assert done() == (3, 0, 0)
    write_clip(tmp_path / "1.mp4", 6, (64, 64))
    assert done() == (2, 1, 0)
    os.utime(tmp_path / "2.mp4", ns=(0, 5))
    assert done() == (2, 1, 0)
    (tmp_path / "0.mp4").unlink()
    assert done() == (2, 0, 1)
    assert done() == (3, 0, 0), "a failure is not tried again"
    with Journal(file, scorer, retry_failed=True) as journal:
        assert score_batch(scorer, clips, journal).failed == 1
    with Journal(file, scorer) as journal:
        assert len(list(journal.rows())) == 3


def test_a_file_that_changes_while_it_is_read_is_done_again(scorer: Scorer, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 4, (64, 64))
    before = stamp_of(str(clip))
    with Journal(tmp_path / "s.jsonl", scorer) as journal:
        journal.add(str(clip), Failure(str(clip), "x", scorer.settings), before)
        assert journal.has(str(clip))
        os.utime(clip, ns=(0, 5))
        assert not journal.has(str(clip))


def test_other_settings_are_refused(scorer: Scorer, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    assert run(folder / "00.mp4", "-o", file).exit_code == 0
    done = run(folder / "00.mp4", "-o", file, "--seed", 3)
    assert "with seed None, not 3" in str(done.exception)
    assert "--restart" in str(done.exception)
    assert run(folder / "00.mp4", "-o", file, "--seed", 3, "--restart").exit_code == 0
    assert (tmp_path / "scores.csv.old1").exists()
    assert (tmp_path / "scores.csv.jsonl.old1").exists()
    (tmp_path / "mine.csv").write_text("a,b\n")
    done = run(folder / "00.mp4", "-o", tmp_path / "mine.csv")
    assert "does not. Choose another file name" in str(done.exception)
    assert (tmp_path / "mine.csv").read_text() == "a,b\n"
    (tmp_path / "mine.jsonl").write_text('{"a": 1}\n')
    done = run(folder / "00.mp4", "-o", tmp_path / "mine.jsonl")
    assert "is not a row of scores" in str(done.exception)


def test_two_at_once_are_refused(scorer: Scorer, tmp_path: Path) -> None:
    file = tmp_path / "scores.jsonl"
    with Journal(file, scorer):
        with pytest.raises(SettingsError, match="Another process"):
            Journal(file, scorer)
        with pytest.raises(SettingsError, match="Another process"):
            back_up(file)
        assert file.exists()
    file.write_text("no score\n")
    for _ in range(2):  # the first leaves no lock
        with pytest.raises(SettingsError, match="is not a row of scores"):
            Journal(file, scorer)


def test_a_journal_that_is_moved_away_is_an_error(scorer: Scorer, tmp_path: Path) -> None:
    file = tmp_path / "scores.jsonl"
    failure = Failure("a.mp4", "x", scorer.settings)
    with Journal(file, scorer) as journal:
        journal.add("a.mp4", failure, (1, 1))
        file.rename(tmp_path / "other.jsonl")
        with pytest.raises(SettingsError, match="was removed or renamed"):
            journal.add("b.mp4", failure, (1, 1))
        assert journal.row("a.mp4")["error"] == "x"


def test_a_reader_that_dies_while_it_waits_is_restarted(folder: Path, tmp_path: Path) -> None:
    """In the command, where a broken pipe must not end the run silently."""
    file = tmp_path / "scores.jsonl"
    clips = [str(folder / f"{i:02}.mp4") for i in range(CLIPS)]
    command = [sys.executable, "-m", "dover_plugin", "score", *clips, "-o", str(file)]
    process = subprocess.Popen(
        [*command, "--device", "cpu", "--repeats", "4"], stderr=subprocess.PIPE, text=True
    )
    for number in (1, CLIPS - 2):  # rows that are there, more than the first reader read ahead
        while process.poll() is None and not (file.exists() and len(rows(file)) >= number):
            time.sleep(0.02)
        for child in readers_of(psutil.Process(process.pid)):
            child.kill()
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert [row["path"] for row in rows(file)] == clips


def test_the_end_of_a_pipe_is_quiet(folder: Path) -> None:
    command = [sys.executable, "-m", "dover_plugin", "score", str(folder), "-f", "csv"]
    process = subprocess.Popen(
        [*command, "--device", "cpu"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdout.readline().startswith(b"path,")
    process.stdout.close()
    assert process.stderr
    assert b"Traceback" not in process.stderr.read()
    assert process.wait() != 0


def test_a_full_disk_leaves_whole_lines(scorer: Scorer, folder: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk."""
    file = tmp_path / "scores.jsonl"
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from dover_plugin import Scorer\n"
        "from dover_plugin.batch.journal import Journal\n"
        "from dover_plugin.batch.run import score_batch\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "scorer = Scorer('dover-open', 'cpu')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))\n"
        "with Journal(Path(sys.argv[1]), scorer) as journal:\n"
        "    score_batch(scorer, sys.argv[2:], journal)\n"
    )
    command = [sys.executable, "-c", code, str(file), *videos(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Free disk space, then run the same command again" in done.stderr
    found = rows(file)
    assert 0 < len(found) < CLIPS
    assert file.read_bytes().endswith(b"\n")


@pytest.fixture
def running(folder: Path, tmp_path: Path) -> Iterator[Any]:
    """The command on copies enough to be interrupted."""
    copies = []
    for i in range(300):
        copies.append(tmp_path / f"copy{i:03}.mp4")
        copies[-1].symlink_to(folder / f"{i % CLIPS:02}.mp4")
    file = tmp_path / "scores.jsonl"
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(map(str, copies)))
    command = [sys.executable, "-m", "dover_plugin", "score", "--from", str(listed)]
    command += ["-o", str(file), "--device", "cpu"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not file.exists() or file.read_bytes().count(b"\n") < 3:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    yield process, file
    process.kill()


def test_ctrl_c_once_finishes_videos_in_progress(running: Any) -> None:
    process, file = running
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert re.search(r"dover: interrupted; \d+ videos? not scored", errors)
    assert "Run the same command again to resume" in errors
    assert "Traceback" not in errors
    assert 3 <= len(rows(file)) < 300


def test_ctrl_c_twice_stops(running: Any) -> None:
    process, file = running
    process.send_signal(signal.SIGINT)
    time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert len(rows(file)) >= 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_command_and_its_readers(running: Any, number: int) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("the tests run under nohup, and so do their commands")
    process, file = running
    children = readers_of(psutil.Process(process.pid))
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert f"dover: terminated by {signal.Signals(number).name}." in errors
    assert "Run the same command again to resume" in errors
    assert "Traceback" not in errors
    assert len(rows(file)) >= 3
    assert alive_after(children, 10) == []


def test_a_kill_ends_the_readers(running: Any) -> None:
    process, _ = running
    children = readers_of(psutil.Process(process.pid))
    process.kill()
    process.wait()
    assert alive_after(children, 30) == []
