"""The Responses API's stream of events (https://platform.openai.com/docs/api-reference/responses-streaming)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rivya_sandbox.openai.chat_response import ARGUMENT_PIECE, logprobs, pieces
from rivya_sandbox.openai.responses_output import ResponseObject
from rivya_sandbox.streams import Frame

Event = tuple[str, dict[str, Any]]


def frames(response: ResponseObject) -> tuple[list[Frame], list[Frame]]:
    """Return the events while the output grows, and the last event."""
    end = "incomplete" if response.reason else "completed"
    events = [*growing(response), (f"response.{end}", {"response": response.body()})]
    numbered = [frame(kind, number, facts) for number, (kind, facts) in enumerate(events)]
    return numbered[:-1], numbered[-1:]


def frame(kind: str, number: int, facts: dict[str, Any]) -> Frame:
    """Return one event."""
    value = {"type": kind, "sequence_number": number, **facts}
    text = facts["delta"] if kind == "response.output_text.delta" else ""
    return Frame(f"event: {kind}\ndata: {json.dumps(value, ensure_ascii=False)}\n\n".encode(), text)


def growing(response: ResponseObject) -> Iterator[Event]:
    """Yield all events except the last."""
    yield "response.created", {"response": response.started()}
    yield "response.in_progress", {"response": response.started()}
    for index, item in enumerate(response.output):
        yield "response.output_item.added", {"output_index": index, "item": opened(item)}
        place = {"item_id": item["id"], "output_index": index}
        match item["type"]:
            case "message":
                yield from message(item, place, response)
            case "reasoning":
                yield from reasoning(item, place)
            case "web_search_call":
                for step in ("in_progress", "searching", "completed"):
                    yield f"response.web_search_call.{step}", place
            case "function_call":
                yield from function_call(item, place)
        yield "response.output_item.done", {"output_index": index, "item": item}


def opened(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item before it has content."""
    empty: dict[str, Any] = {
        "message": {"content": []},
        "function_call": {"arguments": ""},
        "reasoning": {"summary": []},
    }
    status = {} if item["type"] == "reasoning" else {"status": "in_progress"}
    return {**item, **empty.get(item["type"], {}), **status}


def message(item: dict[str, Any], place: dict[str, Any], response: ResponseObject) -> Iterator[Event]:
    """Yield the events of a message."""
    for number, part in enumerate(item["content"]):
        where = {**place, "content_index": number}
        if part["type"] == "refusal":
            yield "response.content_part.added", {**where, "part": {**part, "refusal": ""}}
            for piece in pieces(part["refusal"]):
                yield "response.refusal.delta", {**where, "delta": piece}
            yield "response.refusal.done", {**where, "refusal": part["refusal"]}
        else:
            yield from text(part, where, response)
        yield "response.content_part.done", {**where, "part": part}


def text(part: dict[str, Any], where: dict[str, Any], response: ResponseObject) -> Iterator[Event]:
    """Yield the events of a text, word by word, and of its citations."""
    yield "response.content_part.added", {**where, "part": {**part, "text": "", "annotations": [], "logprobs": []}}
    for piece in pieces(part["text"]):
        known = without_bytes(logprobs([piece])["content"]) if response.request.chat.logprobs else []
        yield "response.output_text.delta", {**where, "delta": piece, "logprobs": known}
    for number, cited in enumerate(part["annotations"]):
        yield "response.output_text.annotation.added", {**where, "annotation_index": number, "annotation": cited}
    yield "response.output_text.done", {**where, "text": part["text"], "logprobs": without_bytes(part["logprobs"])}


def without_bytes(tokens: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return log probabilities as events have them: without bytes."""
    return [{key: value for key, value in token.items() if key != "bytes"} for token in tokens]


def reasoning(item: dict[str, Any], place: dict[str, Any]) -> Iterator[Event]:
    """Yield the events of a reasoning item's summaries."""
    for number, part in enumerate(item["summary"]):
        where = {**place, "summary_index": number}
        yield "response.reasoning_summary_part.added", {**where, "part": {**part, "text": ""}}
        for piece in pieces(part["text"]):
            yield "response.reasoning_summary_text.delta", {**where, "delta": piece}
        yield "response.reasoning_summary_text.done", {**where, "text": part["text"]}
        yield "response.reasoning_summary_part.done", {**where, "part": part}


def function_call(item: dict[str, Any], place: dict[str, Any]) -> Iterator[Event]:
    """Yield the events of a call's arguments, in pieces."""
    for start in range(0, len(item["arguments"]), ARGUMENT_PIECE):
        piece = item["arguments"][start : start + ARGUMENT_PIECE]
        yield "response.function_call_arguments.delta", {**place, "delta": piece}
    whole = {"name": item["name"], "arguments": item["arguments"]}
    yield "response.function_call_arguments.done", {**place, **whole}
