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
from langchain_core.outputs import ChatGenerationChunk

from langchain_rivya.chat_models.text_chunks import text_chunk
from rivya_core.http.json_codec import loads
from rivya_core.openai.custom_tools import input_of
from rivya_core.openai.responses.item_types import is_failed, is_provider_run, is_unfinished
from rivya_core.types import ChatDelta, ToolCallDelta, Usage

TOOL_CALL_INDEX_OFFSET = 1000
"""Added to a tool call's index in `output_version="v1"`, where blocks of text and reasoning are numbered from 0."""
RESULTS = ("error", "outputs", "results", "output", "tools")
"""Under which keys items report what a tool of the provider gave."""
UNREPAIRABLE = '"' + "}]" * 16 + '"' + "}]" * 16
"""An invalid ending for incomplete JSON: the first half if it was cut inside a string, otherwise the second."""

NOT_AN_OBJECT = "The arguments are not a JSON object."
NO_NAME = "The call names no tool."


def to_message(delta: ChatDelta, provider: str) -> AIMessage:
    """Return a whole reply as a message."""
    valid, invalid = _calls(delta)
    return AIMessage(
        content=_content(delta),
        additional_kwargs=_extras(delta),
        response_metadata=response_metadata(delta, provider),
        usage_metadata=usage_metadata(delta.usage),
        tool_calls=valid,
        invalid_tool_calls=invalid,
    )


def to_chunk(delta: ChatDelta, provider: str) -> AIMessageChunk:
    """Return a piece of a reply as a chunk; metadata and usage are on the last one only: merging adds them up."""
    if delta.last:
        return AIMessageChunk(
            content=_content(delta),
            additional_kwargs=_extras(delta),
            response_metadata=response_metadata(delta, provider),
            usage_metadata=usage_metadata(delta.usage),
            tool_call_chunks=_chunks(delta),
            chunk_position="last",
        )
    if delta.tool_calls:
        return AIMessageChunk(content=delta.text, additional_kwargs=_extras(delta), tool_call_chunks=_chunks(delta))
    if delta.reasoning:
        return AIMessageChunk(content=delta.text, additional_kwargs=_extras(delta))
    return AIMessageChunk(content=delta.text)


def to_generation_chunk(provider: str, first_call: int, delta: ChatDelta) -> ChatGenerationChunk:
    """Return a piece of a reply as LangChain's streams want it, with tool calls numbered from *first_call*."""
    if not (delta.last or delta.reasoning or delta.tool_calls):
        return text_chunk(delta.text)
    if first_call and delta.tool_calls:
        calls = tuple(replace(call, index=first_call + call.index) for call in delta.tool_calls)
        delta = delta._replace(tool_calls=calls)
    return ChatGenerationChunk(message=to_chunk(delta, provider))


def usage_metadata(usage: Usage | None) -> UsageMetadata | None:
    """Return *usage* in LangChain's form."""
    if usage is None:
        return None
    found = UsageMetadata(
        input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, total_tokens=usage.total_tokens
    )
    read = {"cache_read": usage.cached_tokens, "cache_creation": usage.cache_write_tokens}
    inputs = _known({**read, "audio": usage.audio_input_tokens})
    outputs = _known({"reasoning": usage.reasoning_tokens, "audio": usage.audio_output_tokens})
    if inputs:
        found["input_token_details"] = cast("InputTokenDetails", inputs)
    if outputs:
        found["output_token_details"] = cast("OutputTokenDetails", outputs)
    return found


def llm_output(message: AIMessage) -> dict[str, Any]:
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


def _known(counts: dict[str, int | None]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count is not None}


def _extras(delta: ChatDelta) -> dict[str, Any]:
    extras: dict[str, Any] = {"reasoning_content": delta.reasoning} if delta.reasoning else {}
    if delta.metadata.get("refusal"):
        extras["refusal"] = delta.metadata["refusal"]
    return extras


def _content(delta: ChatDelta) -> str | list[str | dict[str, Any]]:
    """Text as a string; with citations, images, sound or a refusal, a list of LangChain's standard blocks."""
    refusal = delta.metadata.get("refusal")
    if not delta.blocks and not refusal:
        return delta.text
    citations = [_citation(block) for block in delta.blocks if block.get("type") == "url_citation"]
    text: dict[str, Any] = {"type": "text", "text": delta.text}
    if citations:
        text["annotations"] = citations
    others: list[str | dict[str, Any]] = [
        made for block in delta.blocks if block.get("type") != "url_citation" for made in _blocks(block)
    ]
    if refusal:
        others.append({"type": "refusal", "refusal": refusal})
    return [text, *others] if citations or delta.text else others


def _citation(block: Mapping[str, Any]) -> dict[str, Any]:
    names = ("url", "title", "start_index", "end_index", "cited_text")
    known = {name: block[name] for name in names if block.get(name) is not None}
    rest = {key: value for key, value in block.items() if key not in {"type", *names}}
    return {"type": "citation", **known, **({"extras": rest} if rest else {})}


def _blocks(block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """An image or sound as the standard block, a tool that the provider ran as its call and result, the rest unchanged.

    A call that the caller must run is no standard block: nothing says that it is done.
    """
    if not is_provider_run(block):
        yield _block(str(block.get("type")), block)
        return
    name = str(block["type"]).removesuffix("_call")
    facts = {key: value for key, value in block.items() if key not in {"type", "id", "status", "action", *RESULTS}}
    args = block["action"] if isinstance(block.get("action"), Mapping) else facts
    yield {"type": "server_tool_call", "id": block.get("id"), "name": name, "args": dict(args)}
    if not is_unfinished(block):
        results = [block[key] for key in RESULTS if block.get(key) is not None]
        status = "error" if is_failed(block) else "success"
        output = {"output": results[0]} if results else {}
        yield {"type": "server_tool_result", "tool_call_id": block.get("id"), "status": status, **output}


def _block(kind: str, block: Mapping[str, Any]) -> dict[str, Any]:
    if kind == "image_url":
        inner = block.get("image_url")
        url = inner.get("url") if isinstance(inner, Mapping) else inner
        facts = {key: value for key, value in block.items() if key not in {"type", "image_url", "id", "index"}}
        own = {"id": block["id"]} if isinstance(block.get("id"), str) else {}
        return {**_linked("image", str(url or "")), **own, **({"extras": facts} if facts else {})}
    if kind == "audio":
        return {"type": "audio", "base64": block.get("data"), "mime_type": block.get("mime_type", "audio/wav")}
    return {"type": "non_standard", "value": dict(block)}


def _linked(kind: str, url: str) -> dict[str, Any]:
    if not url.startswith("data:"):
        return {"type": kind, "url": url}
    head, _, data = url.partition(",")
    return {"type": kind, "base64": data, "mime_type": head.removeprefix("data:").partition(";")[0]}


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


def _calls(delta: ChatDelta) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    return list(_valid(delta)), list(_invalid(delta))


def _valid(delta: ChatDelta) -> Iterator[ToolCall]:
    for call in delta.tool_calls:
        if not call.invalid:
            yield tool_call(name=call.name or "", args=loads(_arguments(call) or "{}"), id=call.id)


def _invalid(delta: ChatDelta) -> Iterator[InvalidToolCall]:
    for call in delta.tool_calls:
        if call.invalid:
            error = call.error or (NOT_AN_OBJECT if call.name else NO_NAME)
            yield invalid_tool_call(name=call.name, args=call.arguments, id=call.id, error=error)
