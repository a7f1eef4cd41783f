"""A back end of both OpenAI APIs that answers as a test says, and the next turn of a conversation in both frameworks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from langchain_core.messages import AIMessage, HumanMessage, messages_from_dict, messages_to_dict
from llama_index.core.base.llms.types import ChatMessage
from responses_backend import Backend as ResponsesBackend
from responses_backend import said_message
from wire import chunk, events, reply

from langchain_rivya import ChatOpenAICompatible
from llamaindex_rivya import OpenAICompatible


@dataclass
class TwoTurns:
    """Asks *framework* for a reply of the API, whole or streamed, and sends it back with a question."""

    framework: str
    streamed: bool
    responses: bool
    output_version: str = "v0"
    output: list[dict[str, Any]] | None = None
    message: dict[str, Any] | None = None
    bodies: list[dict[str, Any]] = field(default_factory=list)
    deltas: list[dict[str, Any]] | None = None

    def __post_init__(self) -> None:
        self._stored = ResponsesBackend()
        self.respond: Callable[[httpx.Request], httpx.Response] = self._stored

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.bodies.append(body)
        if request.url.path.endswith("/responses"):
            self._stored.output = (self.output or [said_message("ok")]) if len(self.bodies) == 1 else None
            return self.respond(request)
        message = (self.message if len(self.bodies) == 1 else None) or {"role": "assistant", "content": "ok"}
        if not body.get("stream"):
            return reply(message)
        deltas = (self.deltas if len(self.bodies) == 1 else None) or [message]
        return events(*(chunk(delta) for delta in deltas), chunk(finish="stop"))

    def model(self, **more: Any) -> Any:
        """A model whose requests come here."""
        wire = httpx.MockTransport(self)
        clients = {"http_client": httpx.Client(transport=wire), "http_async_client": httpx.AsyncClient(transport=wire)}
        fields = {"model": "m", "base_url": "http://backend.test/v1", "api_key": "sk-one", "max_retries": 0, **clients}
        fields |= {"use_responses_api": self.responses, **more}
        if self.framework == "langchain":
            return ChatOpenAICompatible(output_version=self.output_version, **fields)
        return OpenAICompatible(**fields)

    def ask(self, **more: Any) -> Any:
        """The message of the first turn."""
        return self._asked(self.model(**more), [self.user("Draw a cat.")])

    def continue_with(self, message: Any, *further: Any, **more: Any) -> list[dict[str, Any]]:
        """The messages or items of a request with *message*, after a checkpoint, and a next question."""
        model = self.model(**more)
        self._asked(model, [self.user("Draw a cat."), self._read_back(message), *further, self.user("Bluer.")])
        return list(self.bodies[-1].get("input") or self.bodies[-1]["messages"])

    def user(self, text: str) -> Any:
        """A message of the user."""
        return HumanMessage(text) if self.framework == "langchain" else ChatMessage(role="user", content=text)

    def _asked(self, model: Any, messages: list[Any]) -> Any:
        if self.framework == "langchain":
            if not self.streamed:
                return model.invoke(messages)
            first, *rest = model.stream(messages)
            for piece in rest:
                first += piece
            return first
        return (list(model.stream_chat(messages))[-1] if self.streamed else model.chat(messages)).message

    def _read_back(self, message: Any) -> Any:
        if isinstance(message, AIMessage):
            return messages_from_dict(messages_to_dict([message]))[0]
        return ChatMessage.model_validate(json.loads(message.model_dump_json()))
