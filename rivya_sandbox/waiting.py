"""Waiting that ends early: when the client disconnects, and when the server stops."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Receive


class ClientConnection:
    """The client's end of one exchange. It knows when the client has disconnected."""

    def __init__(self, receive: Receive) -> None:
        self.receive = receive
        self._watch: asyncio.Task[None] | None = None

    @property
    def closed(self) -> bool:
        """Whether the connection is known to be closed. Needs a running `watch()`."""
        return self._watch is not None and self._watch.done()

    def watch(self) -> asyncio.Task[None]:
        """Start to watch for the end of the connection."""
        if self._watch is None:
            self._watch = asyncio.create_task(self._wait())
        return self._watch

    async def stop(self) -> None:
        """Stop watching."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch

    async def _wait(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass


class Sleeper:
    """All sleeps of one sandbox. Thread-safe; each sleep belongs to its own event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sleeping: dict[asyncio.Future[None], asyncio.AbstractEventLoop] = {}

    async def sleep(self, seconds: float, connection: ClientConnection) -> None:
        """Sleep, but no longer than the client stays connected and the server runs."""
        alarm: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._lock:
            self._sleeping[alarm] = asyncio.get_running_loop()
        try:
            await asyncio.wait({alarm, connection.watch()}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            with self._lock:
                del self._sleeping[alarm]
            alarm.cancel()

    def wake(self) -> None:
        """End all sleeps, from any thread."""
        with self._lock:
            sleeping = list(self._sleeping.items())
        for alarm, loop in sleeping:
            with contextlib.suppress(RuntimeError):  # the loop is closed, so nothing sleeps there any more
                loop.call_soon_threadsafe(end_sleep, alarm)


def end_sleep(alarm: asyncio.Future[None]) -> None:
    """End one sleep."""
    if not alarm.done():
        alarm.set_result(None)
