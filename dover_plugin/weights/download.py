"""Download files over HTTP: resumed, retried, verified, and moved into place when complete."""

import hashlib
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx
import tenacity

from dover_plugin.errors import WeightsError
from dover_plugin.weights.lock import locked

ATTEMPTS = 5
MAX_TAG = 1000  # characters
TIMEOUT = httpx.Timeout(30.0, connect=15.0)
LOCK_SECONDS = 3600.0  # longest wait for another process that downloads the same file

type Progress = Callable[[int, int | None], None]
"""Called with the bytes received and the total bytes (None if the server does not say)."""


class _UnavailableError(Exception):
    """The server does not provide the file; another attempt will not help."""


class _TooLargeError(_UnavailableError):
    """The server sends more than is accepted."""


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(
    urls: tuple[str, ...],
    target: Path,
    sha256: str | None = None,
    progress: Progress | None = None,
    wait_s: float = 1.0,
    *,
    max_bytes: int,
) -> None:
    """Download the first of ``urls`` that is available to ``target``.

    Bytes go to ``target`` with the suffix ``.part``. A later call resumes the download if the
    server confirms by its entity tag (RFC 9110, If-Range) that the file is still the same. If
    several processes want one file, one downloads it and the others wait.

    Args:
        urls: where the file is published, in order of preference. A URL with https is not
            redirected to http.
        target: path of the downloaded file.
        sha256: expected hash; None accepts any content.
        progress: called as bytes arrive.
        wait_s: seconds before the second attempt; they double with each further attempt.
        max_bytes: largest size that is accepted.

    Raises:
        WeightsError: no URL provided the file, its hash is wrong, or it cannot be written.
    """
    part = _Part(target.with_name(target.name + ".part"), max_bytes)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(Path(f"{target}.lock"), f"downloads '{target.name}'", LOCK_SECONDS):
            if not target.is_file():
                _download(urls, target, part, sha256, progress, wait_s)
    except TimeoutError as error:
        raise WeightsError(
            f"Cannot download {target.name}: {error}. Stop that process, and try again."
        ) from None
    except OSError as error:
        raise WeightsError(
            f"Cannot write '{target}' ({error.strerror or error}). Check free space and "
            "permissions, or set DOVER_HOME to another folder."
        ) from None


@dataclass(frozen=True)
class _Part:
    """An incomplete download, and beside it the entity tag that it belongs to.

    Links are not followed: what another user put in the place of either file is replaced.

    Attributes:
        file: the bytes received so far.
        max_bytes: largest size that is accepted.
    """

    file: Path
    max_bytes: int

    @property
    def _tag_file(self) -> Path:
        return self.file.with_name(self.file.name + ".etag")

    def size(self) -> int:
        """Bytes received so far."""
        try:
            found = self.file.lstat()
        except FileNotFoundError:
            return 0
        return found.st_size if stat.S_ISREG(found.st_mode) else 0

    def tag(self) -> str | None:
        """Entity tag of the bytes received so far; None if they cannot be resumed."""
        if not self.size():
            return None
        with suppress(FileNotFoundError):
            if stat.S_ISREG(self._tag_file.lstat().st_mode):
                return _strong_tag(self._tag_file.read_text("ascii", errors="replace"))
        return None

    def begin(self, tag: str | None) -> BinaryIO:
        """Start a new download of a file with this strong entity tag, if the server gave one."""
        self.remove()
        if tag:
            with self._tag_file.open("x", encoding="ascii") as file:
                file.write(tag)
        return self.file.open("xb")

    def resume(self) -> BinaryIO:
        """Continue the download."""
        flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)
        return os.fdopen(os.open(self.file, flags | getattr(os, "O_NOFOLLOW", 0)), "ab")

    def check_size(self, size: int) -> None:
        """Raise _TooLargeError if the file has more than max_bytes."""
        if size > self.max_bytes:
            raise _TooLargeError(f"the file is larger than {self.max_bytes} bytes")

    def remove(self) -> None:
        """Remove the bytes and their tag."""
        self.file.unlink(missing_ok=True)
        self._tag_file.unlink(missing_ok=True)


def _strong_tag(tag: str | None) -> str | None:
    """The entity tag if it names the exact bytes of a file (RFC 9110, 8.8.3), else None."""
    strong = tag and tag.startswith('"') and tag.isascii() and tag.isprintable()
    return tag if strong and len(tag or "") <= MAX_TAG else None


def _download(
    urls: tuple[str, ...],
    target: Path,
    part: _Part,
    sha256: str | None,
    progress: Progress | None,
    wait_s: float,
) -> None:
    retry = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(httpx.TransportError),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_exponential(multiplier=wait_s, max=30),
        reraise=True,
    )
    reasons = []
    for url in urls:
        try:
            retry(_fetch, url, part, progress)
            break
        except _TooLargeError as error:
            part.remove()
            reasons.append(f"{url}: {error}")
        except (httpx.HTTPError, httpx.InvalidURL, ImportError, _UnavailableError) as error:
            reasons.append(f"{url}: {error}")
    else:
        raise WeightsError(
            f"Cannot download {target.name} ({'; '.join(reasons)}). Download it from {urls[0]} on "
            f"a machine with access, and copy it to '{target}'."
        )
    got = sha256_of(part.file)
    if sha256 and got != sha256:
        part.remove()
        raise WeightsError(
            f"{target.name} from {url} has SHA-256 {got}, but {sha256} is published. The file was "
            "deleted. Try again, and report it if it happens twice."
        )
    part.file.replace(target)
    part.remove()


def _fetch(url: str, part: _Part, progress: Progress | None) -> None:
    have, tag = part.size(), part.tag()
    headers = {"Accept-Encoding": "identity"}
    if tag:
        headers |= {"Range": f"bytes={have}-", "If-Range": tag}
    with (
        httpx.Client(
            timeout=TIMEOUT, follow_redirects=True, event_hooks={"request": [_stay_secure(url)]}
        ) as client,
        client.stream("GET", url, headers=headers) as response,
    ):
        same = tag is not None and response.headers.get("ETag", tag) == tag
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            if same and _range(response) == f"bytes */{have}":
                return  # the earlier attempt received everything
            part.remove()
            raise httpx.ReadError("the incomplete download is not of this file")
        if response.status_code >= 500:
            raise httpx.ReadError(f"the server answered {response.status_code}")
        if not response.is_success:
            raise _UnavailableError(f"the server answered {response.status_code}")
        resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
        if resumed and not (same and _range(response).startswith(f"bytes {have}-")):
            part.remove()
            raise httpx.ReadError("the server sent another part of the file")
        done = have if resumed else 0
        length = response.headers.get("Content-Length", "")
        total = done + int(length) if length.isdecimal() else None
        part.check_size(total or 0)
        tag = _strong_tag(response.headers.get("ETag"))
        with part.resume() if resumed else part.begin(tag) as file:
            for block in response.iter_bytes():
                file.write(block)
                done += len(block)
                part.check_size(done)
                if progress:
                    progress(done, total)
        if total is not None and done < total:
            raise httpx.ReadError(f"the connection closed after {done} of {total} bytes")


def _range(response: httpx.Response) -> str:
    """Which part of the file the response holds."""
    return str(response.headers.get("Content-Range", ""))


def _stay_secure(url: str) -> Callable[[httpx.Request], None]:
    """A hook that refuses requests without TLS if ``url`` has it."""

    def check(request: httpx.Request) -> None:
        if httpx.URL(url).scheme == "https" and request.url.scheme != "https":
            raise _UnavailableError("the server redirects from https to http")

    return check
