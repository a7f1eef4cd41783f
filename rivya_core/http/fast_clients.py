"""The default clients: httpx's own, which send straight through their transport.

httpx's `send` handles cookies, redirects, authentication and hooks for each request. These clients have none of them,
and leaving that out saves a sixth of a call. They use httpx's `send` if the environment names a proxy, or if a tool has
wrapped `send` to see the requests.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any

from rivya_core.http.library import httpx
from rivya_core.http.network_watch import AsyncWatchedBackend, WatchedBackend, end_wait, limit_wait, watch


class FastClient(httpx.Client):
    """A client without cookies, redirects, authentication and hooks.

    Args:
        verify: The SSL context.
        limits: How many connections are kept, and how long.
        proxied: Whether the environment names a proxy. The environment is read only then.
        options: Further options of httpx's client.
    """

    is_shared = True
    """It has no headers and the default timeout."""

    def __init__(self, *, verify: Any, limits: httpx.Limits, proxied: bool, **options: Any) -> None:
        self._direct = None if proxied else httpx.HTTPTransport(verify=verify, limits=limits)
        super().__init__(verify=verify, limits=limits, transport=self._direct, trust_env=proxied, **options)
        self.headers.clear()
        for reached in (self._transport, *self._mounts.values()):
            watch(reached, WatchedBackend)

    def send(self, request: httpx.Request, *, stream: bool = False, **how: Any) -> httpx.Response:
        """Send *request*, directly through the transport if possible."""
        token = limit_wait(request)
        try:
            if self._direct is None or not is_unpatched(httpx.Client.send):
                return super().send(request, stream=stream, **how)
            response = self._direct.handle_request(request)
        finally:
            end_wait(token)
        response.request = request
        if not stream:
            response.read()
        return response


class FastAsyncClient(httpx.AsyncClient):
    """A client without cookies, redirects, authentication and hooks.

    Args:
        verify: The SSL context.
        limits: How many connections are kept, and how long.
        proxied: Whether the environment names a proxy. The environment is read only then.
        options: Further options of httpx's client.
    """

    is_shared = True
    """It has no headers and the default timeout."""

    def __init__(self, *, verify: Any, limits: httpx.Limits, proxied: bool, **options: Any) -> None:
        self._direct = None if proxied else httpx.AsyncHTTPTransport(verify=verify, limits=limits)
        super().__init__(verify=verify, limits=limits, transport=self._direct, trust_env=proxied, **options)
        self.headers.clear()
        for reached in (self._transport, *self._mounts.values()):
            watch(reached, AsyncWatchedBackend)

    async def send(self, request: httpx.Request, *, stream: bool = False, **how: Any) -> httpx.Response:
        """Send *request*, directly through the transport if possible."""
        token = limit_wait(request)
        try:
            if self._direct is None or not is_unpatched(httpx.AsyncClient.send):
                return await super().send(request, stream=stream, **how)
            response = await self._direct.handle_async_request(request)
        finally:
            end_wait(token)
        response.request = request
        if not stream:
            await response.aread()
        return response


def is_unpatched(send: Any) -> bool:
    """Whether *send* is httpx's own method and not a wrapper around it."""
    own = isinstance(send, FunctionType) and send.__code__.co_filename == SOURCE
    return own and not hasattr(send, "__wrapped__")


SOURCE = httpx.Client.__init__.__code__.co_filename
