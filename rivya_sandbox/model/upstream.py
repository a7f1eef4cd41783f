"""Any OpenAI-compatible server as the model behind the sandbox: its sessions, faults and bills, somebody else's words.

    RIVYA_SANDBOX_UPSTREAM=http://localhost:11434/v1 python -m rivya_sandbox
    with serve(model=Upstream("http://localhost:8000/v1", "qwen3")) as sandbox: ...

Texts, functions and JSON schemas go there; pictures do not, because the sandbox keeps only their digests.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import httpx

from rivya_sandbox.openai.completions import Call, Completion

if TYPE_CHECKING:
    from rivya_sandbox.openai.orders import Function, Order
    from rivya_sandbox.values import Context, Message

VARIABLE = "RIVYA_SANDBOX_UPSTREAM"
"""Base URL of the server; `…_MODEL` names one of its models and `…_KEY` is its key."""
SHOWN = 300


class UpstreamError(RuntimeError):
    """The server cannot be reached, refuses, or gives no reply."""


class Upstream:
    """A model on another server.

    Args:
        base_url: Where its API is, for example `http://localhost:8000/v1`.
        model: Which of its models; by default the first that it lists.
        api_key: Its key, where it wants one. It is sent nowhere else.
        timeout: Seconds to wait for an answer.
    """

    def __init__(
        self, base_url: str, model: str | None = None, *, api_key: str | None = None, timeout: float = 120.0
    ) -> None:
        self._model = model
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.Client(base_url=base_url.rstrip("/") + "/", headers=headers, timeout=timeout)

    def __call__(self, context: Context, /) -> Completion:
        """Answer the last message of the context.

        Raises:
            UpstreamError: The server cannot be reached, refuses, or gives no reply.
        """
        return self._ask({"messages": [as_message(message) for message in context]})

    def complete(self, order: Order) -> Completion:
        """Answer a request that may have functions and a schema."""
        body: dict[str, Any] = {"messages": [as_message(message) for message in order.context]}
        if order.functions:
            body["tools"] = [as_tool(function) for function in order.functions]
            named = {"type": "function", "function": {"name": order.forced}}
            body["tool_choice"] = named if order.forced else order.choice
        if order.schema is not None:
            body["response_format"] = as_format(order.schema)
        if order.limit is not None:
            body["max_tokens"] = order.limit
        return self._ask(body)

    @cached_property
    def model(self) -> str:
        """Which of the server's models answers."""
        if self._model:
            return self._model
        listed = self._json("GET", "models").get("data")
        if not isinstance(listed, list) or not listed or not isinstance(listed[0], Mapping):
            raise UpstreamError(f"The upstream lists no model; name one in `{VARIABLE}_MODEL`.")
        return str(listed[0].get("id"))

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _ask(self, body: Mapping[str, Any]) -> Completion:
        choices = self._json("POST", "chat/completions", {"model": self.model, **body}).get("choices")
        first = choices[0] if isinstance(choices, list) and choices else None
        message = first.get("message") if isinstance(first, Mapping) else None
        if not isinstance(message, Mapping):
            raise UpstreamError("The upstream's answer has no message.")
        calls = tuple(as_call(call) for call in message.get("tool_calls") or ())
        thoughts = message.get("reasoning_content") or message.get("reasoning") or ""
        return Completion(str(message.get("content") or ""), str(thoughts), calls)

    def _json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        try:
            response = self._client.request(method, path, json=body)
            value = response.json() if response.is_success else None
        except (httpx.HTTPError, ValueError) as error:
            raise UpstreamError(f"the upstream does not answer ({type(error).__name__}: {error})") from error
        if not isinstance(value, Mapping):
            raise UpstreamError(f"the upstream says {response.status_code}: {response.text[:SHOWN]}")
        return value


def from_environment() -> Upstream | None:
    """The upstream that the environment names, if it names one."""
    url = os.environ.get(VARIABLE)
    if not url:
        return None
    return Upstream(url, os.environ.get(f"{VARIABLE}_MODEL"), api_key=os.environ.get(f"{VARIABLE}_KEY"))


def as_message(message: Message) -> dict[str, Any]:
    """A message for the wire; pictures are only mentioned."""
    seen = "".join(f"\n[picture, sha256 {one.sha256[:8]}]" for one in message.attachments)
    given = {"name": message.name, "tool_calls": list(message.tool_calls), "tool_call_id": message.tool_call_id}
    present = {name: value for name, value in given.items() if value}
    return {"role": message.role, "content": message.text + seen, **present}


def as_tool(function: Function) -> dict[str, Any]:
    """A function for the wire."""
    about = {"name": function.name, "description": function.about, "parameters": dict(function.parameters)}
    return {"type": "function", "function": about}


def as_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The form of the answer: a schema, or any JSON object."""
    if not schema:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": dict(schema)}}


def as_call(call: Any) -> Call:
    """A call that the upstream's model asks for; its arguments go on as they came."""
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping):
        raise UpstreamError("The upstream's answer holds a tool call that is none.")
    given = call.get("id")
    return Call(str(function.get("name")), str(function.get("arguments") or "{}"), given if given else None)
