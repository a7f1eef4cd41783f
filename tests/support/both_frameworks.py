"""The chat classes of both frameworks, asked in all four ways, so that a behaviour of both is tested once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

import langchain_rivya
import llamaindex_rivya
from rivya_core.providers import PROVIDERS, RIVYA, Provider
from rivya_sandbox import Sandbox

URL = "http://backend.test/v1"
KEY = "sk-very-secret-0123456789"
PACKAGES = {"langchain": (langchain_rivya, "Chat"), "llamaindex": (llamaindex_rivya, "")}


@dataclass
class Backend:
    """Answers every request with a short reply and keeps the requests."""

    requests: list[httpx.Request] = field(default_factory=list)
    answer: Callable[[httpx.Request], httpx.Response] | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answer(request) if self.answer else reply(request)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.requests]

    @property
    def clients(self) -> dict[str, Any]:
        """Clients that reach nothing but this back end."""
        wire = httpx.MockTransport(self)
        return {"http_client": httpx.Client(transport=wire), "http_async_client": httpx.AsyncClient(transport=wire)}


def reply(request: httpx.Request) -> httpx.Response:
    """A short reply of chat completions or the Responses API, streamed if that was asked for."""
    if request.url.path.endswith("/responses"):
        return _response(request)
    streamed = json.loads(request.content).get("stream")
    top = {"id": "x", "object": "chat.completion", "created": 1, "model": "m"}
    if not streamed:
        message = {"role": "assistant", "content": "ok"}
        return httpx.Response(200, json={**top, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
    choices = [{"index": 0, "delta": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}]
    data = f"data: {json.dumps({**top, 'choices': choices})}\n\ndata: [DONE]\n\n"
    return httpx.Response(200, content=data.encode(), headers={"content-type": "text/event-stream"})


def _response(request: httpx.Request) -> httpx.Response:
    output = [
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "ok", "annotations": []}],
        }
    ]
    body = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": "completed",
        "error": None,
        "output": output,
    }
    if not json.loads(request.content).get("stream"):
        return httpx.Response(200, json=body)
    data = f"event: response.completed\ndata: {json.dumps({'type': 'response.completed', 'response': body})}\n\n"
    return httpx.Response(200, content=data.encode(), headers={"content-type": "text/event-stream"})


@dataclass(frozen=True)
class Way:
    """One framework, sync or async, whole or streamed."""

    framework: str
    asynchronous: bool = False
    streamed: bool = False

    def kind(self, name: str) -> Any:
        """The chat class of a provider, by the name that LlamaIndex has for it."""
        package, prefix = PACKAGES[self.framework]
        return getattr(package, prefix + name)

    def ask(self, model: Any, text: str = "Hi", **options: Any) -> str:
        """Ask *model* and return the text of its reply."""
        if self.asynchronous:
            return asyncio.run(self._aask(model, text, options))
        if self.framework == "langchain":
            return _joined(model.stream(text, **options)) if self.streamed else model.invoke(text, **options).text
        return _last(model.stream_complete(text, **options)) if self.streamed else model.complete(text, **options).text

    async def _aask(self, model: Any, text: str, options: dict[str, Any]) -> str:
        if self.framework == "langchain":
            if self.streamed:
                return _joined([chunk async for chunk in model.astream(text, **options)])
            return (await model.ainvoke(text, **options)).text
        if self.streamed:
            return _last([chunk async for chunk in await model.astream_complete(text, **options)])
        return (await model.acomplete(text, **options)).text


def _joined(chunks: Any) -> str:
    return "".join(chunk.text for chunk in chunks)


def _last(chunks: Any) -> str:
    return list(chunks)[-1].text


FRAMEWORKS = [Way("langchain"), Way("llamaindex")]
WAYS = [Way(name, a, s) for name in PACKAGES for a in (False, True) for s in (False, True)]


def _name(way: Way) -> str:
    words = [way.framework, "async" if way.asynchronous else "sync", "streamed" if way.streamed else "whole"]
    return "-".join(words)


every_framework = pytest.mark.parametrize("way", FRAMEWORKS, ids=lambda way: way.framework)
every_way = pytest.mark.parametrize("way", WAYS, ids=_name)
OPENAI_PROVIDERS = [provider for provider in PROVIDERS if provider is not RIVYA]
OPENAI_CLASSES = [provider.class_name for provider in OPENAI_PROVIDERS]
ALL_CLASSES = ["Rivya", *OPENAI_CLASSES]


def url_of(sandbox: Sandbox, provider: Provider) -> str:
    """Where the sandbox speaks the provider's API; it speaks the standard for those that it does not know."""
    return getattr(sandbox, f"{provider.name}_url", sandbox.openai_url)


def model_of(sandbox: Sandbox, provider: Provider) -> dict[str, str]:
    """The `model` for the sandbox, where the provider's default is not one of its models."""
    return {} if hasattr(sandbox, f"{provider.name}_url") else {"model": "gpt-5.2"}


def make(way: Way, name: str, backend: Backend | None = None, **fields: Any) -> Any:
    """A model of *name* at the back end, or at one that cannot be reached."""
    needed = {"model": "m"} if name == "OpenAICompatible" else {}
    where = backend.clients if backend else {}
    return way.kind(name)(**{"api_key": KEY, "base_url": URL, **needed, **where, **fields})
