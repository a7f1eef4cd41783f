"""The four ways of carrying out a turn of the core: two drivers, whole and streamed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import SecretStr

from rivya_core.http.drivers import AsyncDriver, Driver
from rivya_core.http.endpoint import endpoint
from rivya_core.http.retry import RetryPolicy
from rivya_core.providers import RIVYA
from rivya_core.rivya.session_chat import RivyaWire
from rivya_core.rivya.wire import ChatOptions
from rivya_core.sessions.ledger import Ledger
from rivya_core.sessions.modes import POINTER_KEY
from rivya_core.types import ChatDelta, Message, Text
from rivya_sandbox import Sandbox


def conversation(sandbox: Sandbox, ledger: Ledger, **changes: Any) -> RivyaWire:
    """A conversation with the sandbox; *changes* are its other fields, `key` and `timeout` the endpoint's."""
    key = SecretStr(changes.pop("key", sandbox.api_key))
    where = endpoint(RIVYA, api_key=key, base_url=sandbox.rivya_url, timeout=changes.pop("timeout", None))
    model = changes.pop("model", "gpt-5-2-chat")
    changes.setdefault("retry", RetryPolicy(max_retries=2, random=lambda: 0.0))
    return RivyaWire(where, ChatOptions(model), ledger, **changes)


def user(text: str) -> Message:
    return Message("user", (Text(text),))


def said(delta: ChatDelta) -> Message:
    """The reply as an adapter hands it back with the next call."""
    return Message("assistant", (Text(delta.text),), pointer=delta.metadata.get(POINTER_KEY))


@dataclass
class Way:
    """One way of carrying out a turn; `slept` holds the pauses that it did not make."""

    asynchronous: bool
    streamed: bool
    slept: list[float] = field(default_factory=list)

    def ask(self, conversation: RivyaWire, messages: Sequence[Message]) -> ChatDelta:
        """Carry out one turn and return the whole reply."""
        deltas = (
            asyncio.run(self._aask(conversation, messages)) if self.asynchronous else self._ask(conversation, messages)
        )
        return deltas[-1]._replace(text="".join(delta.text for delta in deltas))

    def _ask(self, conversation: RivyaWire, messages: Sequence[Message]) -> list[ChatDelta]:
        with httpx.Client(verify=False) as client:
            driver = Driver(lambda: client, sleep=self.slept.append)
            if self.streamed:
                return list(driver.stream(conversation.stream(messages)))
            return [driver.run(conversation.reply(messages))]

    async def _aask(self, conversation: RivyaWire, messages: Sequence[Message]) -> list[ChatDelta]:
        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        async with httpx.AsyncClient(verify=False) as client:
            driver = AsyncDriver(lambda: client, sleep=sleep)
            if self.streamed:
                return [delta async for delta in driver.stream(conversation.stream(messages))]
            return [await driver.run(conversation.reply(messages))]


WAYS = {
    "sync whole": (False, False),
    "async whole": (True, False),
    "sync stream": (False, True),
    "async stream": (True, True),
}
