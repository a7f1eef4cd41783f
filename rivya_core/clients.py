"""httpx clients: whose they are, when they are made, and which event loop they belong to.

The shared clients are made at the first request, once a process, with one SSL context between them. They keep
no cookies and no credentials, so that all models, accounts and base URLs can share their connections. An async
client belongs to one event loop and is closed with it. A caller's own clients are used as they are.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import ssl
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from threading import Lock
from typing import Any

import httpx

from rivya_core.drivers import AsyncDriver, Driver
from rivya_core.sending import TIMEOUT

LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=20.0)

_lock = Lock()


@dataclass(frozen=True)
class Clients:
    """The clients that one model sends with.

    Attributes:
        sync: The caller's own client, or None for the shared one.
        asynchronous: The caller's own async client, or None for the running loop's shared one.
    """

    sync: httpx.Client | None = None
    asynchronous: httpx.AsyncClient | None = None

    @property
    def driver(self) -> Driver:
        """Carries out plans, blocking."""
        return Driver(lambda: self.sync or shared_client())

    @property
    def async_driver(self) -> AsyncDriver:
        """Carries out plans on the running event loop."""
        return AsyncDriver(lambda: self.asynchronous or shared_async_client())


def shared_client() -> httpx.Client:
    """The process's client."""
    with _lock:
        return _shared_client()


def shared_async_client() -> httpx.AsyncClient:
    """The running event loop's client."""
    loop = asyncio.get_running_loop()
    kept = _async_clients.get(loop)
    if kept is None:
        with _lock:
            for closed in [other for other in _async_clients if other.is_closed()]:
                del _async_clients[closed]
            kept = _async_clients[loop] = _Kept(httpx.AsyncClient(**_settings()))
    return kept.client


class _Kept:
    """A client and the async generator that closes it when its loop shuts its generators down.

    `asyncio.run` closes the loop's async generators but knows nothing of clients; without this each run would
    leave its connections behind.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self._guard = self._until_loop_ends()
        with suppress(StopIteration):  # the first step never waits
            self._guard.__anext__().send(None)

    async def _until_loop_ends(self) -> AsyncGenerator[None, None]:
        loop = asyncio.get_running_loop()
        try:
            yield
        finally:
            _async_clients.pop(loop, None)
            await self.client.aclose()


_async_clients: dict[asyncio.AbstractEventLoop, _Kept] = {}


@cache
def _shared_client() -> httpx.Client:
    client = httpx.Client(**_settings())
    atexit.register(client.close)
    return client


@cache
def _ssl_context() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _settings() -> dict[str, Any]:
    no_cookies = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
    return {"verify": _ssl_context(), "timeout": TIMEOUT, "limits": LIMITS, "cookies": no_cookies}


def _forget() -> None:
    """After a fork the sockets are the parent's; sharing them would mix two processes' answers."""
    global _lock  # noqa: PLW0603 - the parent may have held it at the fork
    _lock = Lock()
    _shared_client.cache_clear()
    _async_clients.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
