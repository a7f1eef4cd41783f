"""Reading a response of the Responses API: its output items, status and metadata. Pure.

https://platform.openai.com/docs/api-reference/responses/object. Items come in any order, and new kinds are added all
the time: what is neither text, reasoning nor a function call is handed on as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rivya_core.openai import custom_tools
from rivya_core.openai.responses.item_types import image_block, is_client_run
from rivya_core.openai.tool_calls import whole_calls
from rivya_core.types import ToolCallDelta

FACTS = {"id": "id", "model": "model", "created_at": "created", "service_tier": "service_tier", "status": "status"}
REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}
BETWEEN_SUMMARIES = "\n\n"
CALLS = ("function_call", custom_tools.CALL)


@dataclass
class Output:
    """The contents of all output items of a response.

    Attributes:
        texts: Texts of all messages.
        length: Number of characters in them.
        reasonings: Reasoning of all items: the summaries, or the reasoning itself if there are no summaries.
        refusals: Refusals instead of text.
        calls: Calls of functions and custom tools, numbered in their order.
        blocks: Citations with their places in `text`, and all other items.
        places: How much of the text is before each of the blocks.
        logprobs: Log probabilities of the text's tokens.
    """

    texts: list[str] = field(default_factory=list)
    length: int = 0
    reasonings: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    calls: tuple[ToolCallDelta, ...] = ()
    blocks: list[Mapping[str, Any]] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    logprobs: list[Any] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.texts)

    @property
    def reasoning(self) -> str:
        """The whole reasoning."""
        return BETWEEN_SUMMARIES.join(self.reasonings)

    @property
    def refusal(self) -> str:
        """The whole refusal."""
        return "".join(self.refusals)


def read_output(items: Any) -> Output:
    """Return the contents of *items*."""
    output = Output()
    listed = [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
    for item in listed:
        read_item(item, output)
    output.calls = whole_calls([call_piece(item) for item in listed if item.get("type") in CALLS])
    return output


def read_item(item: Mapping[str, Any], output: Output) -> None:
    """Add the contents of *item* to *output*, except for a call."""
    match item.get("type"):
        case "message":
            _read_message(item, output)
        case "reasoning":
            if (reasoning := reasoning_of(item)) or output.reasonings:
                output.reasonings.append(reasoning)
        case "function_call" | custom_tools.CALL:
            pass
        case _:
            output.blocks.append(image_block(item) or item)
            output.places.append(output.length)


def call_piece(item: Mapping[str, Any], index: int | None = None) -> dict[str, Any]:
    """Return a call item in the form of a chat completion's tool call; its result names `call_id`."""
    place = {"index": index, "id": item.get("call_id") or item.get("id")}
    if item.get("type") == custom_tools.CALL:
        return {**place, custom_tools.CUSTOM: {"name": item.get("name"), "input": item.get("input")}}
    return {**place, "function": {"name": item.get("name"), "arguments": item.get("arguments")}}


def reasoning_of(item: Mapping[str, Any]) -> str:
    """Return the text of a reasoning item."""
    return BETWEEN_SUMMARIES.join(_texts(item.get("summary"))) or "".join(_texts(item.get("content")))


def _texts(parts: Any) -> list[str]:
    found = [part.get("text") for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else []
    return [text for text in found if isinstance(text, str)]


def _read_message(item: Mapping[str, Any], output: Output) -> None:
    for part in _parts(item.get("content")):
        if isinstance(part.get("refusal"), str):
            output.refusals.append(part["refusal"])
        if not isinstance(part.get("text"), str):
            continue
        citations = [cited(found, output.length) for found in _parts(part.get("annotations"))]
        output.texts.append(part["text"])
        output.length += len(part["text"])
        output.blocks += citations
        output.places += [output.length] * len(citations)
        if isinstance(part.get("logprobs"), list):
            output.logprobs += part["logprobs"]


def _parts(parts: Any) -> Iterable[Mapping[str, Any]]:
    if isinstance(parts, str):
        return [{"text": parts}]
    return [part for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else []


def cited(annotation: Mapping[str, Any], offset: int) -> Mapping[str, Any]:
    """Return a citation with its places in the whole text instead of in its part."""
    places = {
        key: annotation[key] + offset
        for key in ("start_index", "end_index")
        if isinstance(annotation.get(key), int) and not isinstance(annotation.get(key), bool)
    }
    return {**annotation, **places} if offset else annotation


def facts_of(response: Mapping[str, Any], output: Output) -> dict[str, Any]:
    """Return what goes into a message's metadata, by the names that chat completions have for it."""
    facts = {name: response[key] for key, name in FACTS.items() if response.get(key) not in (None, "")}
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, Mapping) else None
    if isinstance(reason, str):
        facts["incomplete_reason"] = reason
    found = {
        "finish_reason": _finish_reason(response.get("status"), reason, output),
        "refusal": output.refusal or None,
        "logprobs": {"content": output.logprobs} if output.logprobs else None,
    }
    if "previous_response_id" in response:
        facts["previous_response_id"] = response["previous_response_id"]  # null says that none was continued
    return {**facts, **{key: value for key, value in found.items() if value is not None}}


def _finish_reason(status: Any, reason: Any, output: Output) -> str | None:
    if status == "incomplete":
        return REASONS.get(str(reason), str(reason) if reason else "length")
    return "tool_calls" if output.calls or any(map(is_client_run, output.blocks)) else "stop"
