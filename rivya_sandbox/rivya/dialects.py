"""The forms in which Rivya's API can stream a reply.

The events of `POST /chat/completions/stream` are not documented, so a client must handle many forms. Each dialect is
one of them; `named` is the default. The first group differs in the events. The second group is `named` with other line
endings, comments and so on, all of them valid server-sent events
(https://html.spec.whatwg.org/multipage/server-sent-events.html).

A dialect is data: the form of the opening event, of a piece of reasoning, of a piece of text and of the closing event.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from rivya_sandbox.streams import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rivya_sandbox.rivya.reply import Reply

DONE = "[DONE]"


@dataclass(frozen=True)
class Event:
    """One server-sent event: an optional name, and JSON or plain text."""

    name: str | None
    data: Any

    def encode(self) -> bytes:
        """Return the event's lines and the blank line after them."""
        text = self.data if isinstance(self.data, str) else json.dumps(self.data, ensure_ascii=False)
        named = f"event: {self.name}\n" if self.name else ""
        return f"{named}data: {text}\n\n".encode()


def no_events(_reply: Reply) -> tuple[Event, ...]:
    """Send nothing here."""
    return ()


def unchanged(frame: bytes, _number: int) -> bytes:
    """Leave the bytes unchanged."""
    return frame


@dataclass(frozen=True)
class Dialect:
    """How a reply is streamed.

    Attributes:
        text: The event for a piece of the text.
        reasoning: The event for a piece of the reasoning.
        closing: The events at the end.
        opening: The events at the start.
        share: The share of the text that comes in pieces. If less than 1, the closing event must contain all text.
        encode: Changes the bytes of each event, given its number.
    """

    text: Callable[[str], Event]
    reasoning: Callable[[str], Event]
    closing: Callable[[Reply], tuple[Event, ...]]
    opening: Callable[[Reply], tuple[Event, ...]] = no_events
    share: float = 1.0
    encode: Callable[[bytes, int], bytes] = unchanged

    def frames(self, reply: Reply) -> tuple[list[Frame], list[Frame]]:
        """Return the frames of a reply: those while the text grows, and those that close it."""
        pieces = pieces_of(reply.answer.text)
        shown = pieces[: round(len(pieces) * self.share)]
        growing = [Frame(event.encode()) for event in self.opening(reply)]
        growing += [Frame(self.reasoning(piece).encode()) for piece in pieces_of(reply.answer.reasoning)]
        growing += [Frame(self.text(piece).encode(), piece) for piece in shown]
        closing = [Frame(event.encode()) for event in self.closing(reply)]
        return self._encoded(growing, 0), self._encoded(closing, len(growing))

    def _encoded(self, frames: list[Frame], start: int) -> list[Frame]:
        return [replace(frame, data=self.encode(frame.data, number)) for number, frame in enumerate(frames, start)]


def pieces_of(text: str) -> list[str]:
    """Split a text into words, each with the white space before it."""
    return re.findall(r"\s*\S+|\s+\Z", text)


def key(*path: str, name: str | None = None, **constant: Any) -> Callable[[str], Event]:
    """Make events with the piece at the end of a path of keys, next to constant keys."""

    def make(piece: str) -> Event:
        data: Any = piece
        for step in reversed(path):
            data = {step: data}
        return Event(name, {**constant, **data})

    return make


def whole(name: str | None, *path: str, done: bool = False, **constant: Any) -> Callable[[Reply], tuple[Event, ...]]:
    """Make a closing with the whole reply at the end of a path of keys."""

    def close(reply: Reply) -> tuple[Event, ...]:
        data: Any = reply.body()
        for step in reversed(path):
            data = {step: data}
        end = (Event(None, DONE),) if done else ()
        return (Event(name, {**constant, **data}), *end)

    return close


def cost_only(name: str | None, **constant: Any) -> Callable[[Reply], tuple[Event, ...]]:
    """Make a closing with ids, usage and credits but without the text."""
    return lambda reply: (Event(name, {**constant, "id": reply.id, **reply.metadata(), **reply.cost()}),)


def started(reply: Reply) -> tuple[Event, ...]:
    """Return the opening of `named`."""
    return (Event("message.started", {"id": reply.id, **reply.metadata()}),)


def chunk(delta: Mapping[str, str], finish: str | None = None) -> Event:
    """Return a chunk in the form of chat completions."""
    choice = {"index": 0, "delta": dict(delta), "finish_reason": finish}
    return Event(None, {"object": "chat.completion.chunk", "choices": [choice]})


def close_chunks(reply: Reply) -> tuple[Event, ...]:
    """Return the end in the form of chat completions, with Rivya's own metadata next to the usage."""
    tail = {"id": reply.id, "object": "chat.completion.chunk", "choices": [], **reply.metadata(), **reply.cost()}
    return chunk({}, "stop"), Event(None, tail), Event(None, DONE)


def close_without_session(reply: Reply) -> tuple[Event, ...]:
    """Return an end that does not repeat the session id."""
    data = {name: value for name, value in reply.body().items() if name != "session_id"}
    return (Event("message.completed", data),)


def close_session_last(reply: Reply) -> tuple[Event, ...]:
    """Return an end in three events, with the session id in the last one."""
    usage = {"usage": reply.cost()["usage"]}
    facts = {"id": reply.id, "created_at": reply.created_at, "credits": reply.cost()["credits"]}
    last = {"session_id": reply.session_id, "done": True}
    return Event("usage", usage), Event("message", facts), Event("done", last)


def open_blocks(reply: Reply) -> tuple[Event, ...]:
    """Return the opening of a stream of content blocks."""
    message = {"id": reply.id, "role": "assistant", "content": [], **reply.metadata()}
    return (Event("message_start", {"type": "message_start", "message": message}),)


def close_blocks(reply: Reply) -> tuple[Event, ...]:
    """Return the end of a stream of content blocks."""
    stop = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, **reply.cost()}
    return Event("message_delta", stop), Event("message_stop", {"type": "message_stop"})


def thinking_block(piece: str) -> Event:
    """Return a piece of reasoning in a stream of content blocks."""
    delta = {"type": "thinking_delta", "thinking": piece}
    return Event("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta})


def text_block(piece: str) -> Event:
    """Return a piece of text in a stream of content blocks."""
    delta = {"type": "text_delta", "text": piece}
    return Event("content_block_delta", {"type": "content_block_delta", "index": 1, "delta": delta})


def crlf(frame: bytes, _number: int) -> bytes:
    """End lines with CR LF."""
    return frame.replace(b"\n", b"\r\n")


def cr(frame: bytes, _number: int) -> bytes:
    """End lines with a single CR."""
    return frame.replace(b"\n", b"\r")


def comments(frame: bytes, number: int) -> bytes:
    """Add a comment before each event and inside it."""
    head, _, rest = frame.partition(b"\n")
    return b": event %d\n\n%s\n:\n%s" % (number, head, rest)


def keep_alives(frame: bytes, _number: int) -> bytes:
    """Add a comment, an empty event and a ping before each event."""
    return b": keep-alive\n\n\nevent: ping\ndata: {}\n\n" + frame


def ids(frame: bytes, number: int) -> bytes:
    """Add `id:` and `retry:` lines and an unknown field."""
    return b"id: %d\nretry: 3000\nunknown: field\n%s" % (number, frame)


def tight(frame: bytes, _number: int) -> bytes:
    """Remove the space after the colon."""
    return re.sub(rb"(?m)^(event|data): ", rb"\1:", frame)


def mark(frame: bytes, number: int) -> bytes:
    """Add a byte order mark at the start."""
    return b"\xef\xbb\xbf" + frame if number == 0 else frame


def spread(frame: bytes, _number: int) -> bytes:
    """Spread the JSON over several `data:` lines."""
    head, _, data = frame.decode().rstrip("\n").rpartition("data: ")
    lines = json.dumps(json.loads(data), indent=1, ensure_ascii=False).split("\n")
    return (head + "".join(f"data: {line}\n" for line in lines) + "\n").encode()


NAMED = Dialect(
    key("delta", "content", name="message.delta"),
    key("delta", "content", name="thoughts.delta"),
    whole("message.completed"),
    started,
)

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "named": NAMED,
        "openai": Dialect(
            lambda piece: chunk({"content": piece}), lambda piece: chunk({"reasoning_content": piece}), close_chunks
        ),
        "typed": Dialect(
            key("delta", type="message.delta"),
            key("delta", type="thinking.delta"),
            whole(None, type="message.completed"),
        ),
        "flat": Dialect(key("text"), key("thoughts"), cost_only(None, done=True)),
        "delta-string": Dialect(
            key("delta", name="delta"), key("delta", name="thinking"), whole("completed", done=True)
        ),
        "delta-text": Dialect(key("delta", "text"), key("delta", "thinking"), whole("done", "message_stop")),
        "content": Dialect(key("content"), key("reasoning"), cost_only("done")),
        "nested": Dialect(
            key("data", "delta", "content", name="delta"),
            key("data", "delta", "thoughts", name="delta"),
            whole("completed", "data", "response"),
        ),
        "thoughts-event": Dialect(key("text", name="text"), key("text", name="thoughts"), whole("end")),
        "thoughts-key": Dialect(
            key("content", thoughts=None), key("thoughts", content=""), cost_only(None, type="completed")
        ),
        "closing-only": replace(NAMED, share=0.0),
        "closing-short": replace(NAMED, share=0.5),
        "session-first": replace(NAMED, closing=close_without_session),
        "session-last": Dialect(key("delta", name="delta"), key("delta", name="reasoning"), close_session_last),
        "blocks": Dialect(text_block, thinking_block, close_blocks, open_blocks),
        "responses": Dialect(
            key("delta", name="response.output_text.delta", type="response.output_text.delta"),
            key("delta", name="response.reasoning_text.delta", type="response.reasoning_text.delta"),
            whole("response.completed", "response", type="response.completed"),
        ),
        "crlf": replace(NAMED, encode=crlf),
        "cr": replace(NAMED, encode=cr),
        "comments": replace(NAMED, encode=comments),
        "keep-alive": replace(NAMED, encode=keep_alives),
        "ids": replace(NAMED, encode=ids),
        "tight": replace(NAMED, encode=tight),
        "bom": replace(NAMED, encode=mark),
        "multiline": replace(NAMED, encode=spread),
    }
)


def dialect_named(name: str | Dialect) -> Dialect:
    """Return the dialect of a name. A `Dialect` is returned unchanged.

    Raises:
        ValueError: For an unknown name. The message lists the known names.
    """
    if isinstance(name, Dialect):
        return name
    if name not in DIALECTS:
        raise ValueError(f"Unknown dialect {name!r}. Choose one of {', '.join(DIALECTS)}.")
    return DIALECTS[name]
