import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dover_plugin import WeightsError
from dover_plugin.weights.download import download

CONTENT = bytes(range(256)) * 12_000  # 3 MB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT; some paths misbehave."""

    requests: list[tuple[str, str | None]] = []  # noqa: RUF012
    failures = 0

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        Handler.requests.append((self.path, wanted))
        if self.path == "/missing":
            self.send_error(404)
            return
        if self.path == "/busy" and Handler.failures < 2:
            Handler.failures += 1
            self.send_error(503)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if self.path == "/norange":
            start = 0
        if start >= len(CONTENT):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        rest = CONTENT[start:]
        if self.path == "/drops" and Handler.failures < 3:
            Handler.failures += 1
            rest = rest[: len(CONTENT) // 4]
        self.wfile.write(rest)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Handler.requests, Handler.failures = [], 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()


def test_a_download_is_verified_and_put_in_place(server: str, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    target = tmp_path / "sub" / "w.bin"
    download((f"{server}/file",), target, SHA256, lambda *p: seen.append(p))
    assert target.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert not list(target.parent.glob("*.part"))


def test_dropped_connections_are_resumed(server: str, tmp_path: Path) -> None:
    target = tmp_path / "w.bin"
    download((f"{server}/drops",), target, SHA256, wait_s=0)
    assert target.read_bytes() == CONTENT
    quarter = len(CONTENT) // 4
    ranges = [wanted for _, wanted in Handler.requests]
    assert ranges == [None, f"bytes={quarter}-", f"bytes={2 * quarter}-", f"bytes={3 * quarter}-"]


def test_an_earlier_attempt_is_continued(server: str, tmp_path: Path) -> None:
    (tmp_path / "w.bin.part").write_bytes(CONTENT[:1000])
    download((f"{server}/file",), tmp_path / "w.bin", SHA256)
    assert Handler.requests == [("/file", "bytes=1000-")]
    assert (tmp_path / "w.bin").read_bytes() == CONTENT


def test_a_complete_part_is_only_verified(server: str, tmp_path: Path) -> None:
    (tmp_path / "w.bin.part").write_bytes(CONTENT)
    download((f"{server}/file",), tmp_path / "w.bin", SHA256)
    assert (tmp_path / "w.bin").read_bytes() == CONTENT


def test_a_server_without_ranges_starts_over(server: str, tmp_path: Path) -> None:
    (tmp_path / "w.bin.part").write_bytes(b"old")
    download((f"{server}/norange",), tmp_path / "w.bin", SHA256)
    assert (tmp_path / "w.bin").read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(server: str, tmp_path: Path) -> None:
    download((f"{server}/busy",), tmp_path / "w.bin", SHA256, wait_s=0)
    assert len(Handler.requests) == 3


def test_the_next_mirror_is_tried(server: str, tmp_path: Path) -> None:
    download((f"{server}/missing", f"{server}/file"), tmp_path / "w.bin", SHA256)
    assert [path for path, _ in Handler.requests] == ["/missing", "/file"]


def test_a_wrong_hash_names_both_and_leaves_nothing(server: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        download((f"{server}/file",), tmp_path / "w.bin", "0" * 64)
    assert SHA256 in str(caught.value)
    assert "0" * 64 in str(caught.value)
    assert not list(tmp_path.glob("w.bin")) + list(tmp_path.glob("*.part"))


def test_offline_names_the_url_and_the_place(tmp_path: Path) -> None:
    url = "http://127.0.0.1:9/DOVER.pth"  # nothing listens there
    with pytest.raises(WeightsError) as caught:
        download((url,), tmp_path / "DOVER.pth", wait_s=0)
    message = str(caught.value)
    assert url in message
    assert str(tmp_path / "DOVER.pth") in message
    assert "\n" not in message


def test_two_at_once_fetch_one_file_once(server: str, tmp_path: Path) -> None:
    target = tmp_path / "w.bin"
    threads = [
        threading.Thread(target=download, args=((f"{server}/file",), target, SHA256))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() == CONTENT
    assert len(Handler.requests) == 1


def test_left_overs_that_do_not_fit_are_fetched_anew(server: str, tmp_path: Path) -> None:
    (tmp_path / "w.bin.part").write_bytes(b"x" * (len(CONTENT) + 5))
    download((f"{server}/file",), tmp_path / "w.bin", None, wait_s=0)
    assert (tmp_path / "w.bin").read_bytes() == CONTENT


def test_a_place_that_cannot_be_written(server: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WeightsError, match="set DOVER_HOME"):
        download((f"{server}/file",), tmp_path / "file" / "w.bin", SHA256)
