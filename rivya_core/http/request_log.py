"""What requests and retries log, under `rivya.http`: a number per call, the provider's request id, never a key.

`DEBUG` shows every request and response, `INFO` the retries alone.
"""

from __future__ import annotations

import itertools
import logging
import time

from rivya_core.errors import RivyaError
from rivya_core.http.headers import request_id
from rivya_core.http.library import httpx

log = logging.getLogger("rivya.http")
_numbers = itertools.count(1)


class CallLog:
    """Logs the requests of one call.

    Args:
        request: What is sent, each time.
    """

    __slots__ = ("_number", "_request", "_sent_at")

    def __init__(self, request: httpx.Request) -> None:
        self._request = request
        self._number = next(_numbers)
        self._sent_at = 0.0

    def sends(self) -> None:
        """The request is sent."""
        if log.isEnabledFor(logging.DEBUG):
            self._sent_at = time.monotonic()
            log.debug("[%d] %s", self._number, self._place())

    def succeeded(self, response: httpx.Response) -> None:
        """A success came back."""
        if log.isEnabledFor(logging.DEBUG):
            seconds, named = time.monotonic() - self._sent_at, _named(request_id(response))
            log.debug("[%d] %d in %.3f s%s", self._number, response.status_code, seconds, named)

    def failed(self, error: RivyaError, *, retry: int, retries: int, wait: float | None) -> None:
        """The request failed.

        Args:
            error: How.
            retry: Number of the next retry.
            retries: How many there may be.
            wait: Seconds until then, or None if there is none.
        """
        level = logging.DEBUG if wait is None else logging.INFO
        if log.isEnabledFor(level):
            then = "" if wait is None else f"; retry {retry} of {retries} in {wait:.2f} s"
            log.log(level, "[%d] %s: %s%s", self._number, self._place(), _kind(error), then)

    def _place(self) -> str:
        """Method and URL, without a query, which may be a secret."""
        return f"{self._request.method} {self._request.url.copy_with(query=None, userinfo=b'')}"


def log_repetition(what: str, error: RivyaError, wait: float) -> None:
    """Log that *what* failed and is done again after *wait* seconds, outside the retries of a request."""
    log.info("%s: %s; again in %.2f s", what, _kind(error), wait)


def _kind(error: RivyaError) -> str:
    status = " ".join(str(part) for part in (error.status, error.code) if part)
    return f"{type(error).__name__}{f' ({status})' if status else ''}{_named(error.request_id)}"


def _named(found: str | None) -> str:
    return f", request {found}" if found else ""
