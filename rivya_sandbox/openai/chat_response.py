"""The response of `/chat/completions`: the whole body, and the chunks of a stream.

https://platform.openai.com/docs/api-reference/chat/object and /streaming.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rivya_sandbox.openai.chat_request import ChatRequest
from rivya_sandbox.openai.providers import Provider
from rivya_sandbox.streams import Frame
from rivya_sandbox.values import Completion, Usage

PIECE = re.compile(r"\s*\S+\s*$|\s*\S+|\s+")
ARGUMENT_PIECE = 12
DONE = Frame(b"data: [DONE]\n\n")


@dataclass(frozen=True)
class ChatResponse:
    """A reply, ready to be written whole or in chunks.

    Attributes:
        id: The completion's id.
        created: Unix seconds.
        request: The request.
        completion: The reply, every call with its id.
        usage: Its tokens.
        provider: The provider whose form it takes.
    """

    id: str
    created: int
    request: ChatRequest
    completion: Completion
    usage: Usage
    provider: Provider

    @property
    def finish_reason(self) -> str:
        """Why it ended."""
        return self.completion.finish_reason or ("tool_calls" if self.completion.calls else "stop")

    @property
    def reasoning(self) -> str:
        """The reasoning, if the model shows it."""
        return self.completion.reasoning if self.request.model.shows_reasoning else ""

    def common(self, kind: str) -> dict[str, Any]:
        """Return the first keys of every object."""
        model = self.request.model.routes_to or self.request.model.id
        keys = {"id": self.id, "object": kind, "created": self.created, "model": model}
        return (
            keys if self.provider.minimal else {**keys, "service_tier": "default", "system_fingerprint": "fp_sandbox"}
        )


def whole(response: ChatResponse) -> dict[str, Any]:
    """Return the whole body."""
    choice: dict[str, Any] = {"index": 0, "message": message(response)}
    if not response.provider.minimal or response.request.logprobs:
        choice["logprobs"] = logprobs(pieces(response.completion.text)) if response.request.logprobs else None
    choice["finish_reason"] = response.finish_reason
    return {**response.common("chat.completion"), "choices": [choice], "usage": response.provider.usage(response.usage)}


def message(response: ChatResponse) -> dict[str, Any]:
    """Return the assistant's message."""
    completion = response.completion
    silent = bool(completion.refusal or (completion.calls and not completion.text))
    found: dict[str, Any] = {"role": "assistant", "content": None if silent else completion.text}
    if not response.provider.minimal:
        found |= {"refusal": completion.refusal, "annotations": citations(completion)}
    if response.reasoning:
        found["reasoning_content"] = response.reasoning
    if completion.calls:
        found["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.text}}
            for call in completion.calls
        ]
    return found


def citations(completion: Completion) -> list[dict[str, Any]]:
    """Return the citations, all at the end of the text."""
    end = len(completion.text)
    return [
        {"type": "url_citation", "url_citation": {"start_index": end, "end_index": end, **source}}
        for source in completion.citations
    ]


def frames(response: ChatResponse) -> tuple[list[Frame], list[Frame]]:
    """Return the chunks while the text grows, and those at the end."""
    opening = {
        "role": "assistant",
        "content": None if response.completion.calls and not response.completion.text else "",
    }
    if not response.provider.minimal:
        opening["refusal"] = None
    growing = [chunk(response, opening), *(chunk(response, delta, text, lp) for delta, text, lp in deltas(response))]
    if response.completion.citations:
        growing.append(chunk(response, {"annotations": citations(response.completion)}))
    closing = [chunk(response, {}, finish=response.finish_reason)]
    if response.request.include_usage:
        closing.append(
            frame(
                {
                    **response.common("chat.completion.chunk"),
                    "choices": [],
                    "usage": response.provider.usage(response.usage),
                }
            )
        )
    return growing, [*closing, DONE]


def deltas(response: ChatResponse) -> Iterator[tuple[dict[str, Any], str, list[str]]]:
    """Yield the deltas between the first and the last, each with its text and its tokens."""
    for piece in pieces(response.reasoning):
        yield {"reasoning_content": piece}, "", []
    for piece in pieces(response.completion.refusal or ""):
        yield {"refusal": piece}, "", []
    for piece in pieces("" if response.completion.refusal else response.completion.text):
        yield {"content": piece}, piece, [piece]
    for index, call in enumerate(response.completion.calls):
        opening = {"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        yield {"tool_calls": [opening]}, "", []
        for start in range(0, len(call.text), ARGUMENT_PIECE):
            piece = call.text[start : start + ARGUMENT_PIECE]
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}, "", []


def chunk(
    response: ChatResponse,
    delta: dict[str, Any],
    text: str = "",
    tokens: list[str] | None = None,
    finish: str | None = None,
) -> Frame:
    """Return one chunk."""
    choice: dict[str, Any] = {"index": 0, "delta": delta}
    if not response.provider.minimal or response.request.logprobs:
        choice["logprobs"] = logprobs(tokens) if response.request.logprobs and tokens else None
    choice["finish_reason"] = finish
    value = {**response.common("chat.completion.chunk"), "choices": [choice]}
    if response.request.include_usage:
        value["usage"] = None
    elif finish and response.provider.usage_in_last_chunk:
        value["usage"] = response.provider.usage(response.usage)
    return frame(value, text)


def frame(value: Any, text: str = "") -> Frame:
    """Return a JSON value as an event."""
    return Frame(f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode(), text)


def pieces(text: str) -> list[str]:
    """Split a text into words."""
    return PIECE.findall(text)


def logprobs(tokens: list[str]) -> dict[str, Any]:
    """Return the log probabilities of a model that is nearly certain."""
    content = [
        {"token": token, "logprob": -0.01, "bytes": list(token.encode()), "top_logprobs": []} for token in tokens
    ]
    return {"content": content, "refusal": None}
