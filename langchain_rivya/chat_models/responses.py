"""Converts the core's deltas to LangChain's messages and chunks. Pure and independent of the API.

It works around two behaviours of langchain-core. Merging chunks in `output_version="v1"` joins a text block and a tool
call with the same index, so there the indexes of calls get a large offset. And the last chunk repairs incomplete
arguments to a valid call, so invalid arguments get an ending that cannot be repaired.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk, InvalidToolCall, ToolCall, ToolCallChunk
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import invalid_tool_call, tool_call
from langchain_core.messages.tool import tool_call_chunk as chunk_of
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from langchain_rivya.chat_models.content import Content, ContentWriter
from langchain_rivya.chat_models.text_chunks import text_chunk, text_message, text_result
from rivya_core.http.json_codec import loads
from rivya_core.openai.custom_tools import input_of
from rivya_core.types import ChatDelta, ToolCallDelta, Usage

TOOL_CALL_INDEX_OFFSET = 1000
"""Added to a tool call's index in `output_version="v1"`, where blocks of text and reasoning are numbered from 0."""
UNREPAIRABLE = '"' + "}]" * 16 + '"' + "}]" * 16
"""An invalid ending for incomplete JSON: the first half if it was cut inside a string, otherwise the second."""

NOT_AN_OBJECT = "The arguments are not a JSON object."
NO_NAME = "The call names no tool."


def to_result(delta: ChatDelta, provider: str) -> ChatResult:
    """Return a whole reply as LangChain's result."""
    message = to_message(delta, provider)
    if isinstance(message.content, str):
        return text_result(message, _llm_output(message))
    return ChatResult(generations=[ChatGeneration(message=message)], llm_output=_llm_output(message))


def to_message(delta: ChatDelta, provider: str) -> AIMessage:
    """Return a whole reply as a message."""
    metadata, usage = response_metadata(delta, provider), usage_metadata(delta.usage)
    content = ContentWriter().write(delta)
    given = {"additional_kwargs": _extras(delta), **_calls(delta)}
    if isinstance(content, str) and not any(given.values()):
        return text_message(content, metadata, usage)
    return AIMessage(content=content, response_metadata=metadata, usage_metadata=usage, **given)


def to_chunk(delta: ChatDelta, provider: str, content: Content) -> AIMessageChunk:
    """Return a piece of a reply as a chunk; metadata and usage are on the last one only: merging adds them up."""
    if delta.last:
        return AIMessageChunk(
            content=content,
            additional_kwargs=_extras(delta),
            response_metadata=response_metadata(delta, provider),
            usage_metadata=usage_metadata(delta.usage),
            tool_call_chunks=_chunks(delta),
            chunk_position="last",
        )
    if delta.tool_calls:
        return AIMessageChunk(content=content, additional_kwargs=_extras(delta), tool_call_chunks=_chunks(delta))
    if delta.reasoning:
        return AIMessageChunk(content=content, additional_kwargs=_extras(delta))
    return AIMessageChunk(content=content)


class ChunkWriter:
    """Turns the deltas of one reply into LangChain's chunks.

    Args:
        provider: Name of the provider.
        output_version: LangChain's form of content.
        expects_blocks: Whether the reply probably cites sources.
    """

    def __init__(self, provider: str, output_version: str | None, *, expects_blocks: bool = False) -> None:
        is_v1 = output_version == "v1"
        self._provider = provider
        self._first_call = TOOL_CALL_INDEX_OFFSET if is_v1 else 0
        self._content = ContentWriter(numbered=not is_v1, separate=is_v1, expects_blocks=expects_blocks)

    def chunk(self, delta: ChatDelta) -> ChatGenerationChunk:
        """Return *delta* as a chunk."""
        if not (delta.last or delta.tool_calls or delta.blocks or self._content.as_blocks):
            return text_chunk(self._content.plain(delta.text) if delta.text else "", delta.reasoning)
        if self._first_call and delta.tool_calls:
            calls = tuple(replace(call, index=self._first_call + call.index) for call in delta.tool_calls)
            delta = delta._replace(tool_calls=calls)
        return ChatGenerationChunk(message=to_chunk(delta, self._provider, self._content.write(delta)))


def usage_metadata(usage: Usage | None) -> UsageMetadata | None:
    """Return *usage* in LangChain's form."""
    if usage is None:
        return None
    found = UsageMetadata(
        input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, total_tokens=usage.total_tokens
    )
    inputs = _known(
        cache_read=usage.cached_tokens, cache_creation=usage.cache_write_tokens, audio=usage.audio_input_tokens
    )
    outputs = _known(reasoning=usage.reasoning_tokens, audio=usage.audio_output_tokens)
    if inputs:
        found["input_token_details"] = cast("InputTokenDetails", inputs)
    if outputs:
        found["output_token_details"] = cast("OutputTokenDetails", outputs)
    return found


def _llm_output(message: AIMessage) -> dict[str, Any]:
    """Return a reply's usage and model in the form for handlers older than `usage_metadata`."""
    found: dict[str, Any] = {"model_name": message.response_metadata.get("model_name")}
    usage = message.usage_metadata
    if usage is not None:
        found["token_usage"] = {
            "prompt_tokens": usage["input_tokens"],
            "completion_tokens": usage["output_tokens"],
            "total_tokens": usage["total_tokens"],
        }
    return found


def combined_output(outputs: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """Return the outputs of several replies as one, with their tokens added up."""
    combined: dict[str, Any] = {}
    totals: dict[str, int] = {}
    for output in outputs:  # a reply from the cache has none
        combined.update(output or {})
        for name, count in ((output or {}).get("token_usage") or {}).items():
            totals[name] = totals.get(name, 0) + count
    return {**combined, "token_usage": totals} if totals else combined


def response_metadata(delta: ChatDelta, provider: str) -> dict[str, Any]:
    """Return the reply's metadata by LangChain's names."""
    if not delta.last:
        return {}
    facts = {key: value for key, value in delta.metadata.items() if key not in {"model", "refusal"}}
    model = delta.metadata.get("model")
    return {"model_provider": provider, **({"model_name": model} if model else {}), **facts}


def _known(**counts: int | None) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count is not None}


def _extras(delta: ChatDelta) -> dict[str, Any]:
    extras: dict[str, Any] = {"reasoning_content": delta.reasoning} if delta.reasoning else {}
    if delta.metadata.get("refusal"):
        extras["refusal"] = delta.metadata["refusal"]
    return extras


def _chunks(delta: ChatDelta) -> list[ToolCallChunk]:
    return [_chunk(call) for call in delta.tool_calls]


def _chunk(call: ToolCallDelta) -> ToolCallChunk:
    ending = UNREPAIRABLE if call.invalid else ""
    return chunk_of(name=call.name, args=_arguments(call) + ending, id=call.id, index=call.index)


def _arguments(call: ToolCallDelta) -> str:
    """The arguments, or a piece of them; the only one of a custom tool has a name of its own in LangChain."""
    if not call.custom or not call.arguments:
        return call.arguments
    return json.dumps({"__arg1": input_of(call.arguments)}, ensure_ascii=False)


def _calls(delta: ChatDelta) -> dict[str, Any]:
    if not delta.tool_calls:
        return {}
    return {"tool_calls": list(_valid(delta)), "invalid_tool_calls": list(_invalid(delta))}


def _valid(delta: ChatDelta) -> Iterator[ToolCall]:
    for call in delta.tool_calls:
        if not call.invalid:
            yield tool_call(name=call.name or "", args=loads(_arguments(call) or "{}"), id=call.id)


def _invalid(delta: ChatDelta) -> Iterator[InvalidToolCall]:
    for call in delta.tool_calls:
        if call.invalid:
            error = call.error or (NOT_AN_OBJECT if call.name else NO_NAME)
            yield invalid_tool_call(name=call.name, args=call.arguments, id=call.id, error=error)
