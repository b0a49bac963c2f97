"""Fetch videos from URLs: http and https with HTTPX, other schemes with fsspec."""

import re
import threading
import time
from contextlib import suppress
from importlib.util import find_spec
from queue import Empty, Full, Queue
from typing import IO, TYPE_CHECKING

from dover_plugin.errors import SettingsError, VideoError
from dover_plugin.io.copies import CopySource, open_copy
from dover_plugin.io.options import OpenOptions

if TYPE_CHECKING:
    from httpx import Response

URL = re.compile(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]+://.")
SILENCE = 30.0  # seconds without a byte after which a server counts as hanging
SLOWEST = 2**10  # bytes per second over a window of WINDOW seconds
WINDOW = 60.0
LARGEST = 2**37  # bytes; 128 GiB
CHUNK = 2**15  # bytes that are requested at a time, so that SLOWEST is a chunk in SILENCE
AHEAD = 8  # chunks


def is_url(path: str) -> bool:
    """Whether a path starts with a scheme, such as https:// or s3://, other than file://."""
    return URL.match(path) is not None


def open_url(url: str, options: OpenOptions) -> CopySource:
    """Fetch a video to a temporary file and open it.

    Raises:
        VideoError: it cannot be fetched, is shorter than the server states, or is no video.
        SettingsError: the scheme needs a package that is not installed.
    """
    fetch = _fetch_http if re.match(r"https?://", url, re.IGNORECASE) else _fetch_other
    return open_copy(lambda file: fetch(url, file), repr(url), url, options)


def _fetch_http(url: str, file: IO[bytes]) -> None:
    import httpx

    try:
        with httpx.stream(
            "GET",
            url,
            headers={"Accept-Encoding": "identity"},
            follow_redirects=True,
            timeout=SILENCE,
        ) as answer:
            if answer.is_error:
                raise VideoError(
                    f"Cannot fetch {url!r} (the server answers {answer.status_code} "
                    f"{answer.reason_phrase}). Check the address."
                )
            _copy(answer, url, file)
    except httpx.TimeoutException:
        raise VideoError(
            f"Cannot fetch {url!r} (the server sends nothing for {SILENCE:g} s). Try again later."
        ) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        raise VideoError(f"Cannot fetch {url!r} ({reason}). Check the address.") from None


def _copy(answer: "Response", url: str, file: IO[bytes]) -> None:
    """Write the body of an answer; HTTPX checks that it is as long as the server states."""
    meter = _Meter(url)
    for chunk in answer.iter_bytes():  # as they arrive
        file.write(chunk)
        meter.count(len(chunk))


class _Meter:
    """Raises VideoError for a source that is too large or too slow."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._total = self._counted = 0
        self._begun = time.monotonic()

    def count(self, size: int) -> None:
        """Count bytes that have arrived."""
        self._total += size
        self._counted += size
        if self._total > LARGEST:
            raise VideoError(
                f"{self._url!r} is larger than {LARGEST / 2**30:g} GiB. Download a part of it "
                "first."
            )
        waited = time.monotonic() - self._begun
        if waited > WINDOW:
            if self._counted < SLOWEST * waited:
                raise VideoError(
                    f"Cannot fetch {self._url!r} (the server sends {self._counted / waited:.0f} "
                    "bytes per second). Try again later."
                )
            self._begun, self._counted = time.monotonic(), 0


def _fetch_other(url: str, file: IO[bytes]) -> None:
    if find_spec("fsspec") is None:
        raise SettingsError(
            f"Fetching {url!r} needs fsspec. Run pip install 'dover-plugin[remote]'."
        )
    import fsspec

    chunks: Queue[bytes | Exception] = Queue(maxsize=AHEAD)
    left = threading.Event()

    def put(item: bytes | Exception) -> None:
        waiting = True
        while waiting and not left.is_set():
            with suppress(Full):
                chunks.put(item, timeout=1)
                waiting = False

    def receive() -> None:
        """Read in a thread of its own: packages of schemes have no limit of time in common."""
        try:
            with fsspec.open(url, "rb") as stream:
                while not left.is_set() and (chunk := stream.read(CHUNK)):
                    put(chunk)
            put(b"")
        except Exception as error:  # each package raises errors of its own
            put(error)

    threading.Thread(target=receive, daemon=True, name="dover-fetch").start()
    meter = _Meter(url)
    try:
        while chunk := chunks.get(timeout=SILENCE):
            if isinstance(chunk, Exception):
                reason = getattr(chunk, "strerror", None) or str(chunk) or type(chunk).__name__
                raise VideoError(
                    f"Cannot fetch {url!r} ({reason}). Check the address and permissions."
                )
            file.write(chunk)
            meter.count(len(chunk))
    except Empty:
        raise VideoError(
            f"Cannot fetch {url!r} (it sends nothing for {SILENCE:g} s). Try again later."
        ) from None
    finally:
        left.set()
