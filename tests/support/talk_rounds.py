"""Rounds of random conversations, for the short run in the tests and the long one of `make soak`.

    python tests/support/talk_rounds.py --minutes 30 --seed 7

A round is one framework, one ledger and a few hundred operations; each is reproduced by its seed alone.
"""

# ruff: noqa: T201 - a command that prints

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import redis_server
from langchain_world import LangChainWorld
from llamaindex_world import LlamaIndexWorld
from process_rounds import processes_round
from random_talk import Talker
from talk_figures import Figures
from worlds import World

from rivya_core.http.retry import RetryPolicy
from rivya_core.sessions.ledger import Ledger, MemoryLedger
from rivya_core.sessions.redis_ledger import RedisLedger
from rivya_core.sessions.sqlite_ledger import SQLiteLedger
from rivya_sandbox import Sandbox, serve

RESTARTS = 0.05
"""How often a worker is another process than before when a turn reaches one."""
WORLDS: dict[str, type[World]] = {"langchain": LangChainWorld, "llamaindex": LlamaIndexWorld}


@contextmanager
def remembering(kind: str, name: str, redis_url: str | None) -> Iterator[Callable[[], Ledger]]:
    """What makes the ledgers of a round: a memory, the memories of several workers, or objects on one file or Redis."""
    with tempfile.TemporaryDirectory() as folder:
        opened: list[RedisLedger] = []
        memory, workers, chance = MemoryLedger(), [MemoryLedger() for _ in range(3)], random.Random(name)

        def make() -> Ledger:
            if kind == "memory":
                return memory
            if kind == "workers":
                if chance.random() < RESTARTS:
                    workers[chance.randrange(len(workers))] = MemoryLedger()
                return chance.choice(workers)
            if kind == "sqlite":
                return SQLiteLedger(Path(folder) / "sessions.db")
            opened.append(RedisLedger(redis_url, prefix=f"{name}:"))
            return opened[-1]

        yield make
        for ledger in opened:
            ledger.close()


def round_of(
    sandbox: Sandbox, framework: str, kind: str, seed: int, operations: int, redis_url: str | None = None
) -> Figures:
    """Perform one round."""
    world = WORLDS[framework]()
    name = f"{framework}-{kind}-{seed}"
    try:
        with remembering(kind, name, redis_url) as ledger:
            talker = Talker(world, sandbox, ledger, name)
            if kind == "workers":
                talker.moves = True
                talker.operations = tuple(each for each in talker.operations if each != "pin")  # not noticed elsewhere
            return talker.run(operations)
    finally:
        world.close()


def no_waiting() -> None:
    """Retries follow at once; how long they wait is tested elsewhere."""
    RetryPolicy.delay_before = lambda *_: 0.0  # type: ignore[method-assign]


def main() -> None:
    """Talk until the time is over; end with an error if a promise was broken."""
    options = argparse.ArgumentParser(description="Random conversations on the sandbox, judged by its journal.")
    options.add_argument("--minutes", type=float, default=10.0)
    options.add_argument("--seed", type=int, default=0, help="of the first round")
    options.add_argument("--operations", type=int, default=300, help="in a round")
    given = options.parse_args()
    no_waiting()
    reason = redis_server.why_not()
    if reason:
        print(f"Without Redis: {reason}")
        soak(given.minutes, given.seed, given.operations, None)
        return
    with redis_server.running() as server:
        soak(given.minutes, given.seed, given.operations, server.url)


def soak(minutes: float, first: int, operations: int, redis_url: str | None) -> None:
    """Perform rounds until the time is over and print the figures as they grow."""
    kinds = ("memory", "workers", "sqlite", "workers", "redis") if redis_url else ("memory", "workers", "sqlite")
    processes = ("memory", "fork", "sqlite", "memory", *([redis_url] if redis_url else []))
    total, until = Figures(), time.monotonic() + 60 * minutes
    with serve() as sandbox:
        for seed in count(first):
            framework, kind = ("langchain", "llamaindex")[seed % 2], kinds[seed // 2 % len(kinds)]
            _note(
                total,
                f"{framework:10} {kind:9} seed {seed:5}",
                round_of(sandbox, framework, kind, seed, operations, redis_url),
            )
            if seed % 2:
                sandbox.reset()
                _note(total, *_several_processes(sandbox, processes[seed // 2 % len(processes)], seed))
            if time.monotonic() > until:
                break
    sys.exit(0 if total.perfect else 1)


def _several_processes(sandbox: Sandbox, ledger: str, seed: int) -> tuple[str, Figures]:
    with tempfile.TemporaryDirectory(suffix=str(seed)) as folder:
        path = str(Path(folder) / "sessions.db") if ledger == "sqlite" else ledger
        started, figures = processes_round(sandbox, Path(folder), path, seconds=10)
    return f"{started:3} processes, {ledger.split(':')[0]:6} seed {seed:5}", figures


def _note(total: Figures, what: str, figures: Figures) -> None:
    total.add(figures)
    print(f"{what}  {total}", flush=True)
    for fault in figures.faults:
        print(f"    {fault}", flush=True)


if __name__ == "__main__":
    main()
