"""A completion in the form of `/chat/completions`: the whole body, and the chunks of a stream.

https://platform.openai.com/docs/api-reference/chat/object and /streaming.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rivya_sandbox.openai.completions import Completion
from rivya_sandbox.openai.flavours import Counts, Flavour
from rivya_sandbox.openai.orders import Order
from rivya_sandbox.streams import Frame

PIECE = re.compile(r"\s*\S+\s*$|\s*\S+|\s+")
ARGUMENT_PIECE = 12
DONE = Frame(b"data: [DONE]\n\n")


@dataclass(frozen=True)
class Reply:
    """An answered order, ready to be written whole or in chunks.

    Attributes:
        id: Of the completion.
        created: Unix seconds.
        order: What was asked for.
        said: What was answered, every call with its id.
        counts: Its tokens.
        flavour: Whose form it takes.
    """

    id: str
    created: int
    order: Order
    said: Completion
    counts: Counts
    flavour: Flavour

    @property
    def finish_reason(self) -> str:
        """Why it ended."""
        return self.said.finish_reason or ("tool_calls" if self.said.calls else "stop")

    @property
    def thoughts(self) -> str:
        """The reasoning, as far as the model shows it."""
        return self.said.thoughts if self.order.model.shows_reasoning else ""

    def head(self, kind: str) -> dict[str, Any]:
        """What every object begins with."""
        model = self.order.model.picks or self.order.model.id
        facts = {"id": self.id, "object": kind, "created": self.created, "model": model}
        return facts if self.flavour.bare else {**facts, "service_tier": "default", "system_fingerprint": "fp_sandbox"}


def whole(reply: Reply) -> dict[str, Any]:
    """The body of a whole answer."""
    choice: dict[str, Any] = {"index": 0, "message": message(reply)}
    if not reply.flavour.bare or reply.order.logprobs:
        choice["logprobs"] = logprobs(pieces(reply.said.text)) if reply.order.logprobs else None
    choice["finish_reason"] = reply.finish_reason
    return {**reply.head("chat.completion"), "choices": [choice], "usage": reply.flavour.usage(reply.counts)}


def message(reply: Reply) -> dict[str, Any]:
    """The assistant's message."""
    said = reply.said
    silent = bool(said.refusal or (said.calls and not said.text))
    found: dict[str, Any] = {"role": "assistant", "content": None if silent else said.text}
    if not reply.flavour.bare:
        found |= {"refusal": said.refusal, "annotations": citations(said)}
    if reply.thoughts:
        found["reasoning_content"] = reply.thoughts
    if said.calls:
        found["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.text}}
            for call in said.calls
        ]
    return found


def citations(said: Completion) -> list[dict[str, Any]]:
    """The citations, all at the text's end."""
    end = len(said.text)
    return [
        {"type": "url_citation", "url_citation": {"start_index": end, "end_index": end, **source}}
        for source in said.citations
    ]


def frames(reply: Reply) -> tuple[list[Frame], list[Frame]]:
    """The chunks while the answer grows, and those at its end."""
    opening = {"role": "assistant", "content": None if reply.said.calls and not reply.said.text else ""}
    if not reply.flavour.bare:
        opening["refusal"] = None
    growing = [chunk(reply, opening), *(chunk(reply, delta, text, lp) for delta, text, lp in deltas(reply))]
    if reply.said.citations:
        growing.append(chunk(reply, {"annotations": citations(reply.said)}))
    closing = [chunk(reply, {}, finish=reply.finish_reason)]
    if reply.order.include_usage:
        closing.append(frame({**reply.head("chat.completion.chunk"), "choices": [], "usage": usage(reply)}))
    return growing, [*closing, DONE]


def deltas(reply: Reply) -> Iterator[tuple[dict[str, Any], str, list[str]]]:
    """The deltas between the first and the last, each with its text and its tokens."""
    for piece in pieces(reply.thoughts):
        yield {"reasoning_content": piece}, "", []
    for piece in pieces(reply.said.refusal or ""):
        yield {"refusal": piece}, "", []
    for piece in pieces("" if reply.said.refusal else reply.said.text):
        yield {"content": piece}, piece, [piece]
    for index, call in enumerate(reply.said.calls):
        head = {"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        yield {"tool_calls": [head]}, "", []
        for start in range(0, len(call.text), ARGUMENT_PIECE):
            piece = call.text[start : start + ARGUMENT_PIECE]
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}, "", []


def chunk(
    reply: Reply, delta: dict[str, Any], text: str = "", tokens: list[str] | None = None, finish: str | None = None
) -> Frame:
    """One chunk."""
    choice: dict[str, Any] = {"index": 0, "delta": delta}
    if not reply.flavour.bare or reply.order.logprobs:
        choice["logprobs"] = logprobs(tokens) if reply.order.logprobs and tokens else None
    choice["finish_reason"] = finish
    value = {**reply.head("chat.completion.chunk"), "choices": [choice]}
    if reply.order.include_usage:
        value["usage"] = None
    elif finish and reply.flavour.usage_in_last_chunk:
        value["usage"] = usage(reply)
    return frame(value, text)


def usage(reply: Reply) -> dict[str, Any]:
    """The tokens, in the flavour's form."""
    return reply.flavour.usage(reply.counts)


def frame(value: Any, text: str = "") -> Frame:
    """A JSON value as an event."""
    return Frame(f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode(), text)


def pieces(text: str) -> list[str]:
    """A text word by word."""
    return PIECE.findall(text)


def logprobs(tokens: list[str]) -> dict[str, Any]:
    """Log probabilities of a model that is nearly sure."""
    content = [
        {"token": token, "logprob": -0.01, "bytes": list(token.encode()), "top_logprobs": []} for token in tokens
    ]
    return {"content": content, "refusal": None}
