"""What the tests of sessions share: the three ledgers, and a Redis if the machine has one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis_server
from core_asking import WAYS, Way, conversation, said, user

from rivya_core.rivya.session_chat import RivyaWire
from rivya_core.sessions.ledger import Ledger, MemoryLedger
from rivya_core.sessions.redis_ledger import RedisLedger
from rivya_core.sessions.sqlite_ledger import SQLiteLedger
from rivya_core.types import Message
from rivya_sandbox import Sandbox


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis that the tests of one process share."""
    reason = redis_server.why_not()
    if reason:
        pytest.skip(reason)
    with redis_server.running() as server:
        yield server.url


@pytest.fixture(params=["memory", "sqlite", "redis"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """Each kind of ledger, empty."""
    if request.param == "memory":
        yield MemoryLedger()
    elif request.param == "sqlite":
        yield SQLiteLedger(tmp_path / "sessions.db")
    else:
        url = request.getfixturevalue("redis_url")
        ledger = RedisLedger(url, prefix=f"{request.node.name}:")
        yield ledger
        ledger.close()


@pytest.fixture
def another(ledger: Ledger, tmp_path: Path) -> Iterator[Callable[[], Ledger]]:
    """Makes what another process would use: a second object on the same memory."""
    made: list[Ledger] = []

    def make() -> Ledger:
        import copy

        made.append(copy.deepcopy(ledger))
        return made[-1]

    yield make
    for one in made:
        if isinstance(one, RedisLedger):
            one.close()


@pytest.fixture(params=["langchain", "llamaindex"])
def world(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each framework, loaded when it is needed."""
    from talk_rounds import WORLDS

    world = WORLDS[request.param]()
    yield world
    world.close()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    """Each way of carrying out a turn of the core."""
    return Way(*WAYS[request.param])


@pytest.fixture
def begun(sandbox: Sandbox) -> Callable[..., tuple[RivyaWire, list[Message]]]:
    """Makes a conversation after its first turn, and its messages with the next question."""

    def begin(**changes: Any) -> tuple[RivyaWire, list[Message]]:
        talk = conversation(sandbox, changes.pop("ledger", None) or MemoryLedger(), **changes)
        messages = [user("one")]
        reply = Way(asynchronous=False, streamed=False).ask(talk, messages)
        return talk, [*messages, said(reply), user("two")]

    return begin
