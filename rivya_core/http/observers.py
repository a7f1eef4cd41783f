"""What may follow the requests of one call, and delay them: a rate limiter, a trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rivya_core.errors import RivyaError
from rivya_core.http.library import httpx
from rivya_core.http.plan import Plan
from rivya_core.http.request_log import log_repetition


class RequestObserver(Protocol):
    """Follows the requests of one call, retries included."""

    def sends(self, request: httpx.Request) -> Plan[None]:
        """A request is about to be sent; the plan may wait first."""
        ...

    def failed(self, error: RivyaError, wait: float | None) -> Plan[None]:
        """A request failed and is repeated after *wait* seconds, or not at all if that is None."""
        ...


def announce(request: httpx.Request, observers: Sequence[RequestObserver]) -> Plan[None]:
    """Let *observers* know that *request* is about to be sent."""
    for observer in observers:
        yield from observer.sends(request)


def report(error: RivyaError, wait: float | None, observers: Sequence[RequestObserver]) -> Plan[None]:
    """Let *observers* know of a failure."""
    for observer in observers:
        yield from observer.failed(error, wait)


def report_repetition(what: str, error: RivyaError, wait: float, observers: Sequence[RequestObserver]) -> Plan[None]:
    """Log that *what* failed and is done again after *wait* seconds, and let *observers* know."""
    log_repetition(what, error, wait)
    yield from report(error, wait, observers)
