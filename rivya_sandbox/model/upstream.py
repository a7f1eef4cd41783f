"""Any OpenAI-compatible server as the model of the sandbox.

    RIVYA_SANDBOX_UPSTREAM=http://localhost:11434/v1 rivya-sandbox
    with serve(model=Upstream("http://localhost:8000/v1", "qwen3")) as sandbox: ...

The replies come from that server; sessions, faults and charges stay the sandbox's. Texts, tools and JSON schemas are
sent there. Images are not, because the sandbox keeps only their digests.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import httpx

from rivya_sandbox.values import Call, Completion, Context, Message, ModelRequest, Tool

VARIABLE = "RIVYA_SANDBOX_UPSTREAM"
"""Base URL of the server. `…_MODEL` names one of its models and `…_KEY` is its API key."""
SHOWN = 300


class UpstreamError(RuntimeError):
    """The server is not reachable, returns an error, or returns no reply."""


class Upstream:
    """A model on another server.

    Args:
        base_url: The base URL of its API, for example `http://localhost:8000/v1`.
        model: The id of one of its models; by default the first that it lists.
        api_key: Its API key, if it needs one. The sandbox sends the key nowhere else.
        timeout: Seconds to wait for a response.
    """

    def __init__(
        self, base_url: str, model: str | None = None, *, api_key: str | None = None, timeout: float = 120.0
    ) -> None:
        self._model = model
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.Client(base_url=base_url.rstrip("/") + "/", headers=headers, timeout=timeout)

    def __call__(self, request: Context, /) -> Completion:
        """Reply to a request, which may contain tools and a schema.

        Raises:
            UpstreamError: The server is not reachable, returns an error, or returns no reply.
        """
        asked = request if isinstance(request, ModelRequest) else ModelRequest(request)
        body: dict[str, Any] = {"model": self.model, "messages": [as_message(message) for message in asked]}
        if asked.tools:
            body["tools"] = [as_tool(tool) for tool in asked.tools]
            named = {"type": "function", "function": {"name": asked.forced_tool}}
            body["tool_choice"] = named if asked.forced_tool else asked.tool_choice
        if asked.schema is not None:
            body["response_format"] = as_format(asked.schema)
        if asked.max_tokens is not None:
            body["max_tokens"] = asked.max_tokens
        return as_completion(self._json("POST", "chat/completions", body))

    @cached_property
    def model(self) -> str:
        """The id of the model that replies."""
        if self._model:
            return self._model
        listed = self._json("GET", "models").get("data")
        if not isinstance(listed, list) or not listed or not isinstance(listed[0], Mapping):
            raise UpstreamError(f"The upstream server lists no model. Name one in `{VARIABLE}_MODEL`.")
        return str(listed[0].get("id"))

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        try:
            response = self._client.request(method, path, json=body)
            value = response.json() if response.is_success else None
        except (httpx.HTTPError, ValueError) as error:
            raise UpstreamError(f"the upstream server does not respond ({type(error).__name__}: {error})") from error
        if not isinstance(value, Mapping):
            raise UpstreamError(f"the upstream server returned {response.status_code}: {response.text[:SHOWN]}")
        return value


def from_environment() -> Upstream | None:
    """Return the server that the environment names, or `None`."""
    url = os.environ.get(VARIABLE)
    if not url:
        return None
    return Upstream(url, os.environ.get(f"{VARIABLE}_MODEL"), api_key=os.environ.get(f"{VARIABLE}_KEY"))


def as_message(message: Message) -> dict[str, Any]:
    """Return a message in the API's form. Images are only mentioned."""
    images = "".join(f"\n[image, sha256 {one.sha256[:8]}]" for one in message.attachments)
    given = {"name": message.name, "tool_calls": list(message.tool_calls), "tool_call_id": message.tool_call_id}
    present = {name: value for name, value in given.items() if value}
    return {"role": message.role, "content": message.text + images, **present}


def as_tool(tool: Tool) -> dict[str, Any]:
    """Return a tool in the API's form."""
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}


def as_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the response format: a schema, or any JSON object."""
    if not schema:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": dict(schema)}}


def as_completion(body: Mapping[str, Any]) -> Completion:
    """Read the server's response."""
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, Mapping) else None
    if not isinstance(message, Mapping):
        raise UpstreamError("The response of the upstream server has no message.")
    calls = tuple(as_call(call) for call in message.get("tool_calls") or ())
    reasoning = message.get("reasoning_content") or message.get("reasoning") or ""
    return Completion(str(message.get("content") or ""), str(reasoning), calls)


def as_call(call: Any) -> Call:
    """Read a tool call. Its arguments are passed on unchanged."""
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping):
        raise UpstreamError("The response of the upstream server contains an invalid tool call.")
    given = call.get("id")
    return Call(str(function.get("name")), str(function.get("arguments") or "{}"), given if given else None)
