"""CPU time of a streamed chunk, and of everything until the first one, compared with httpx alone and with other integrations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from typing import Any

import _raw
import httpx
from _measure import KEY, Server, Table, alternating, serving
from _sides import langchain_models, llamaindex_models

CHUNKS = 1000
FIRSTS = 40

Source = Callable[[], Generator[Any, None, None]]
AsyncSource = Callable[[], AsyncGenerator[Any, None]]


def exhaust(source: Source) -> None:
    for _ in source():
        pass


async def aexhaust(source: AsyncSource) -> None:
    async for _ in source():
        pass


def first(source: Source) -> None:
    """Up to the first chunk, then close, as often as one round wants it."""
    for _ in range(FIRSTS):
        chunks = source()
        next(chunks)
        chunks.close()


async def afirst(source: AsyncSource) -> None:
    """The same on an event loop."""
    for _ in range(FIRSTS):
        chunks = source()
        await anext(chunks)
        await chunks.aclose()


def add(
    table: Table, framework: str, server: Server, models: dict[str, Any], few: dict[str, Any], **calls: Any
) -> None:
    """The rows of a framework: sync and async, per chunk and until the first."""
    loop = asyncio.new_event_loop()
    client, aclient = httpx.Client(), httpx.AsyncClient()
    bases = ["httpx", *[name for name in models if name.startswith("incumbent")]]
    goals = {name: "<= 1.5 x httpx, <= 0.15 x incumbent" for name in models if name not in bases}
    many, once = server.openai(f"n={CHUNKS}"), server.openai("n=3")

    sides: dict[str, Any] = {"httpx": lambda: _raw.stream(client, many)}
    sides |= {name: (lambda m=m: calls["stream"](m)) for name, m in models.items()}
    found = alternating({name: (lambda s=s: exhaust(s)) for name, s in sides.items()}, units=CHUNKS)
    table.add(f"{framework}, sync, chunk", found, *bases, goals=goals)

    asides: dict[str, Any] = {"httpx": lambda: _raw.astream(aclient, many)}
    asides |= {name: (lambda m=m: calls["astream"](m)) for name, m in models.items()}
    run = loop.run_until_complete
    found = alternating({name: (lambda s=s: run(aexhaust(s))) for name, s in asides.items()}, units=CHUNKS)
    table.add(f"{framework}, async, chunk", found, *bases, goals=goals)

    goals = dict.fromkeys(goals, "<= 1.3 x httpx")
    sides = {"httpx": lambda: _raw.stream(client, once)}
    sides |= {name: (lambda m=m: calls["stream"](m)) for name, m in few.items()}
    found = alternating({name: (lambda s=s: first(s)) for name, s in sides.items()}, units=FIRSTS)
    table.add(f"{framework}, sync, first", found, *bases, goals=goals)
    asides = {"httpx": lambda: _raw.astream(aclient, once)}
    asides |= {name: (lambda m=m: calls["astream"](m)) for name, m in few.items()}
    found = alternating({name: (lambda s=s: run(afirst(s))) for name, s in asides.items()}, units=FIRSTS)
    table.add(f"{framework}, async, first", found, *bases, goals=goals)


async def llama_stream(model: Any) -> AsyncIterator[Any]:
    """LlamaIndex's async streams are awaited first."""
    chunks = await model.astream_complete("Say hello.")
    try:
        async for chunk in chunks:
            yield chunk
    finally:
        await chunks.aclose()


def main() -> None:
    table = Table("Streaming")
    with serving() as server:
        models, few = (langchain_models(server, KEY, how) for how in (f"n={CHUNKS}", "n=3"))
        add(
            table,
            "LangChain",
            server,
            models,
            few,
            stream=lambda m: m.stream("Say hello."),
            astream=lambda m: m.astream("Say hello."),
        )
        models, few = (llamaindex_models(server, KEY, how) for how in (f"n={CHUNKS}", "n=3"))
        add(
            table,
            "LlamaIndex",
            server,
            models,
            few,
            stream=lambda m: m.stream_complete("Say hello."),
            astream=llama_stream,
        )
    table.print()


if __name__ == "__main__":
    main()
