"""The core's deltas to LlamaIndex's responses. Pure; no wire is known here.

Streamed responses hold everything so far, as LlamaIndex's agents expect: each chunk's message is a new one, `delta`
is what it adds, and the last one is complete. What did not change from chunk to chunk is shared between them.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from llama_index.core.base.llms.types import (
    AudioBlock,
    ChatMessage,
    ChatResponse,
    CitationBlock,
    CompletionResponse,
    ContentBlock,
    ImageBlock,
    LogProb,
    MessageRole,
    TextBlock,
    ThinkingBlock,
)
from pydantic import BaseModel, ValidationError

from llamaindex_rivya.llms.blocks import RefusalBlock
from llamaindex_rivya.llms.tool_calls import CallsSoFar
from rivya_core.openai.block_order import is_citation
from rivya_core.openai.responses.item_types import is_client_run, is_provider_run
from rivya_core.pydantic_fast import construct_unvalidated
from rivya_core.types import CLIENT_CALLS_KEY, ChatDelta, Usage

M = TypeVar("M", bound=BaseModel)

COUNTERS = ("prompt_tokens", "completion_tokens", "total_tokens")
PLACES = ("start_index", "end_index")
SOURCES = ("url", "file_id", "filename")
NOT_IN_MESSAGES = frozenset({"logprobs", "headers"})
"""Metadata that would only fill a memory; they are in `raw`."""


class Accumulator:
    """Turns the deltas of one reply into responses that each hold everything so far.

    Args:
        single: Whether only the first tool call counts.
    """

    def __init__(self, *, single: bool = False) -> None:
        self._text = ""
        self._reasoning = ""
        self._thinking: list[ContentBlock] = []
        self._blocks: list[Mapping[str, Any]] = []
        self._calls = CallsSoFar(single=single)

    def add(self, delta: ChatDelta) -> ChatResponse:
        """Return the reply so far, with *delta* added."""
        self._text += delta.text
        self._blocks += delta.blocks
        if not (delta.last or delta.reasoning or delta.tool_calls):  # nearly all of them
            return _response(_message(*self._said()), delta.text)
        if delta.reasoning:
            self._reasoning += delta.reasoning
            self._thinking = [_thinking_block(self._reasoning)]
        if delta.tool_calls:
            self._calls.add(delta.tool_calls)
        ending = _ending(delta) if delta.last else {}
        said = self._ended(delta) if delta.last else self._said()
        response = _response(_message(*said), delta.text + self._refused(delta), **ending)
        if delta.reasoning:
            response.additional_kwargs["thinking_delta"] = delta.reasoning
        return response

    def _refused(self, delta: ChatDelta) -> str:
        """What a refusal adds to the message's content."""
        words = delta.metadata.get("refusal")
        return "" if not words else f"\n{words}" if self._text else str(words)

    def _said(self) -> tuple[list[ContentBlock], dict[str, Any]]:
        """The blocks and facts of a message with all deltas so far, joined."""
        blocks: list[ContentBlock] = [*self._thinking, _built(TextBlock, {"block_type": "text", "text": self._text})]
        return ([*blocks, *self._calls.blocks], dict(self._calls.facts)) if self._calls else (blocks, {})

    def _ended(self, delta: ChatDelta) -> tuple[list[ContentBlock], dict[str, Any]]:
        """The same with what the last delta says about the whole reply."""
        blocks, facts = self._said()
        facts |= {key: value for key, value in delta.metadata.items() if key not in NOT_IN_MESSAGES}
        if self._blocks:
            citations = [dict(block) for block in self._blocks if is_citation(block)]
            facts |= {"citations": citations} if citations else {}
            made = [dict(block) for block in self._blocks if is_provider_run(block)]
            facts |= {"built_in_tool_calls": made} if made else {}
            asked = [dict(block) for block in self._blocks if is_client_run(block)]
            facts |= {CLIENT_CALLS_KEY: asked} if asked else {}
            blocks += [found for block in self._blocks if (found := _media(block)) is not None]
            blocks += [_citation(block, self._text) for block in citations]
        return self._with_refusal(blocks, facts.get("refusal")), facts

    def _with_refusal(self, blocks: list[ContentBlock], refusal: Any) -> list[ContentBlock]:
        """The blocks with one for a refusal, in place of a text that is empty."""
        if not refusal:
            return blocks
        others = [block for block in blocks if self._text or not isinstance(block, TextBlock)]
        return [*others, RefusalBlock(text=str(refusal))]


def _message(blocks: list[ContentBlock], facts: dict[str, Any]) -> ChatMessage:
    return _built(ChatMessage, {"role": MessageRole.ASSISTANT, "additional_kwargs": facts, "blocks": blocks})


def _response(message: ChatMessage, delta: str, **ending: Any) -> ChatResponse:
    values: dict[str, Any] = {
        "message": message,
        "raw": None,
        "delta": delta,
        "logprobs": None,
        "additional_kwargs": {},
        **ending,
    }
    return _built(ChatResponse, values)


def _thinking_block(text: str) -> ThinkingBlock:
    values: dict[str, Any] = {
        "block_type": "thinking",
        "content": text,
        "num_tokens": None,
        "additional_information": {},
    }
    return _built(ThinkingBlock, values)


def _built(kind: type[M], values: dict[str, Any]) -> M:
    """Return a *kind* with these values, all that it has; a stream makes three of them a chunk."""
    return construct_unvalidated(kind, values, set(values))


def whole(delta: ChatDelta, *, single: bool = False) -> ChatResponse:
    """Return a whole reply as a response."""
    response = Accumulator(single=single).add(delta)
    response.delta = None
    response.additional_kwargs.pop("thinking_delta", None)
    return response


def as_completion(response: ChatResponse) -> CompletionResponse:
    """Return a chat response as the completion that it is."""
    values = {
        "text": response.message.content or "",
        "additional_kwargs": {**response.message.additional_kwargs, **response.additional_kwargs},
        "raw": response.raw,
        "logprobs": response.logprobs,
        "delta": response.delta,
    }
    return _built(CompletionResponse, values)


def _ending(delta: ChatDelta) -> dict[str, Any]:
    """What only a complete reply has: the provider's facts, usage where counters look for it, log probabilities."""
    usage = _usage(delta.usage) if delta.usage else {}
    further = delta.metadata.get("usage")
    logprobs = delta.metadata.get("logprobs")
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    return {
        "raw": {**delta.metadata, **({"usage": {**(further or {}), **usage}} if usage else {})},
        "additional_kwargs": {name: usage[name] for name in COUNTERS} if usage else {},
        "logprobs": [_logprobs(token) for token in tokens if isinstance(token, Mapping)]
        if isinstance(tokens, list)
        else None,
    }


def _usage(usage: Usage) -> dict[str, Any]:
    counts: dict[str, Any] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }
    if usage.cached_tokens is not None:
        counts["prompt_tokens_details"] = {"cached_tokens": usage.cached_tokens}
    if usage.reasoning_tokens is not None:
        counts["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return counts


def _logprobs(token: Mapping[str, Any]) -> list[LogProb]:
    """The alternatives to a token, or the token alone."""
    found = _listed(token.get("top_logprobs")) or [token]
    return [
        LogProb(
            token=str(item.get("token") or ""),
            logprob=item["logprob"] if isinstance(item.get("logprob"), (int, float)) else 0.0,
            bytes=[byte for byte in _listed(item.get("bytes")) if isinstance(byte, int)],
        )
        for item in found
        if isinstance(item, Mapping)
    ]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _media(block: Mapping[str, Any]) -> ContentBlock | None:
    """An image or sound that the model generated; None if LlamaIndex has no block for it."""
    if block.get("type") == "image_url":
        inner = block.get("image_url")
        url = inner.get("url") if isinstance(inner, Mapping) else inner
        try:
            return ImageBlock(url=url) if url else None
        except ValidationError:
            return None
    data = block.get("data")
    if block.get("type") == "audio" and isinstance(data, str) and data:
        return AudioBlock(audio=data.encode(), format=str(block.get("format") or "wav"))
    return None


def _citation(block: Mapping[str, Any], text: str) -> CitationBlock:
    """A citation as a block, with the part of the *text* that it is about, if that is known."""
    places = {key: value for key in PLACES if isinstance(value := block.get(key), int)}
    start, end = (places.get(key, 0) for key in PLACES)
    source = next((str(block[key]) for key in SOURCES if block.get(key)), "")
    return CitationBlock(
        cited_content=TextBlock(text=text[max(0, start) : max(0, end)]),
        source=source,
        title=str(block.get("title") or block.get("filename") or source),
        additional_location_info=places,
    )
