"""HTTP clients: the shared ones, the caller's own, and the event loops that they belong to.

The shared clients are made at the first request, once per process, and share one SSL context. They keep no cookies and
no credentials, so that all models, accounts and base URLs can use their connections. Async clients belong to one event
loop and are closed with it. A caller's own clients are used as they are.
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
from http.cookiejar import CookieJar
from threading import Lock
from typing import Any
from urllib.request import getproxies

from rivya_core.errors import ConfigurationError
from rivya_core.http.client_pool import IDLE_SECONDS, MAX_IDLE_CONNECTIONS, AsyncClientPool
from rivya_core.http.drivers import AsyncDriver, Driver
from rivya_core.http.fast_clients import FastClient
from rivya_core.http.httpx2_clients import adapted
from rivya_core.http.library import httpx
from rivya_core.http.proxies import usable_environment
from rivya_core.http.request_defaults import TIMEOUT

POOL_LIMITS = httpx.Limits(
    max_connections=None, max_keepalive_connections=MAX_IDLE_CONNECTIONS, keepalive_expiry=IDLE_SECONDS
)
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=IDLE_SECONDS)

_lock = Lock()


@dataclass(frozen=True)
class Clients:
    """The clients that one model sends with.

    Attributes:
        sync: The caller's own client, of httpx or httpx2, or None for the shared one.
        asynchronous: The caller's own async client, or None for the running loop's shared one.
    """

    sync: httpx.Client | None = None
    asynchronous: httpx.AsyncClient | None = None

    @property
    def driver(self) -> Driver:
        """The driver for blocking calls."""
        own = adapted(self.sync)
        return Driver(lambda: own or shared_client())

    @property
    def async_driver(self) -> AsyncDriver:
        """The driver for the running event loop."""
        own = adapted(self.asynchronous)
        return AsyncDriver(lambda: own or shared_async_client())


def shared_client() -> httpx.Client:
    """Return the client of this process."""
    with _lock:
        return _shared_client()


def shared_async_client() -> httpx.AsyncClient:
    """Return a client of the running event loop: the first that has room for another request."""
    loop = asyncio.get_running_loop()
    kept = _pools.get(loop)
    if kept is None:
        with _lock:
            for closed in [other for other in _pools if other.is_closed()]:
                del _pools[closed]
            kept = _pools[loop] = _Kept(AsyncClientPool(_settings(POOL_LIMITS)))
    return kept.pool.client()


class _Kept:
    """A pool, and an async generator that closes it when its event loop shuts its generators down.

    `asyncio.run` closes the loop's async generators but does not know about clients. Without this, each run would leave
    its connections open.
    """

    def __init__(self, pool: AsyncClientPool) -> None:
        self.pool = pool
        self._guard = self._until_loop_ends()
        with suppress(StopIteration):  # the first step never waits
            self._guard.__anext__().send(None)

    async def _until_loop_ends(self) -> AsyncGenerator[None, None]:
        loop = asyncio.get_running_loop()
        try:
            yield
        finally:
            _pools.pop(loop, None)
            await self.pool.aclose()


_pools: dict[asyncio.AbstractEventLoop, _Kept] = {}
_left_to_parent: list[dict[asyncio.AbstractEventLoop, _Kept]] = []


@cache
def _shared_client() -> httpx.Client:
    with usable_environment():
        client = FastClient(**_settings(LIMITS))
    atexit.register(client.close)
    return client


@cache
def _ssl_context() -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except OSError as exc:
        named = "SSL_CERT_FILE" if os.environ.get("SSL_CERT_FILE") else "SSL_CERT_DIR"
        raise ConfigurationError(f"The certificates in `{named}` cannot be read: {exc}. Nothing was sent.") from exc


def _settings(limits: httpx.Limits) -> dict[str, Any]:
    return {
        "verify": _ssl_context(),
        "timeout": TIMEOUT,
        "limits": limits,
        "cookies": _NoCookies(),
        "proxied": bool(getproxies()),
    }


class _NoCookies(CookieJar):
    """Keeps no cookies, because a cookie of one account must not reach the request of another."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Ignore them."""


def _forget() -> None:
    """Drop the clients after a fork: their sockets belong to the parent, and sharing them would mix responses."""
    global _lock  # noqa: PLW0603 - the parent may have held it at the fork
    _lock = Lock()
    _shared_client.cache_clear()
    _left_to_parent.append(dict(_pools))  # closing them here would reach into the parent's event loops
    _pools.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
