"""Many calls at once on one event loop, and how many connections they and streams in a row need."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import _raw
import httpx
from _measure import KEY, Sample, Server, Table, measure, medians, serving
from _sides import langchain_models, llamaindex_models

ROUNDS = 7
SLOW = "n=10,ms=300"
STREAMS = 20


def crowd(count: int, call: Callable[[], Awaitable[Any]]) -> Callable[[], Any]:
    """What starts *count* calls together and waits for all."""

    async def all_of_them() -> None:
        await asyncio.gather(*(call() for _ in range(count)))

    return all_of_them


def measured(count: int, calls: int, call: Callable[[], Awaitable[Any]]) -> list[Sample]:
    """The first round on a new event loop, without connections, and the next ones on the same."""
    loop = asyncio.new_event_loop()
    samples = [measure(lambda: loop.run_until_complete(crowd(count, call)()), count) for _ in range(calls)]
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    return samples


def sides(server: Server, *, all_of_them: bool) -> dict[str, Callable[[], Awaitable[Any]]]:
    """A call of each side; httpx with its default limits, once a loop."""
    clients: dict[Any, httpx.AsyncClient] = {}

    def client() -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in clients:
            clients.clear()
            clients[loop] = httpx.AsyncClient(timeout=120)
        return clients[loop]

    url = server.openai(SLOW)
    found: dict[str, Callable[[], Awaitable[Any]]] = {}
    for name, model in langchain_models(server, KEY, SLOW).items():
        found[name] = lambda m=model: m.ainvoke("Say hello.")
    for name, model in llamaindex_models(server, KEY, SLOW).items() if all_of_them else ():
        if not name.startswith("incumbent"):  # the same SDK as the other incumbent's, and a minute of waiting
            found[name] = lambda m=model: m.acomplete("Say hello.")
    return found | ({"httpx": lambda: _raw.acall(client(), url)} if all_of_them else {})


def add_crowds(table: Table, server: Server) -> None:
    """CPU per call: 200 at once, cold and warm; 1,000 at once, cold, where httpx alone would take minutes."""
    few = of_crowd(table, server, 200, ("cold", "warm"))
    many = of_crowd(table, server, 1000, ("cold",))
    for name, sample in many.items():
        goal = "" if "incumbent" in name else "<= 1.5"
        table.note("1,000 to 200, CPU per call", name, f"{sample.cpu / few[name].cpu:.2f} x", goal)


def of_crowd(table: Table, server: Server, count: int, states: tuple[str, ...]) -> dict[str, Sample]:
    """Add the rows of one size of crowd and return those that began cold."""
    samples: dict[str, list[list[Sample]]] = {}
    for _ in range(ROUNDS):
        for name, call in sides(server, all_of_them=len(states) > 1).items():
            samples.setdefault(name, []).append(measured(count, len(states), call))
    bases = [name for name in samples if name == "httpx" or name.startswith("incumbent")]
    goals = {name: "<= 0.15 x incumbent" for name in samples if name not in bases}
    found = [{name: medians([s[i] for s in rounds]) for name, rounds in samples.items()} for i in range(len(states))]
    for state, rows in zip(states, found, strict=True):
        table.add(f"{count:,} at once, {state}", rows, *bases, goals=goals)
    return found[0]


def add_streams(table: Table, server: Server) -> None:
    """Connections that streams in a row open: read to their end, and left after the first chunk."""
    models = langchain_models(server, KEY) | llamaindex_models(server, KEY)
    for name, model in models.items():
        start = getattr(model, "stream_complete", None) or model.stream
        server.connections()
        for _ in range(STREAMS):
            for _ in start("Say hello."):
                pass
        goal = "" if "incumbent" in name else "<= 1"
        table.note(f"{STREAMS} streams in a row", name, f"{server.connections()} connections", goal)


def main() -> None:
    table = Table("Many at once")
    with serving() as server:
        add_crowds(table, server)
        add_streams(table, server)
    table.print()


if __name__ == "__main__":
    main()
