"""Waiting that ends early: when the reader leaves, and when the server stops."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Receive


class Reader:
    """The other end of one exchange: tells when it has left."""

    def __init__(self, receive: Receive) -> None:
        self.receive = receive
        self._watch: asyncio.Task[None] | None = None

    @property
    def left(self) -> bool:
        """Whether the connection is known to be closed. Needs a running `watch()`."""
        return self._watch is not None and self._watch.done()

    def watch(self) -> asyncio.Task[None]:
        """Begin to listen for the end of the connection."""
        if self._watch is None:
            self._watch = asyncio.create_task(self._wait())
        return self._watch

    async def stop(self) -> None:
        """Stop listening."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch

    async def _wait(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass


class Pauses:
    """All waiting of one sandbox. Thread-safe; each waiter belongs to its own event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[asyncio.Future[None], asyncio.AbstractEventLoop] = {}

    async def sleep(self, seconds: float, reader: Reader) -> None:
        """Wait, but not longer than the reader stays and the server runs."""
        bell: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._lock:
            self._waiting[bell] = asyncio.get_running_loop()
        try:
            await asyncio.wait({bell, reader.watch()}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            with self._lock:
                del self._waiting[bell]
            bell.cancel()

    def wake(self) -> None:
        """End all waiting, from any thread."""
        with self._lock:
            waiting = list(self._waiting.items())
        for bell, loop in waiting:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits there any more
                loop.call_soon_threadsafe(ring, bell)


def ring(bell: asyncio.Future[None]) -> None:
    """Wake whoever waits for the bell."""
    if not bell.done():
        bell.set_result(None)
