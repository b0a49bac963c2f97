import hashlib
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dover_plugin import WeightsError
from dover_plugin.weights.download import download

CONTENT = bytes(range(256)) * 12_000  # 3 MB
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OTHER = CONTENT[::-1]
SIZE = len(CONTENT)
TAGS = {CONTENT: '"content"', OTHER: '"other"'}


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT; some paths misbehave."""

    requests: list[tuple[str, str | None]] = []  # noqa: RUF012
    failures = 0
    content = CONTENT
    location = ""

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        Handler.requests.append((self.path, wanted))
        content, tag = Handler.content, TAGS[Handler.content]
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", Handler.location)
            self.end_headers()
            return
        if self.path == "/missing":
            self.send_error(404)
            return
        if self.path == "/busy" and Handler.failures < 2:
            Handler.failures += 1
            self.send_error(503)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        careless = self.path == "/careless"  # resumes whatever has changed
        if self.path == "/norange" or (not careless and self.headers.get("If-Range") != tag):
            start = 0
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("ETag", tag)
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if self.path != "/endless":
            self.send_header("Content-Length", str(len(content) - start))
        if self.path == "/weak":
            self.send_header("ETag", f"W/{tag}")
        elif self.path != "/tagless":
            self.send_header("ETag", tag)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        rest = content[start:]
        if self.path != "/file" and Handler.failures < 3 and self.path not in ("/norange", "/busy"):
            Handler.failures += 1
            rest = rest[: len(content) // 4]
            if self.path == "/changes":
                Handler.content = OTHER
        if self.path == "/endless":
            rest = content * 2
        with suppress(ConnectionError):
            self.wfile.write(rest)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Handler.requests, Handler.failures, Handler.content = [], 0, CONTENT
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()


def left_by_an_earlier_attempt(target: Path, received: bytes, tag: str = TAGS[CONTENT]) -> None:
    Path(f"{target}.part").write_bytes(received)
    Path(f"{target}.part.etag").write_text(tag)


def test_a_download_is_verified_and_put_in_place(server: str, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    target = tmp_path / "sub" / "w.bin"
    download((f"{server}/file",), target, SHA256, lambda *p: seen.append(p), max_bytes=SIZE)
    assert target.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert not list(target.parent.glob("*.part*"))


def test_dropped_connections_are_resumed(server: str, tmp_path: Path) -> None:
    target = tmp_path / "w.bin"
    download((f"{server}/drops",), target, SHA256, wait_s=0, max_bytes=SIZE)
    assert target.read_bytes() == CONTENT
    quarter = len(CONTENT) // 4
    ranges = [wanted for _, wanted in Handler.requests]
    assert ranges == [None, f"bytes={quarter}-", f"bytes={2 * quarter}-", f"bytes={3 * quarter}-"]


def test_an_earlier_attempt_is_continued(server: str, tmp_path: Path) -> None:
    left_by_an_earlier_attempt(tmp_path / "w.bin", CONTENT[:1000])
    download((f"{server}/file",), tmp_path / "w.bin", SHA256, max_bytes=SIZE)
    assert Handler.requests == [("/file", "bytes=1000-")]
    assert (tmp_path / "w.bin").read_bytes() == CONTENT


def test_a_complete_part_is_only_verified(server: str, tmp_path: Path) -> None:
    left_by_an_earlier_attempt(tmp_path / "w.bin", CONTENT)
    download((f"{server}/file",), tmp_path / "w.bin", SHA256, max_bytes=SIZE)
    assert (tmp_path / "w.bin").read_bytes() == CONTENT


def test_a_server_without_ranges_starts_over(server: str, tmp_path: Path) -> None:
    left_by_an_earlier_attempt(tmp_path / "w.bin", b"old")
    download((f"{server}/norange",), tmp_path / "w.bin", SHA256, max_bytes=SIZE)
    assert (tmp_path / "w.bin").read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(server: str, tmp_path: Path) -> None:
    download((f"{server}/busy",), tmp_path / "w.bin", SHA256, wait_s=0, max_bytes=SIZE)
    assert len(Handler.requests) == 3


def test_the_next_mirror_is_tried(server: str, tmp_path: Path) -> None:
    download((f"{server}/missing", f"{server}/file"), tmp_path / "w.bin", SHA256, max_bytes=SIZE)
    assert [path for path, _ in Handler.requests] == ["/missing", "/file"]


def test_a_wrong_hash_names_both_and_leaves_nothing(server: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        download((f"{server}/file",), tmp_path / "w.bin", "0" * 64, max_bytes=SIZE)
    assert SHA256 in str(caught.value)
    assert "0" * 64 in str(caught.value)
    assert not list(tmp_path.glob("w.bin")) + list(tmp_path.glob("*.part"))


def test_offline_names_the_url_and_the_place(tmp_path: Path) -> None:
    url = "http://127.0.0.1:9/DOVER.pth"  # nothing listens there
    with pytest.raises(WeightsError) as caught:
        download((url,), tmp_path / "DOVER.pth", wait_s=0, max_bytes=SIZE)
    message = str(caught.value)
    assert url in message
    assert str(tmp_path / "DOVER.pth") in message
    assert "\n" not in message


def test_two_at_once_fetch_one_file_once(server: str, tmp_path: Path) -> None:
    target = tmp_path / "w.bin"
    threads = [
        threading.Thread(
            target=download, args=((f"{server}/file",), target, SHA256), kwargs={"max_bytes": SIZE}
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() == CONTENT
    assert len(Handler.requests) == 1


def test_left_overs_that_do_not_fit_are_fetched_anew(server: str, tmp_path: Path) -> None:
    left_by_an_earlier_attempt(tmp_path / "w.bin", b"x" * (SIZE + 5))
    download((f"{server}/file",), tmp_path / "w.bin", None, wait_s=0, max_bytes=SIZE)
    assert (tmp_path / "w.bin").read_bytes() == CONTENT


def test_a_place_that_cannot_be_written(server: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WeightsError, match="set DOVER_HOME"):
        download((f"{server}/file",), tmp_path / "file" / "w.bin", SHA256, max_bytes=SIZE)


def test_a_file_that_changes_during_a_download_is_not_spliced(server: str, tmp_path: Path) -> None:
    target = tmp_path / "w.bin"
    download((f"{server}/changes",), target, wait_s=0, max_bytes=SIZE)
    assert target.read_bytes() == OTHER
    assert [wanted for _, wanted in Handler.requests][:2] == [None, f"bytes={SIZE // 4}-"]


@pytest.mark.parametrize("received", [OTHER[:1000], OTHER])
def test_an_attempt_at_another_file_is_discarded(
    received: bytes, server: str, tmp_path: Path
) -> None:
    target = tmp_path / "w.bin"
    left_by_an_earlier_attempt(target, received, TAGS[OTHER])
    Handler.failures = 3
    download((f"{server}/careless",), target, wait_s=0, max_bytes=SIZE)  # it ignores If-Range
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("path", ["weak", "tagless"])
def test_a_download_without_a_strong_tag_is_not_resumed(
    path: str, server: str, tmp_path: Path
) -> None:
    download((f"{server}/{path}",), tmp_path / "w.bin", wait_s=0, max_bytes=SIZE)
    assert (tmp_path / "w.bin").read_bytes() == CONTENT
    assert {wanted for _, wanted in Handler.requests} == {None}


@pytest.mark.parametrize("tag", ["", 'W/"content"', "content", '"a\nb"', '"' + "a" * 2000 + '"'])
def test_a_damaged_tag_is_not_used(tag: str, server: str, tmp_path: Path) -> None:
    left_by_an_earlier_attempt(tmp_path / "w.bin", b"old", tag)
    download((f"{server}/file",), tmp_path / "w.bin", max_bytes=SIZE)
    assert Handler.requests == [("/file", None)]
    assert (tmp_path / "w.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("path", ["file", "endless"])
def test_a_file_that_is_too_large_is_refused(path: str, server: str, tmp_path: Path) -> None:
    Handler.failures = 3
    with pytest.raises(WeightsError, match="the file is larger than 1000 bytes"):
        download((f"{server}/{path}",), tmp_path / "w.bin", wait_s=0, max_bytes=1000)
    assert not list(tmp_path.glob("w.bin")) + list(tmp_path.glob("*.part*"))


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links on this system")
@pytest.mark.parametrize("name", ["w.bin.part", "w.bin.part.etag"])
def test_links_in_the_place_of_temporary_files_are_not_followed(
    name: str, server: str, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_text(TAGS[CONTENT])
    left_by_an_earlier_attempt(tmp_path / "w.bin", CONTENT[:1000])
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to(victim)
    download((f"{server}/file",), tmp_path / "w.bin", SHA256, max_bytes=SIZE)
    assert victim.read_text() == TAGS[CONTENT]
    assert (tmp_path / "w.bin").read_bytes() == CONTENT
    assert Handler.requests == [("/file", None)]
    assert not (tmp_path / name).is_symlink()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
@pytest.mark.parametrize("name", ["w.bin.part", "w.bin.part.etag"])
def test_pipes_in_the_place_of_temporary_files_are_replaced(
    name: str, server: str, tmp_path: Path
) -> None:
    left_by_an_earlier_attempt(tmp_path / "w.bin", CONTENT[:1000])
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    download((f"{server}/file",), tmp_path / "w.bin", SHA256, max_bytes=SIZE)
    assert (tmp_path / "w.bin").read_bytes() == CONTENT


@pytest.mark.program("openssl")
def test_https_is_not_redirected_to_http(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as https:
        https.socket = context.wrap_socket(https.socket, server_side=True)
        threading.Thread(target=https.serve_forever, daemon=True).start()
        secure = f"https://127.0.0.1:{https.server_address[1]}"
        Handler.location = f"{server}/file"
        with pytest.raises(WeightsError, match="the server redirects from https to http"):
            download((f"{secure}/away",), tmp_path / "w.bin", wait_s=0, max_bytes=SIZE)
        assert [path for path, _ in Handler.requests] == ["/away"]
        Handler.location = f"{secure}/file"
        download((f"{secure}/away",), tmp_path / "w.bin", SHA256, max_bytes=SIZE)
        https.shutdown()
    assert (tmp_path / "w.bin").read_bytes() == CONTENT
