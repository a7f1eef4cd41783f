"""Both drivers behind one face, so that each behaviour is tested once."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from rivya_core.http.drivers import AsyncDriver, Driver
from rivya_core.http.plan import Plan, Streaming


class Runner:
    """Carries plans out with one of the drivers and remembers how long it was asked to wait."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.slept: list[float] = []

    def client(self, **options: Any) -> httpx.Client | httpx.AsyncClient:
        """A caller's own client of the right kind."""
        return httpx.Client(**options) if self.kind == "sync" else httpx.AsyncClient(**options)

    def run(self, plan: Plan[Any], client: Any = None) -> Any:
        if self.kind == "sync":
            with client or httpx.Client() as http:
                return Driver(lambda: http, self.slept.append).run(plan)
        return asyncio.run(self._run(plan, client))

    def stream(self, opening: Plan[Streaming[Any]], client: Any = None, stop_after: int | None = None) -> list[Any]:
        """All events, or the first few and then the stream is closed."""
        if self.kind == "sync":
            with client or httpx.Client() as http:
                return self._taken(Driver(lambda: http, self.slept.append).stream(opening), stop_after)
        return asyncio.run(self._stream(opening, client, stop_after))

    def _taken(self, events: Any, stop_after: int | None) -> list[Any]:
        taken = []
        for event in events:
            taken.append(event)
            if len(taken) == stop_after:
                break
        events.close()
        return taken

    async def _run(self, plan: Plan[Any], client: Any) -> Any:
        async with client or httpx.AsyncClient() as http:
            return await AsyncDriver(lambda: http, self._sleep).run(plan)

    async def _stream(self, opening: Plan[Streaming[Any]], client: Any, stop_after: int | None) -> list[Any]:
        taken = []
        async with client or httpx.AsyncClient() as http:
            events = AsyncDriver(lambda: http, self._sleep).stream(opening)
            async for event in events:
                taken.append(event)
                if len(taken) == stop_after:
                    break
            await events.aclose()
        return taken

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
