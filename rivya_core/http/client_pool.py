"""Many concurrent requests on one event loop: several small clients instead of one large one.

httpx looks through all connections of a client for each request, so a client with more connections costs more per
request. A pool sends each request with its first client that has room, and adds a client when none has. A single caller
uses one client; a thousand concurrent callers use as many as they need. Clients that are no longer needed are closed
after a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from rivya_core.http.fast_clients import FastAsyncClient
from rivya_core.http.library import httpx
from rivya_core.http.proxies import usable_environment

REQUESTS_PER_CLIENT = 2
"""Requests that one client carries at a time."""
MAX_IDLE_CLIENTS = 20
"""Clients that are kept when there is nothing to do."""
MAX_IDLE_CONNECTIONS = 8
"""Idle connections of one client, to as many hosts."""
IDLE_SECONDS = 20.0
"""How long the other clients are kept, and unused connections of any."""


class PooledClient(FastAsyncClient):
    """A client that counts its requests under way.

    Args:
        left: Called with *index* each time a request ends.
        index: Position in the pool.
        options: Options of the client.
    """

    def __init__(self, left: Callable[[int], None], index: int, **options: Any) -> None:
        super().__init__(**options)
        self.busy = 0
        self._left = left
        self._index = index

    async def send(self, request: httpx.Request, **how: Any) -> httpx.Response:
        """Send *request* and count it until its response is closed."""
        self.busy += 1
        try:
            response = await super().send(request, **how)
        except BaseException:
            self.release()
            raise
        if response.is_closed:
            self.release()
        else:
            response.stream = _Counted(response.stream, self)
        return response

    def release(self) -> None:
        """A request has ended."""
        self.busy -= 1
        self._left(self._index)


class _Counted(httpx.AsyncByteStream):
    """The body of a response; the request ends when it is closed."""

    def __init__(self, body: Any, member: PooledClient) -> None:
        self._body = body
        self._member: PooledClient | None = member

    def __aiter__(self) -> AsyncIterator[bytes]:
        iterator: AsyncIterator[bytes] = self._body.__aiter__()
        return iterator

    async def aclose(self) -> None:
        """Close the body."""
        member, self._member = self._member, None
        try:
            await self._body.aclose()
        finally:
            if member is not None:
                member.release()


class AsyncClientPool:
    """The clients of one event loop.

    Args:
        settings: The options of each client.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._members: list[PooledClient] = []
        self._full = 0
        """How many clients at the beginning have no room."""
        self._timer: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def client(self) -> httpx.AsyncClient:
        """Return the first client that has room."""
        for index in range(self._full, len(self._members)):
            if self._members[index].busy < REQUESTS_PER_CLIENT:
                self._full = index
                return self._members[index]
        self._full = len(self._members)
        with usable_environment():
            self._members.append(PooledClient(self._close_expired, self._full, **self._settings))
        return self._members[-1]

    async def aclose(self) -> None:
        """Close all clients."""
        if self._timer is not None:
            self._timer.cancel()
        members, self._members = self._members, []
        for member in members:
            await member.aclose()

    def _close_expired(self, index: int = 0) -> None:
        """The client at *index* has room again."""
        self._full = min(self._full, index)
        if self._timer is None and len(self._members) > MAX_IDLE_CLIENTS:
            self._timer = self._loop.call_later(IDLE_SECONDS, self._close_idle)

    def _close_idle(self) -> None:
        """Close the clients at the end that have nothing to do."""
        self._timer = None
        while len(self._members) > MAX_IDLE_CLIENTS and not self._members[-1].busy:
            task = self._loop.create_task(self._members.pop().aclose())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        self._close_expired()
