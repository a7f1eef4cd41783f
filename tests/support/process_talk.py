"""A process that talks on one ledger with others and may be killed at any moment.

    python tests/support/process_talk.py FOLDER BASE_URL KEY LEDGER NAME

LEDGER is a path, a Redis URL, `memory` for one of each process's own, or `fork` for that of a process that has talked and
forks then. FOLDER holds talks, one file each, which all processes read and add to. What a process does is in its log, FOLDER/NAME.log:
a line before each call and one after it, so that the process that killed it can judge what it did.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from rivya_core.http.drivers import AsyncDriver, Driver
from rivya_core.http.endpoint import endpoint
from rivya_core.providers import RIVYA
from rivya_core.rivya.session_chat import RivyaWire
from rivya_core.rivya.wire import ChatOptions
from rivya_core.sessions.ledger import PROCESS_LEDGER, Ledger
from rivya_core.sessions.redis_ledger import RedisLedger
from rivya_core.sessions.sqlite_ledger import SQLiteLedger
from rivya_core.types import ChatDelta, Message, Text

Talk = list[dict[str, Any]]


def message(said: dict[str, Any]) -> Message:
    return Message(said["role"], (Text(said["text"]),), pointer=said.get("pointer"))


class Process:
    """Talks until it is killed."""

    def __init__(self, folder: Path, base_url: str, key: str, ledger: Ledger, name: str) -> None:
        self.folder, self.ledger, self.name = folder, ledger, name
        self.endpoint = endpoint(RIVYA, api_key=SecretStr(key), base_url=base_url)
        self.random = random.Random(name)
        self.log = (folder / f"{name}.log").open("a")
        self.calls = 0
        self.loop = asyncio.new_event_loop()
        self.http, self.ahttp = httpx.Client(verify=False), httpx.AsyncClient(verify=False)

    def run(self, turns: float = float("inf")) -> None:
        parent = os.getppid()
        while self.calls < turns and os.getppid() == parent:  # a fork ends with the process that it came from
            talks = sorted(self.folder.glob("*.talk"))
            known = json.loads(self.random.choice(talks).read_text()) if talks else []
            replies = [at for at, said in enumerate(known) if said["role"] == "assistant"]
            if replies and self.random.random() < 0.2:
                known = known[: self.random.choice(replies) + 1]
            if len(known) > 8 or self.random.random() < 0.2:
                known = []
            self.turn([*known, {"role": "user", "text": f"{self.name} asks {self.calls}"}])

    def turn(self, talk: Talk) -> None:
        self.calls += 1
        call = f"{self.name}-{self.calls}"
        self.note(call=call, talk=talk)
        options = ChatOptions("gpt-5-2-chat", client_request_id=call)
        reply = self.ask(RivyaWire(self.endpoint, options, self.ledger), [message(said) for said in talk])
        facts = dict(reply.metadata)
        answer = {"role": "assistant", "text": reply.text, "pointer": facts.get("rivya_session"), "id": facts["id"]}
        self.note(call=call, id=facts["id"], route=facts["session_route"])
        path = self.folder / f"{call}.new"
        path.write_text(json.dumps([*talk, answer]))
        path.rename(self.folder / f"{call}.talk")

    def ask(self, conversation: RivyaWire, messages: list[Message]) -> ChatDelta:
        way = self.random.randrange(4)
        if way == 0:
            return Driver(lambda: self.http).run(conversation.reply(messages))
        if way == 1:
            return whole(list(Driver(lambda: self.http).stream(conversation.stream(messages))))
        driver = AsyncDriver(lambda: self.ahttp)
        if way == 2:
            return self.loop.run_until_complete(driver.run(conversation.reply(messages)))

        async def collect() -> list[ChatDelta]:
            return [delta async for delta in driver.stream(conversation.stream(messages))]

        return whole(self.loop.run_until_complete(collect()))

    def note(self, **facts: Any) -> None:
        self.log.write(json.dumps(facts) + "\n")
        self.log.flush()


def whole(deltas: list[ChatDelta]) -> ChatDelta:
    return deltas[-1]._replace(text="".join(delta.text for delta in deltas))


def ledger_of(what: str) -> Ledger:
    if what in ("memory", "fork"):
        return PROCESS_LEDGER
    return RedisLedger(what) if "://" in what else SQLiteLedger(what)


if __name__ == "__main__":
    where, url, secret, memory, who = sys.argv[1:]
    print(os.getpid(), flush=True)  # noqa: T201 - it is up
    if memory == "fork":
        Process(Path(where), url, secret, ledger_of(memory), who).run(turns=2)
        who += "" if os.fork() else "-fork"
    Process(Path(where), url, secret, ledger_of(memory), f"{who}-x" if memory == "fork" else who).run()
