"""Videos that are no files: bytes, binary streams and URLs."""

import io
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dover_plugin import Failure, Scorer, SettingsError, VideoError
from dover_plugin.io import remote
from dover_plugin.io.open import open_source, reopen
from dover_plugin.io.stored import stored_frames

type Answer = Callable[[BaseHTTPRequestHandler], None]


def frames_of(video: Any) -> list[Any]:
    return [frame.copy() for _, frame in open_source(video).frames([0, 30, 59])]


@pytest.fixture(autouse=True)
def _no_copy_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / "copies"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
def test_bytes_give_the_frames_of_the_file(kind: Any, clip: Path) -> None:
    expected = frames_of(clip)
    data = kind(clip.read_bytes())
    for found, wanted in zip(frames_of(data), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert open_source(kind(clip.read_bytes())).info.path is None


def test_an_open_file_and_a_pipe(clip: Path) -> None:
    with clip.open("rb") as file:
        assert len(frames_of(file)) == 3
    reading, writing = os.pipe()
    threading.Thread(target=lambda: os.fdopen(writing, "wb").write(clip.read_bytes())).start()
    with os.fdopen(reading, "rb") as pipe:
        assert len(frames_of(pipe)) == 3


def test_stored_frames_of_a_copy_are_those_of_the_file(clip: Path) -> None:
    pairs = zip(
        stored_frames(open_source(clip.read_bytes(), start=10), [0, 5]),
        stored_frames(open_source(clip), [10, 15]),
        strict=True,
    )
    for (_, found), (_, expected) in pairs:
        assert found.format.name == expected.format.name == "yuv420p"
        np.testing.assert_array_equal(found.to_ndarray(), expected.to_ndarray())
    del pairs, found, expected


def test_bytes_are_scored_as_the_file(bundled: Scorer, clip: Path) -> None:
    scores = bundled.score(clip.read_bytes())
    assert scores.raw == bundled.score(clip).raw
    assert scores.path is None


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "The video in memory is empty (0 bytes)"),
        (b"no video" * 99, "the video in memory cannot be read as a video"),
        (io.BytesIO(b""), "The binary stream is empty"),
        (io.StringIO("text"), "the binary stream holds text. Open it in binary mode, 'rb'"),
    ],
)
def test_what_holds_no_video_is_refused(data: Any, says: str, bundled: Scorer) -> None:
    (row,) = bundled.score_many([data])
    assert isinstance(row, Failure)
    assert says in row.error
    assert "dover-" not in row.error
    assert row.path is None


def test_truncated_bytes_are_refused(clip: Path) -> None:
    data = clip.read_bytes()
    for length in (len(data) // 3, len(data) - 100):
        with pytest.raises(VideoError) as caught:
            open_source(data[:length])
        assert "the video in memory" in str(caught.value)


def test_a_closed_file(clip: Path) -> None:
    file = clip.open("rb")
    file.close()
    with pytest.raises(VideoError, match=r"Cannot read the stream '.*' \(read of closed file\)"):
        open_source(file)


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], str]]:
    """Starts a server that gives one answer, and returns the URL of a video on it."""
    servers = []

    def start(answer: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/a/clip.mp4?token=1"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def sends(data: bytes, length: int | None = None, status: int = 200) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data) if length is None else length))
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def test_a_url_is_fetched(serve: Callable[[Answer], str], clip: Path, bundled: Scorer) -> None:
    url = serve(sends(clip.read_bytes()))
    scores = bundled.score(url)
    assert scores.raw == bundled.score(clip).raw
    assert scores.path == url
    assert scores.info is not None
    assert reopen(scores.info) is not None


def hangs(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"0" * 10)
    handler.wfile.flush()
    time.sleep(1.5)


def drips(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(20):
        try:
            handler.wfile.write(b"0")
            handler.wfile.flush()
        except OSError:
            return
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (sends(b"", status=404), "the server answers 404"),
        (sends(b"0" * 100, length=10_000), "without sending complete message body"),
        (sends(b"no video"), "cannot be read as a video"),
        (sends(b""), "is empty (0 bytes)"),
        (hangs, "the server sends nothing for 0.5 s"),
        (drips, "bytes per second"),
    ],
    ids=["missing", "lies about its length", "no video", "empty", "hangs", "drips"],
)
def test_a_url_without_a_video_is_refused(
    answer: Answer,
    says: str,
    serve: Callable[[Answer], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remote, "SILENCE", 0.5)
    monkeypatch.setattr(remote, "WINDOW", 0.3)
    url = serve(answer)
    with pytest.raises(VideoError) as caught:
        open_source(url)
    assert says in str(caught.value)
    assert repr(url) in str(caught.value)


def test_a_body_that_is_too_large(
    serve: Callable[[Answer], str], clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "LARGEST", 1000)
    with pytest.raises(VideoError, match="is larger than"):
        open_source(serve(sends(clip.read_bytes())))


def test_a_cut_off_body_is_refused(serve: Callable[[Answer], str], clip: Path) -> None:
    data = clip.read_bytes()
    with pytest.raises(VideoError, match="http://"):
        open_source(serve(sends(data[: len(data) // 2])))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:1/a.mp4", "Connection refused"),
        ("http://[1/a.mp4", "Check the address"),
        ("nonsense://a/b.mp4", "Protocol not known: nonsense"),
        ("memory://none.mp4", "Cannot fetch 'memory://none.mp4'"),
        ("file:///none.mp4", "Write the path without 'file:'"),
    ],
)
def test_addresses_that_lead_nowhere(url: str, says: str) -> None:
    with pytest.raises(VideoError) as caught:
        open_source(url)
    assert says in str(caught.value)


def test_other_schemes_go_through_fsspec(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open("memory://clips/a.mp4", "wb") as file:
        file.write(clip.read_bytes())
    assert open_source("memory://clips/a.mp4").info.num_frames == 60
    monkeypatch.setattr(remote, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match="dover-plugin\\[remote\\]"):
        open_source("memory://clips/a.mp4")


@pytest.mark.parametrize(
    ("pause", "size", "says"),
    [(60.0, 10, "sends nothing for 0.5 s"), (0.1, 10, "bytes per second"), (0.0, 2000, "larger")],
    ids=["hangs", "drips", "endless"],
)
def test_other_schemes_have_the_limits_of_http(
    pause: float, size: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsspec = pytest.importorskip("fsspec")
    released = threading.Event()

    class Slow(fsspec.AbstractFileSystem):  # type: ignore[misc, name-defined]
        protocol = "slow"

        def _open(self, path: str, *_: object, **__: object) -> io.RawIOBase:
            return Endless()

    class Endless(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def read(self, _: int = -1) -> bytes:
            released.wait(pause)
            return b"x" * size

    monkeypatch.setattr(remote, "SILENCE", 0.5)
    monkeypatch.setattr(remote, "WINDOW", 0.3)
    monkeypatch.setattr(remote, "LARGEST", 10_000)
    fsspec.register_implementation("slow", Slow, clobber=True)
    with pytest.raises(VideoError, match=says):
        open_source("slow://a.mp4")
    released.set()


def test_a_full_disk_is_one_error(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError(28, "No space left on device")

    with pytest.raises(VideoError, match=r"Cannot copy .*No space left on device"):
        open_source(Full())  # type: ignore[arg-type]
