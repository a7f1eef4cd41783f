"""How long a server may take to begin its response, watched where the default clients read from the network.

A read timeout is the time between two pieces of data, and httpx has no limit for the head of a response as a whole. A
server that sends the head in small pieces, or interim responses without end, would be waited for without end.
"""

from __future__ import annotations

import time
from contextvars import ContextVar, Token
from typing import Any

from rivya_core.errors import APITimeoutError
from rivya_core.http.library import httpx
from rivya_core.http.response_body import DEFAULT_LIMITS, EXTENSION

_seconds: ContextVar[float | None] = ContextVar("rivya_seconds_to_response", default=None)
"""While a response is awaited: how long it may take to begin after the last byte of the request."""


def limit_wait(request: httpx.Request) -> Token[float | None]:
    """Let the response to *request* begin within `stream_idle_timeout`, until `end_wait` is called with the result."""
    return _seconds.set(request.extensions.get(EXTENSION, DEFAULT_LIMITS).stream_idle_timeout)


end_wait = _seconds.reset
"""Ends the limit: the response has begun, or there is none."""


def watch(transport: Any, backend: type[WatchedBackend | AsyncWatchedBackend]) -> None:
    """Let the connections of httpx's *transport* be opened by *backend*; other transports stay as they are."""
    pool: Any = getattr(transport, "_pool", None)
    if hasattr(pool, "_network_backend"):
        pool._network_backend = backend(pool._network_backend)  # noqa: SLF001 - httpx has no other place for it


class WatchedBackend:
    """Opens connections whose streams watch the time.

    Args:
        backend: What opens them.
    """

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def connect_tcp(self, host: str, **how: Any) -> WatchedStream:
        """Open a connection to *host*."""
        return WatchedStream(self._backend.connect_tcp(host, **how), host)


class AsyncWatchedBackend(WatchedBackend):
    """The same for async clients."""

    async def connect_tcp(self, host: str, **how: Any) -> AsyncWatchedStream:  # type: ignore[override]
        """Open a connection to *host*."""
        return AsyncWatchedStream(await self._backend.connect_tcp(host, **how), host)


class WatchedStream:
    """The stream of a connection to *host*, which raises when a response takes too long to begin."""

    def __init__(self, stream: Any, host: str) -> None:
        self._stream, self._host = stream, host
        self._written_at = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def get_extra_info(self, info: str) -> Any:
        """Return what httpx asks for before each request, for example whether the connection is readable."""
        return self._stream.get_extra_info(info)

    def write(self, buffer: bytes, timeout: float | None = None) -> Any:
        """Write *buffer*."""
        self._written_at = time.monotonic()
        return self._stream.write(buffer, timeout)

    def read(self, max_bytes: int, timeout: float | None = None) -> Any:
        """Read at most *max_bytes*."""
        return self._stream.read(max_bytes, self._allowed(timeout))

    def start_tls(self, *arguments: Any, **how: Any) -> Any:
        """Return the encrypted stream."""
        return type(self)(self._stream.start_tls(*arguments, **how), self._host)

    def _allowed(self, timeout: float | None) -> float | None:
        """Return the seconds that a read may take.

        Raises:
            APITimeoutError: The response should have begun by now.
        """
        seconds = _seconds.get()
        if seconds is None:
            return timeout
        left = self._written_at + seconds - time.monotonic()
        if left <= 0:
            raise APITimeoutError(f"{self._host} did not begin its response within {seconds:g} s.")
        return left if timeout is None else min(timeout, left)


class AsyncWatchedStream(WatchedStream):
    """The same for async clients."""

    async def start_tls(self, *arguments: Any, **how: Any) -> Any:
        """Return the encrypted stream."""
        return type(self)(await self._stream.start_tls(*arguments, **how), self._host)
