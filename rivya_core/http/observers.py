"""What may follow the requests of one call, and delay them: a rate limiter, a trace."""

from __future__ import annotations

from typing import Protocol

from rivya_core.errors import RivyaError
from rivya_core.http.library import httpx
from rivya_core.http.plan import Plan


class RequestObserver(Protocol):
    """Follows the requests of one call, retries included."""

    def sends(self, request: httpx.Request) -> Plan[None]:
        """A request is about to be sent; the plan may wait first."""
        ...

    def failed(self, error: RivyaError, wait: float | None) -> Plan[None]:
        """A request failed and is repeated after *wait* seconds, or not at all if that is None."""
        ...
