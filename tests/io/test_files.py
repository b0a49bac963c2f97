"""The search of folders: links, hidden files, unreadable folders, and what is left out."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dover_plugin.io.files import find_videos, search_folder


def touch(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def names(folder: Path) -> list[str]:
    return [str(Path(path).relative_to(folder)) for path in find_videos([str(folder)])]


@contextmanager
def without_root(*folders: Path) -> Iterator[None]:
    """Root may list every folder, so tests of permissions run as another user."""
    if os.geteuid():
        yield
        return
    for folder in folders:
        folder.chmod(0o755)
        for parent in folder.parents:
            if not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_suffixes_of_videos(tmp_path: Path) -> None:
    videos = ["a.mp4", "b.MKV", "c.qt", "d.rm", "e.mpe", "f.m2t", "g.apng", "sub/h.ts"]
    touch(tmp_path, *videos, "notes.txt", "still.webp", "song.ogg", "no_suffix")
    assert names(tmp_path) == videos


def test_what_is_left_out_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "a.mp4", "1.txt", "2.txt", "no_suffix", "._a.mp4", ".trash/b.mp4")
    with caplog.at_level(logging.WARNING):
        assert names(tmp_path) == ["a.mp4"]
    assert caplog.messages == [
        f"Left out in '{tmp_path}': 3 without a video suffix (.txt: 2, no suffix: 1), 2 hidden. "
        "Pass a file by its path to include it."
    ]


def test_nothing_is_said_of_a_folder_of_videos(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path, "a.mp4")
    list(find_videos([str(tmp_path), "named.txt"]))
    assert caplog.messages == []


def test_a_hidden_folder_that_is_named_is_searched(tmp_path: Path) -> None:
    touch(tmp_path, ".trash/a.mp4", ".trash/.b.mp4")
    assert names(tmp_path / ".trash") == ["a.mp4"]


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    touch(inside, "real/a.mp4")
    touch(outside, "b.mp4", "deep/c.mp4")
    (inside / "alias").symlink_to(inside / "real")
    (inside / "also").symlink_to(outside)
    (inside / "again").symlink_to(outside)
    assert names(inside) == ["again/b.mp4", "again/deep/c.mp4", "real/a.mp4"]


def test_loops_of_links_end(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "sub/b.mp4")
    for name in ("loop", "sub/up", "sub/self"):
        target = tmp_path if name != "sub/self" else tmp_path / "sub"
        (tmp_path / name).symlink_to(target)
    (tmp_path / "knot").symlink_to("knot")
    assert names(tmp_path) == ["a.mp4", "sub/b.mp4"]


def test_links_that_lead_nowhere_are_reported(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    (tmp_path / "b.mp4").symlink_to(tmp_path / "gone")
    assert names(tmp_path) == ["a.mp4", "b.mp4"]


def test_special_files_with_the_suffix_of_a_video_are_reported(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert names(tmp_path) == ["pipe.mp4"]


def test_unreadable_folders_are_reported(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "locked/b.mp4")
    (tmp_path / "locked").chmod(0)
    try:
        with without_root(tmp_path):
            found = search_folder(str(tmp_path))
            listed = names(tmp_path)
    finally:
        (tmp_path / "locked").chmod(0o755)
    assert found.unreadable == [str(tmp_path / "locked")]
    assert listed == ["a.mp4", "locked"]


def test_a_folder_without_videos_is_reported(tmp_path: Path) -> None:
    assert list(find_videos([str(tmp_path), "named.txt"])) == [str(tmp_path), "named.txt"]


def test_paths_stay_as_they_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "sub/a.mp4")
    monkeypatch.chdir(tmp_path)
    assert list(find_videos(["."])) == ["sub/a.mp4"]
    assert list(find_videos(["./sub/"])) == ["sub/a.mp4"]


def test_names_of_any_bytes(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\n.mp4")
    touch(tmp_path, name)
    assert names(tmp_path) == [name]
