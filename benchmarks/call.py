"""CPU time of one whole call, compared with httpx alone and with other integrations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import _raw
import httpx
from _measure import KEY, Server, Table, alternating, serving
from _sides import langchain_models, llamaindex_models

CALLS = 100


def sync_sides(server: Server, models: dict[str, Any], invoke: Callable[[Any], object]) -> dict[str, Any]:
    client = httpx.Client()
    sides = {"httpx": lambda: [_raw.call(client, server.openai()) for _ in range(CALLS)]}
    return sides | {name: (lambda m=m: [invoke(m) for _ in range(CALLS)]) for name, m in models.items()}


def async_sides(
    loop: asyncio.AbstractEventLoop, server: Server, models: dict[str, Any], ainvoke: Callable[[Any], Any]
) -> dict[str, Any]:
    client = httpx.AsyncClient()

    async def raw() -> None:
        for _ in range(CALLS):
            await _raw.acall(client, server.openai())

    async def through(model: Any) -> None:
        for _ in range(CALLS):
            await ainvoke(model)

    sides = {"httpx": lambda: loop.run_until_complete(raw())}
    return sides | {name: (lambda m=m: loop.run_until_complete(through(m))) for name, m in models.items()}


def main() -> None:
    table = Table("One call")
    loop = asyncio.new_event_loop()
    with serving() as server:
        for framework, models, invoke, ainvoke in (
            (
                "LangChain",
                langchain_models(server, KEY),
                lambda m: m.invoke("Say hello."),
                lambda m: m.ainvoke("Say hello."),
            ),
            (
                "LlamaIndex",
                llamaindex_models(server, KEY),
                lambda m: m.complete("Say hello."),
                lambda m: m.acomplete("Say hello."),
            ),
        ):
            bases = ["httpx", *[name for name in models if name.startswith("incumbent")]]
            goals = {name: "<= 1.3 x httpx, <= 0.38 x incumbent" for name in models if name not in bases}
            found = alternating(sync_sides(server, models, invoke), units=CALLS)
            table.add(f"{framework}, sync", found, *bases, goals=goals)
            found = alternating(async_sides(loop, server, models, ainvoke), units=CALLS)
            table.add(f"{framework}, async", found, *bases, goals=goals)
    table.print()


if __name__ == "__main__":
    main()
