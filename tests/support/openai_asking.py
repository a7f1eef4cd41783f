"""Chat completions and responses of the core against a back end that answers what a test says, in all four ways."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import SecretStr
from wire import URL

from rivya_core.http.clients import Clients
from rivya_core.http.drivers import AsyncDriver, Driver
from rivya_core.http.endpoint import endpoint
from rivya_core.http.plan import Plan
from rivya_core.http.retry import RetryPolicy
from rivya_core.openai.chat.client import OpenAIChat
from rivya_core.providers import COMPATIBLE, Provider
from rivya_core.types import ChatDelta, Message, Text, ToolCallDelta

Answers = httpx.Response | Callable[[httpx.Request], httpx.Response] | Iterable[httpx.Response]
HI = (Message("user", (Text("Hi"),)),)
KEY = SecretStr("sk-backend-secret")


@dataclass
class Backend:
    """Gives its answers one after the other, the last one again and again, and keeps every request."""

    answers: Answers
    requests: list[httpx.Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        several = not isinstance(self.answers, httpx.Response) and not callable(self.answers)
        self._left = list(self.answers) if several else [self.answers]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._left.pop(0) if len(self._left) > 1 else self._left[0]
        if callable(answer):
            return answer(request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.requests]


def chat(provider: Provider = COMPATIBLE, *, retries: int = 0, **options: Any) -> OpenAIChat:
    """A chat model at the back end."""
    where = endpoint(provider, api_key=KEY, base_url=URL)
    return OpenAIChat(where, {"model": "m", **options}, RetryPolicy(retries, random=lambda: 0.0))


@dataclass
class Way:
    """One way of carrying out a turn; `slept` holds the pauses that it did not make."""

    asynchronous: bool
    streamed: bool
    slept: list[float] = field(default_factory=list)

    def ask(self, model: Any, answers: Answers, messages: Sequence[Message] = HI) -> ChatDelta:
        """Carry out one turn and return the reply as one delta."""
        return joined(self.deltas(model, answers, messages))

    def deltas(self, model: Any, answers: Answers, messages: Sequence[Message] = HI) -> list[ChatDelta]:
        """Carry out one turn and return its deltas."""
        backend = answers if isinstance(answers, Backend) else Backend(answers)
        if self.asynchronous:
            return asyncio.run(self._aask(model, backend, messages))
        with httpx.Client(transport=httpx.MockTransport(backend)) as client:
            driver = Driver(lambda: client, sleep=self.slept.append)
            if self.streamed:
                return list(driver.stream(model.stream(messages)))
            return [driver.run(model.reply(messages))]

    def run(self, plan: Plan[Any], answers: Answers) -> Any:
        """Carry out a plan."""
        backend = answers if isinstance(answers, Backend) else Backend(answers)
        if not self.asynchronous:
            with httpx.Client(transport=httpx.MockTransport(backend)) as client:
                return Clients(sync=client).driver.run(plan)

        async def carry_out() -> Any:
            async with httpx.AsyncClient(transport=httpx.MockTransport(backend)) as client:
                return await Clients(asynchronous=client).async_driver.run(plan)

        return asyncio.run(carry_out())

    async def _aask(self, model: Any, backend: Backend, messages: Sequence[Message]) -> list[ChatDelta]:
        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        async with httpx.AsyncClient(transport=httpx.MockTransport(backend)) as client:
            driver = AsyncDriver(lambda: client, sleep=sleep)
            if self.streamed:
                return [delta async for delta in driver.stream(model.stream(messages))]
            return [await driver.run(model.reply(messages))]


def joined(deltas: Sequence[ChatDelta]) -> ChatDelta:
    """The deltas of a reply as one; only the last may say how it ended."""
    assert all(not delta.last and delta.usage is None and not delta.metadata for delta in deltas[:-1])
    assert deltas[-1].last
    calls: dict[int, ToolCallDelta] = {}
    for piece in (piece for delta in deltas for piece in delta.tool_calls):
        known = calls.get(piece.index)
        assert known is None or (not (known.id and piece.id) and not (known.name and piece.name == known.name)), (
            "said twice"
        )
        before = known or ToolCallDelta(piece.index)
        calls[piece.index] = ToolCallDelta(
            piece.index,
            before.id or piece.id,
            (before.name or "") + (piece.name or "") or None,
            before.arguments + piece.arguments,
            before.invalid or piece.invalid,
        )
    return deltas[-1]._replace(
        text="".join(delta.text for delta in deltas),
        reasoning="".join(delta.reasoning for delta in deltas),
        tool_calls=tuple(calls.values()),
        blocks=tuple(block for delta in deltas for block in delta.blocks),
    )


def calls_of(delta: ChatDelta) -> list[tuple[str | None, str]]:
    """Names and arguments of the sound calls of a reply."""
    return [(call.name, call.arguments) for call in delta.tool_calls if not call.invalid]
