"""One call of a chat model under a shared rate limiter."""

from __future__ import annotations

import logging
from collections.abc import Callable

from rivya_core.errors import APIError, ConfigurationError, RateLimitError, RivyaError
from rivya_core.http.library import httpx
from rivya_core.http.plan import Plan, call
from rivya_core.storage.limits.limiter import RateLimiter
from rivya_core.types import ChatDelta

log = logging.getLogger("rivya.limits")

DEFAULT_HOLD = 1.0
"""Seconds for which a rate limit stops everybody if neither the server nor the retries say how long."""


class CallLimits:
    """Lets the requests of one call wait for the limiter, and reports what comes back.

    The framework itself waits before the call, which is for its first request. What cannot be reported after a reply
    is logged, so that no reply is lost.

    Args:
        limiter: The limiter that the framework has asked already.
    """

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter
        self._open, self._sent = True, False

    def begins(self) -> None:
        """Nothing to do: the framework has waited."""

    def sends(self, request: httpx.Request) -> Plan[None]:  # noqa: ARG002
        """Wait, if the framework has not done it for this request."""
        if self._sent and self._open:
            yield from self._record(0)  # the request before was an upload or a lookup
        if not self._open:
            yield from self._limiter.wait()
        self._open = self._sent = True

    def failed(self, error: RivyaError, wait: float | None) -> Plan[None]:
        """Let everybody wait if the server asks for that; a request that was refused has no tokens."""
        if isinstance(error, RateLimitError) or (isinstance(error, APIError) and error.retry_after):
            seconds = error.retry_after or wait or DEFAULT_HOLD
            yield from _reported(lambda: self._limiter.hold(seconds))
        yield from self._record(0 if isinstance(error, APIError) else None)

    def replied(self, reply: ChatDelta) -> Plan[None]:
        """Report the tokens of a reply."""
        yield from self._record(reply.usage.total_tokens if reply.usage else None)

    def abandoned(self, error: BaseException | None) -> Plan[None]:  # noqa: ARG002
        """The call has no whole reply; if nothing was sent, it has no tokens."""
        if self._open:
            yield from self._record(None if self._sent else 0)

    def _record(self, tokens: int | None) -> Plan[None]:
        self._open = False
        yield from _reported(lambda: self._limiter.record(tokens))


def _reported(report: Callable[[], None]) -> Plan[None]:
    try:
        yield from call(report)
    except ConfigurationError as error:
        log.warning("%s", error)
