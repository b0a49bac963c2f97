"""Waiting for a lock is announced and ends."""

import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from dover_plugin.weights import lock
from dover_plugin.weights.lock import locked


def test_a_wait_is_announced_and_ends_when_the_lock_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lock, "NOTICE_SECONDS", 0.1)
    holder = FileLock(tmp_path / "a.lock", thread_local=False)
    holder.acquire()
    threading.Timer(0.5, holder.release).start()
    with locked(tmp_path / "a.lock", "compiles a network", 60):
        pass
    assert "Waiting up to 60 s for another process that compiles a network" in caplog.text
    assert str(tmp_path / "a.lock") in caplog.text


def test_a_wait_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "NOTICE_SECONDS", 0.1)
    start = time.monotonic()
    with (
        FileLock(tmp_path / "a.lock"),
        pytest.raises(TimeoutError, match=r"that loads has held the lock file '.*a\.lock' for 0 s"),
        locked(tmp_path / "a.lock", "loads", 0.3),
    ):
        pass
    assert time.monotonic() - start < 30


def test_a_free_lock_needs_no_message(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with locked(tmp_path / "a.lock", "loads", 60):
        pass
    with locked(tmp_path / "a.lock", "loads", 60):
        pass
    assert not caplog.text
