"""Memory: peak resident memory above what a process has after its first call, each time in a process of its own.

The framework alone is a model without a network (`_floors.py`): what it holds cannot be saved. The ratios compare
what lies above that. httpx alone is the limit for what sends through httpx's own connections.
"""

from __future__ import annotations

import asyncio
import json
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from _floors import Raw, langchain_floor, llamaindex_floor
from _measure import KEY, Server, Table, serving
from _sides import langchain_models, llamaindex_models

ROUNDS = 3
STREAMS, HISTORY, HEADS = 1000, 4000, 10_000
STREAM_LENGTH = 50
HOW = f"n={STREAM_LENGTH}"
TEXT = "Some words of a usual length, here and there. " * 4
ALONE, LIMIT = "framework alone", "httpx alone"
MODELS: dict[str, Callable[..., dict[str, Any]]] = {"LangChain": langchain_models, "LlamaIndex": llamaindex_models}
NAMES = {
    "LangChain": [ALONE, LIMIT, "ChatRivya", "ChatOpenAICompatible", "incumbent ChatOpenAI"],
    "LlamaIndex": [ALONE, LIMIT, "Rivya", "OpenAICompatible", "incumbent OpenAILike"],
}
"""Not asked of the models here: a child's peak begins at what its parent uses, so this process loads no framework."""
SESSIONS = ("ChatRivya", "Rivya")
"""Send one message a turn, so a history is no row of theirs."""
UNIT = 1024 * 1024 if sys.platform == "darwin" else 1024
"""Of `ru_maxrss` in a mebibyte."""


async def streams(model: Any) -> None:
    """Many streams that are all open before any of them is read on."""
    arrived, everyone = 0, asyncio.Event()

    async def one() -> None:
        nonlocal arrived
        in_llamaindex = hasattr(model, "astream_complete")
        pieces = await model.astream_complete("Say hello.") if in_llamaindex else model.astream("Say hello.")
        first = True
        async for _ in pieces:
            if first:
                first, arrived = False, arrived + 1
                if arrived == STREAMS:
                    everyone.set()
                await everyone.wait()

    await asyncio.gather(*(one() for _ in range(STREAMS)))


def side(framework: str, name: str, server: Server) -> Any:
    """What is called: a model, or what stands for the framework or for httpx alone."""
    if name == ALONE:
        return langchain_floor(STREAM_LENGTH) if framework == "LangChain" else llamaindex_floor(STREAM_LENGTH)
    return Raw(server.openai(HOW)) if name == LIMIT else MODELS[framework](server, KEY, HOW)[name]


def history(framework: str, size: int) -> list[Any]:
    """A conversation in the framework's own messages."""
    if framework == "LangChain":
        from langchain_core.messages import AIMessage, HumanMessage

        return [(AIMessage if at % 2 else HumanMessage)(TEXT) for at in range(size - 1)]
    from llama_index.core.base.llms.types import ChatMessage

    return [ChatMessage(TEXT, role="assistant" if at % 2 else "user") for at in range(size - 1)]


def heads() -> Callable[[], object]:
    """What remembers the heads of many sessions, as full as it gets."""
    from rivya_core.sessions.ledger import Head, MemoryLedger

    ledger = MemoryLedger()

    def remember() -> MemoryLedger:
        for at in range(HEADS):
            ledger.settle(Head(f"{'f' * 24}:sess_{at:032}", 3, f"{at:064x}", ledger.name))
        return ledger

    return remember


def work_of(scene: str, framework: str, model: Any) -> Callable[[], object]:
    """What is measured, with all that it needs made before."""
    ask = getattr(model, "invoke", None) or model.chat
    messages = history(framework, HISTORY if scene == "history" else 2)
    ask(messages[:2])
    if scene == "streams":
        return lambda: asyncio.run(streams(model))
    return heads() if scene == "heads" else lambda: ask(messages)


def child(scene: str, framework: str, name: str, url: str) -> None:
    """Do the work of one side and print how far the peak rose, in MiB."""
    server = Server(0)
    server.url = url
    model = side(framework, name, server)
    work = work_of(scene, framework, model)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kept = work()
    print(json.dumps((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / UNIT))
    del kept


def peak(server: Server, *what: str) -> float:
    """The rise of one side's peak, in a new process."""
    command = [sys.executable, __file__, *what, server.url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def add(table: Table, server: Server, scene: str, title: str, framework: str, names: list[str]) -> None:
    """The rows of one scene in one framework."""
    rises: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(ROUNDS):
        for name in names:
            rises[name].append(peak(server, scene, framework, name))
    found = {name: statistics.median(values) for name, values in rises.items()}
    floor, peer = found.get(ALONE, 0.0), next((found[name] for name in names if name.startswith("incumbent")), 0.0)
    for name, rise in found.items():
        ours = peer and name not in (ALONE, LIMIT) and not name.startswith("incumbent")
        beside = f", {(rise - floor) / (peer - floor):.2f} of the incumbent's above the framework" if ours else ""
        table.note(f"{framework}, {title}", name, f"{rise:.1f} MiB{beside}", "<= 0.5" if ours else "")


def main() -> None:
    table = Table("Memory: how far the peak rises")
    with serving() as server:
        for framework, names in NAMES.items():
            add(table, server, "streams", f"{STREAMS:,} streams at once", framework, names)
            add(table, server, "history", f"{HISTORY:,} messages", framework, [n for n in names if n not in SESSIONS])
        add(table, server, "heads", f"{HEADS:,} remembered sessions", "LangChain", ["ChatRivya"])
    table.print()


if __name__ == "__main__":
    child(*sys.argv[1:]) if len(sys.argv) > 1 else main()
