"""Downloads from hosts that are not the provider's API: limited in size and time, checked, and resumed after a failure.

The body goes to a *target*: memory or a file on disk. The caller's *build_request* decides which URLs are allowed, for
the first URL and for every redirect. No key, cookie or header of the API is sent: `Receive` uses none of the client's.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import urljoin

from rivya_core.errors import APIConnectionError, APIError, InvalidResponseError, ResponseLostError, RivyaError
from rivya_core.http.error_responses import error_class
from rivya_core.http.headers import retry_after
from rivya_core.http.library import httpx
from rivya_core.http.observers import announce, report_repetition
from rivya_core.http.plan import Plan, Receive, pause
from rivya_core.http.retry import RetryPolicy
from rivya_core.http.transport_errors import NOT_SENT, is_transport_failure

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 5
IMAGE_LIKE = ("image/", "application/octet-stream", "binary/octet-stream")
RequestBuilder = Callable[[str], Plan[httpx.Request]]
"""Checks a URL and returns the request for it; raises what refuses it."""


@dataclass
class DownloadTarget:
    """Where a body goes, and its limits.

    Attributes:
        file: Takes the bytes. The download continues after what it already holds.
        largest: Bytes that the body may have.
        ends: Deadline, by *clock*.
        clock: Returns the time in seconds.
    """

    file: BinaryIO
    largest: int
    ends: float
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        """Find out how much is already there."""
        self.size = self.file.seek(0, 2)
        self.etag = ""
        self._total: int | None = None

    @property
    def range(self) -> dict[str, str]:
        """Headers that request the missing part."""
        if not self.size:
            return {}
        return {"range": f"bytes={self.size}-", **({"if-range": self.etag} if self.etag else {})}

    def begin(self, response: httpx.Response) -> Callable[[bytes], object] | None:
        """Check the headers of a response and return a function for its body, or None to leave the body unread."""
        if response.status_code not in {200, 206}:
            return None
        kind = response.headers.get("content-type", IMAGE_LIKE[0]).lower()
        if not kind.startswith(IMAGE_LIKE) or response.headers.get("content-encoding", "identity") != "identity":
            raise InvalidResponseError(f"{place(response)} sent {kind[:80]!r} where an image was expected.")
        start, total = _content_range(response) if response.status_code == 206 else (0, None)  # noqa: PLR2004
        if start != self.size:
            self._restart()
            if start:
                return None  # a part that does not fit; the next request is for the whole
        length = re.fullmatch(r"[0-9]{1,15}", response.headers.get("content-length", ""))
        self._total = total if total is not None else (start + int(length[0]) if length else None)
        self._check(self._total or 0, response)
        tag = response.headers.get("etag", "")
        self.etag = tag if tag.isascii() and not tag.startswith("W/") else ""  # any other cannot be asked for
        return lambda piece: self._take(piece, response)

    def lacks(self, response: httpx.Response) -> bool:
        """Whether the body is incomplete after *response*."""
        if response.status_code == 416:  # noqa: PLR2004 - the file may already be complete
            whole = response.headers.get("content-range", "") == f"bytes */{self.size}" and self.size > 0
            if not whole:
                self._restart()
            return not whole
        return self.size == 0 or (self._total is not None and self.size != self._total)

    def _take(self, piece: bytes, response: httpx.Response) -> None:
        self._check(self.size + len(piece), response)
        self.size += self.file.write(piece)

    def _check(self, size: int, response: httpx.Response) -> None:
        if size > self.largest:
            raise InvalidResponseError(f"{place(response)} sends more than the {self.largest:,} bytes allowed.")
        if self.clock() > self.ends:
            raise DownloadBrokenOffError(f"{place(response)} takes too long to send the image.")

    def _restart(self) -> None:
        self.file.seek(0)
        self.file.truncate()
        self.size, self.etag = 0, ""


def download_to(url: str, build_request: RequestBuilder, target: DownloadTarget, retry: RetryPolicy) -> Plan[None]:
    """Download the body at *url* into *target*, through redirects and broken connections.

    Raises:
        RivyaError: *build_request* refused a URL, or the last failure when the retries are used up.
    """
    hops = failures = 0
    host = "an image's host"
    while True:
        before = target.size
        try:
            request = yield from build_request(url)
            host = _host(request)
            yield from announce(request, retry.observers)
            response = yield from _receive(request, target)
            location = _redirect(response)
            if location is None and not target.lacks(response):
                return
            if location is None:
                raise _not_whole(response)
        except (APIConnectionError, ResponseLostError) as error:
            failures = 1 if target.size > before else failures + 1  # progress restores all retries
            wait = retry.delay_before(failures, error)
            if failures > retry.max_retries or wait is None or target.clock() > target.ends:
                raise
            yield from report_repetition(f"Download from {host}", error, wait, retry.observers)
            yield from pause(wait)
            continue
        hops += 1
        if hops > MOST_REDIRECTS:
            raise InvalidResponseError(f"{place(response)} redirects more than {MOST_REDIRECTS} times.")
        url = _joined(url, location)


def _receive(request: httpx.Request, target: DownloadTarget) -> Plan[httpx.Response]:
    """Send one request; failures that may be repeated are lost responses or failed connections, others are final."""
    request.headers.update(target.range)
    host = _host(request)
    try:
        response: httpx.Response = yield Receive(request, target.begin)
    except NOT_SENT as exc:
        raise APIConnectionError(f"Could not connect to {host} ({type(exc).__name__}: {exc}).") from exc
    except Exception as exc:
        if not is_transport_failure(exc):
            raise
        raise DownloadBrokenOffError(f"The download from {host} was interrupted ({type(exc).__name__}).") from exc
    status = response.status_code
    if status >= 400 and error_class(status).retryable != "never":  # noqa: PLR2004 - HTTP's own boundary
        error: RivyaError = DownloadBrokenOffError(f"{place(response)} answered {status}.")
        error.status, error.retry_after = status, retry_after(response.headers)
        raise error
    if status >= 400 and status != 416:  # noqa: PLR2004 - HTTP's own boundaries
        raise APIError(f"{place(response)} answered {status} {response.reason_phrase}.", status=status)
    return response


class DownloadBrokenOffError(ResponseLostError):
    """The error of an interrupted download. Downloads are not charged."""

    advice = "Try again."


def place(response: httpx.Response) -> str:
    """Return the host of a response for messages, without path and query, which may hold a signature."""
    return _host(response.request)


def _host(request: httpx.Request) -> str:
    return str(request.headers.get("host", request.url.host))


def _joined(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError:
        return target  # not a URL; `build_request` refuses it


def _not_whole(response: httpx.Response) -> RivyaError:
    return DownloadBrokenOffError(f"The download from {place(response)} is incomplete.")


def _redirect(response: httpx.Response) -> str | None:
    location = response.headers.get("location")
    return location if response.status_code in REDIRECTS and location else None


def _content_range(response: httpx.Response) -> tuple[int, int | None]:
    found = re.fullmatch(r"bytes (\d{1,15})-\d{1,15}/(\d{1,15}|\*)", response.headers.get("content-range", ""))
    if found is None:
        return -1, None  # an unknown part
    return int(found[1]), None if found[2] == "*" else int(found[2])
