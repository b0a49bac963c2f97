"""Files over HTTP: resumed, retried, verified, and put in place only when whole."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import httpx
import tenacity
from filelock import FileLock

from dover_plugin.errors import WeightsError

ATTEMPTS = 5
TIMEOUT = httpx.Timeout(30.0, connect=15.0)

type Progress = Callable[[int, int | None], None]
"""Called with bytes so far and bytes in all (None where the server does not say)."""


class _UnavailableError(Exception):
    """The server answered, but not with the file; another attempt will not help."""


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
) -> None:
    """Fetch the first of ``urls`` that answers into ``target``.

    Bytes go to ``target`` with the suffix ``.part``; a later call goes on from there. Of several
    processes that want one file, one fetches it and the others wait.

    Args:
        urls: where the file is published, in order of preference.
        target: where it shall lie.
        sha256: what it must hash to; None accepts anything.
        progress: told how far it is.
        wait_s: seconds before the second attempt; doubled for each further one.

    Raises:
        WeightsError: no URL gave the file, or its hash is wrong.
    """
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):  # two processes would write into one another's part
            if not target.is_file():
                _download(urls, target, part, sha256, progress, wait_s)
    except OSError as error:
        raise WeightsError(
            f"Cannot write '{target}' ({error.strerror or error}). Make room and rights there, or "
            "set DOVER_HOME to another folder."
        ) from None


def _download(
    urls: tuple[str, ...],
    target: Path,
    part: Path,
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
        except (httpx.HTTPError, httpx.InvalidURL, ImportError, _UnavailableError) as error:
            reasons.append(f"{url}: {error}")
    else:
        raise WeightsError(
            f"Cannot download {target.name} ({'; '.join(reasons)}). Fetch it on a machine with "
            f"access from {urls[0]} and put it at '{target}'."
        )
    got = sha256_of(part)
    if sha256 and got != sha256:
        part.unlink()
        raise WeightsError(
            f"{target.name} from {url} has SHA-256 {got}, not {sha256} as published. It was thrown "
            "away; try again, or report it if it happens twice."
        )
    part.replace(target)


def _fetch(url: str, part: Path, progress: Progress | None) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with httpx.stream(
        "GET", url, headers=headers, timeout=TIMEOUT, follow_redirects=True
    ) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            if response.headers.get("Content-Range", "") == f"bytes */{have}":
                return  # everything is here already
            part.unlink()
            raise httpx.ReadError("what an earlier attempt left does not fit")
        if response.status_code >= 500:
            raise httpx.ReadError(f"the server answered {response.status_code}")
        if not response.is_success:
            raise _UnavailableError(f"the server answered {response.status_code}")
        resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
        done = have if resumed else 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else None
        with part.open("ab" if resumed else "wb") as file:
            for block in response.iter_bytes():
                file.write(block)
                done += len(block)
                if progress:
                    progress(done, total)
        if total is not None and done < total:
            raise httpx.ReadError(f"the connection closed after {done} of {total} bytes")
