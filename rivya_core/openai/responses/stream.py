"""Reading the Responses API: the whole response and the streamed one, into deltas.

https://platform.openai.com/docs/api-reference/responses-streaming. Every event has a type; `EVENTS` says which of them
are read; all others are skipped. An event that repeats a whole part (`done`) adds only what its deltas
left out. The end is `response.completed`, `response.incomplete` or `response.failed`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from rivya_core.chat_stream import ChatStreamDecoder, further_usage, join, looks_like_sse, read_usage, with_refusal
from rivya_core.http.error_responses import error_from_response, invalid_response, parse_json
from rivya_core.http.frame_cache import values_of
from rivya_core.http.headers import reported_headers
from rivya_core.http.library import httpx
from rivya_core.http.sse import Event
from rivya_core.openai import custom_tools
from rivya_core.openai.chat.parsing import is_error
from rivya_core.openai.chat.stream import END_MARK, is_keep_alive
from rivya_core.openai.responses.items import ITEMS_KEY, seal_items
from rivya_core.openai.responses.output import (
    BETWEEN_SUMMARIES,
    CALLS,
    Output,
    call_piece,
    facts_of,
    read_output,
)
from rivya_core.openai.responses.part_tracker import PartTracker
from rivya_core.openai.responses.streamed_blocks import StreamedBlocks
from rivya_core.openai.tool_calls import ToolCalls
from rivya_core.sessions.pointers import Origin
from rivya_core.types import ChatDelta, ToolCallDelta

TEXT_DELTA = "response.output_text.delta"
UNFINISHED = ("queued", "in_progress", "cancelled")


@dataclass(frozen=True, slots=True)
class ResponseReading:
    """Settings for reading a reply.

    Attributes:
        origin: Where the response comes from, for the items that are kept.
        stored: Whether the provider keeps the response, unless that says otherwise.
        headers: Whether the metadata include the response's headers.
    """

    origin: Origin
    stored: bool = True
    headers: bool = False


def read_response(answer: httpx.Response, reading: ResponseReading) -> ChatDelta:
    """Return the reply in a whole body; a body that is a stream is read as a stream.

    Raises:
        APIError: The response failed, or the body holds no response.
    """
    if looks_like_sse(answer):
        return join(ResponsesStreamDecoder(answer, reading), answer.content)
    value = parse_json(answer)
    if is_error(value):
        raise error_from_response(answer, value)
    if not isinstance(value, Mapping) or not isinstance(value.get("output"), list):
        raise invalid_response(answer, "is not a response")
    if value.get("status") == "failed":
        raise error_from_response(answer, {"error": {"message": "The response failed."}})
    if value.get("status") in UNFINISHED:
        raise invalid_response(answer, f"is a response that is {value['status']}")
    output = read_output(value["output"])
    last = closing_delta(value, output, answer, reading)
    return last._replace(text=output.text, reasoning=output.reasoning, tool_calls=output.calls)


def closing_delta(
    value: Mapping[str, Any], output: Output, answer: httpx.Response, reading: ResponseReading
) -> ChatDelta:
    """Return the usage, metadata and blocks of the response *value*."""
    stored = value.get("store")
    facts = with_refusal(facts_of(value, output), said=bool(output.text or output.calls))
    facts[ITEMS_KEY] = seal_items(
        value.get("output"), reading.origin, stored=stored if isinstance(stored, bool) else reading.stored
    )
    if reading.headers:
        facts["headers"] = reported_headers(answer)
    further = further_usage(value.get("usage"))
    facts |= {"usage": further} if further else {}
    blocks, places = tuple(output.blocks), tuple(output.places)
    return ChatDelta(usage=read_usage(value.get("usage")), metadata=facts, last=True, blocks=blocks, places=places)


class ResponsesStreamDecoder(ChatStreamDecoder):
    """Decodes the body of a streamed response."""

    unread = values_of("sequence_number", "obfuscation")

    def __init__(self, response: httpx.Response, reading: ResponseReading) -> None:
        super().__init__(response)
        self._reading = reading
        self._value: dict[str, Any] = {}
        self._items: dict[int, Mapping[str, Any]] = {}
        self._blocks = StreamedBlocks()
        self._length = 0
        self._heard = PartTracker()
        self._refusals: list[str] = []
        self._calls = ToolCalls()
        self._pieces: list[str] = []
        self._thinks = self._marked = False

    @property
    def done(self) -> bool:
        """Whether no further event is needed."""
        return self.complete or self._marked or self._failure is not None

    @property
    def partial(self) -> str:
        """The text so far."""
        return "".join(self._pieces)

    @property
    def facts(self) -> Mapping[str, Any]:
        """The response as the events so far describe it."""
        return self._value

    def read(self, event: Event) -> list[ChatDelta]:
        """Return the deltas in one event."""
        try:
            value = from_json(event.data, allow_inf_nan=False)
        except ValueError:
            value = self._odd(event)
        if isinstance(value, list) and is_error(value):
            raise error_from_response(self.response, value)
        if not isinstance(value, dict):
            return []
        kind = str(value.get("type") or event.name)
        if kind == "error" or (not kind.startswith("response.") and is_error(value)):
            raise error_from_response(self.response, value if value.get("error") else {"error": value})
        reader = EVENTS.get(kind)
        return reader(self, value) if reader is not None else []

    def piece_in(self, event: Event) -> tuple[Any, str] | None:
        """Return the values of an event without its delta and those without a meaning, and the delta."""
        try:
            value = from_json(event.data, allow_inf_nan=False)
        except ValueError:
            return None
        if not isinstance(value, dict) or value.get("type") not in EVENTS or not isinstance(value.get("delta"), str):
            return None
        rest = {key: found for key, found in value.items() if key not in {"delta", "sequence_number", "obfuscation"}}
        return rest, value["delta"]

    def read_piece(self, rest: Any, text: str) -> list[ChatDelta]:
        """Return the deltas in an event with these values and this delta."""
        return EVENTS[rest["type"]](self, {**rest, "delta": text})

    def closing(self) -> ChatDelta:
        """Return usage, metadata and blocks."""
        if not isinstance(self._value.get("output"), list) or not self._value["output"]:
            self._value["output"] = [item for _, item in sorted(self._items.items())]
        output = read_output(self._value["output"])
        output.refusals = output.refusals if output.refusal else self._refusals
        last = self._blocks.left(closing_delta(self._value, output, self.response, self._reading))
        text = "" if self._pieces else output.text
        reasoning = "" if self._thinks else output.reasoning
        calls = self._calls.finish() if self._calls else output.calls
        return last._replace(text=text, reasoning=reasoning, tool_calls=calls)

    def whole(self, response: httpx.Response) -> ChatDelta:
        """Return the reply in a body that is not a stream."""
        return read_response(response, self._reading)

    def begun(self, event: Mapping[str, Any]) -> list[ChatDelta]:
        """Read the response's id; its other values are final only at the end."""
        value = event.get("response")
        self._value = dict(value) if isinstance(value, Mapping) else {}
        return []

    def text(self, event: Mapping[str, Any]) -> list[ChatDelta]:
        """A piece of text, or all of it."""
        new = self._heard.new("text", event, "text")
        if new:
            self._pieces.append(new)
            self._length += len(new)
        return [ChatDelta(new)] if new else []

    def refusal(self, event: Mapping[str, Any]) -> list[ChatDelta]:
        """A piece of a refusal, kept for the end."""
        self._refusals.append(self._heard.new("refusal", event, "refusal"))
        return []

    def reasoning(self, event: Mapping[str, Any]) -> list[ChatDelta]:
        """A piece of reasoning, or all of it; summaries are set apart."""
        fresh = self._thinks and not self._heard.of("thought", event)
        new = self._heard.new("thought", event, "text")
        self._thinks = self._thinks or bool(new)
        return [ChatDelta("", (BETWEEN_SUMMARIES if fresh else "") + new)] if new else []

    def arguments(self, event: Mapping[str, Any]) -> list[ChatDelta]:
        """A piece of a call's arguments, or all of them."""
        new = self._heard.new("arguments", event, "arguments")
        piece = {"index": self._heard.place(event), "function": {"arguments": new}}
        return _called(self._calls.add([piece])) if new else []

    def custom_input(self, event: Mapping[str, Any]) -> list[ChatDelta]:
        """A piece of what a custom tool is called with, or all of it."""
        new = self._heard.new("arguments", event, "input")
        piece = {"index": self._heard.place(event), custom_tools.CUSTOM: {"input": new}}
        return _called(self._calls.add([piece])) if new else []

    def item_added(self, event: Mapping[str, Any]) -> list[ChatDelta]:
        """An item begins; this event has a call's name."""
        item = event.get("item")
        if not isinstance(item, Mapping):
            return []
        place = self._heard.place({**event, "item_id": item.get("id")}, begins=True)
        if item.get("type") not in CALLS:
            return []
        return _called(self._calls.add([call_piece({**item, "arguments": "", "input": ""}, place)]))

    def item_done(self, event: Mapping[str, Any]) -> list[ChatDelta]:
        """An item is complete: add what its deltas left out."""
        item = event.get("item")
        if not isinstance(item, Mapping):
            return []
        deltas = self.item_added(event)
        place = {"output_index": self._heard.place({**event, "item_id": item.get("id")})}
        is_new = place["output_index"] not in self._items
        self._items[place["output_index"]] = item
        deltas += self._rest_of(item, place)
        blocks = self._blocks.add(item, self._length) if is_new else ()
        return [*deltas, ChatDelta(blocks=blocks)] if blocks else deltas

    def _rest_of(self, item: Mapping[str, Any], place: Mapping[str, Any]) -> list[ChatDelta]:
        match item.get("type"):
            case "function_call":
                return self.arguments({**place, "arguments": item.get("arguments")})
            case custom_tools.CALL:
                return self.custom_input({**place, "input": item.get("input")})
            case "message":
                return [d for part, said in _numbered(item, "content") for d in self.text({**place, **part, **said})]
            case "reasoning":
                key = "summary" if item.get("summary") else "content"
                return [d for part, said in _numbered(item, key) for d in self.reasoning({**place, **part, **said})]
            case _:
                return []

    def ended(self, event: Mapping[str, Any]) -> list[ChatDelta]:
        """The response has ended, complete or cut off by a limit: add what no earlier event has brought."""
        self.complete = True
        self.begun(event)
        items = self._value.get("output")
        if not isinstance(items, list):
            return []
        told = read_output(items).text == self.partial
        left = [(n, item) for n, item in enumerate(items) if not (told and _is_message(item))]
        return [delta for n, item in left for delta in self.item_done({"output_index": n, "item": item})]

    def failed(self, event: Mapping[str, Any]) -> list[ChatDelta]:
        """The response failed."""
        value = event.get("response")
        inner = value.get("error") if isinstance(value, Mapping) else None
        raise error_from_response(self.response, {"error": inner or {"message": "The response failed."}})

    def _odd(self, event: Event) -> Any:
        """An event that is not plain JSON: the end, a keep-alive, half a character, or invalid data."""
        if is_keep_alive(event.data):
            return None
        if event.data.startswith(END_MARK):
            self._marked = True
            self.complete = self.complete or bool(self._items)
            return None
        if event.name == "error":
            return {"type": "error", "message": event.data.decode("utf-8", "replace")}
        try:
            return self.parse_unusual(event.data)
        except ValueError:
            raise self.not_json(event.data) from None


def _is_message(item: Any) -> bool:
    return isinstance(item, Mapping) and item.get("type") == "message"


def _numbered(item: Mapping[str, Any], key: str) -> list[tuple[dict[str, int], Mapping[str, Any]]]:
    """The parts of a whole item, each with its number and the text in it."""
    parts = item.get(key)
    listed = parts if isinstance(parts, list) else []
    return [
        ({"content_index": at}, {"text": part.get("text")})
        for at, part in enumerate(listed)
        if isinstance(part, Mapping)
    ]


def _called(calls: tuple[ToolCallDelta, ...]) -> list[ChatDelta]:
    return [ChatDelta(tool_calls=calls)] if calls else []


Reader = Callable[[ResponsesStreamDecoder, Mapping[str, Any]], list[ChatDelta]]
EVENTS: dict[str, Reader] = {
    TEXT_DELTA: ResponsesStreamDecoder.text,
    "response.output_text.done": ResponsesStreamDecoder.text,
    "response.refusal.delta": ResponsesStreamDecoder.refusal,
    "response.refusal.done": ResponsesStreamDecoder.refusal,
    "response.reasoning_summary_text.delta": ResponsesStreamDecoder.reasoning,
    "response.reasoning_summary_text.done": ResponsesStreamDecoder.reasoning,
    "response.reasoning_text.delta": ResponsesStreamDecoder.reasoning,
    "response.reasoning_text.done": ResponsesStreamDecoder.reasoning,
    "response.function_call_arguments.delta": ResponsesStreamDecoder.arguments,
    "response.function_call_arguments.done": ResponsesStreamDecoder.arguments,
    "response.custom_tool_call_input.delta": ResponsesStreamDecoder.custom_input,
    "response.custom_tool_call_input.done": ResponsesStreamDecoder.custom_input,
    "response.created": ResponsesStreamDecoder.begun,
    "response.output_item.added": ResponsesStreamDecoder.item_added,
    "response.output_item.done": ResponsesStreamDecoder.item_done,
    "response.completed": ResponsesStreamDecoder.ended,
    "response.incomplete": ResponsesStreamDecoder.ended,
    "response.failed": ResponsesStreamDecoder.failed,
}
"""The reader of each type of event; other types are skipped."""
