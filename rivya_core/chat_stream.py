"""What all wires have in common: their interface, and how the stream of a reply is decoded.

A wire defines what one event means, what to add at the end, and how a whole reply is read. Here are the parts that all
share: bytes to events, a plain JSON response to a stream request, an error after good events, and a missing end.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any, ClassVar, Protocol

from rivya_core.errors import RivyaError, StreamBrokenError
from rivya_core.http.frame_cache import FrameCache
from rivya_core.http.headers import without_secrets
from rivya_core.http.json_codec import loads_frame, paired, repaired
from rivya_core.http.library import httpx
from rivya_core.http.plan import Decoder, Plan, Streaming
from rivya_core.http.sse import BYTE_ORDER_MARK, Event, SSEDecoder, event_of
from rivya_core.types import NOTHING, ChatDelta, Message, ToolCallDelta, Usage

FIELDS = (b"data", b"event", b"id", b"retry", b":", BYTE_ORDER_MARK)
"""The first bytes of a stream of events."""
WITHHELD = frozenset({"content_filter", "refusal", "safety", "prohibited_content", "blocklist"})
"""Finish reasons of replies that a filter withheld, in lower case."""
LONGEST_QUOTE = 200
"""Characters of a frame that go into a message."""


class Wire(Protocol):
    """Sends the turns of one call."""

    def reply(self, messages: Sequence[Message]) -> Plan[ChatDelta]:
        """Send the turn and return the whole reply."""
        ...

    def stream(self, messages: Sequence[Message]) -> Plan[Streaming[ChatDelta]]:
        """Send the turn and return the reply that has begun."""
        ...


class ChatStreamDecoder(ABC):
    """Decodes the body of a streamed reply into deltas.

    Args:
        response: The open response, for its headers and for errors. Its body is not read here.
    """

    unread: ClassVar[re.Pattern[bytes] | None] = None
    """Finds values in events that are not read and may differ from event to event."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.complete = False
        self._sse = SSEDecoder() if may_stream(response) else None
        self._begun = False
        self._body: list[bytes] = []
        self._failure: RivyaError | None = None
        self._may_hold_halves = False
        self.has_said = False
        """Whether a delta was returned."""
        self._repeats = FrameCache(self.unread)

    @property
    @abstractmethod
    def partial(self) -> str:
        """The text so far."""

    @abstractmethod
    def read(self, event: Event) -> Iterable[ChatDelta]:
        """Return the deltas in one event; set `complete` when it ends the reply."""

    @abstractmethod
    def piece_in(self, event: Event) -> tuple[Any, str] | None:
        """Return the rest of an event and its text if all events with this rest differ only in the next piece of text.

        This does not read the event; None is for all other events.
        """

    @abstractmethod
    def read_piece(self, rest: Any, text: str) -> list[ChatDelta]:
        """Return the deltas in an event with this rest and this text."""

    @abstractmethod
    def closing(self) -> ChatDelta:
        """Return the last delta of a complete reply."""

    @abstractmethod
    def whole(self, response: httpx.Response) -> ChatDelta:
        """Return the reply in a plain JSON response."""

    @property
    def done(self) -> bool:
        """Whether the rest of the body can be ignored."""
        return self.complete or self._failure is not None

    def parse_unusual(self, data: bytes) -> Any:
        """Return the JSON of a frame that the fast reader refuses.

        Raises:
            ValueError: It is not JSON.
        """
        value = loads_frame(data)
        self._may_hold_halves = True
        return value

    def not_json(self, data: bytes) -> StreamBrokenError:
        """Return the error for a frame that is not JSON."""
        text = without_secrets(data[: 10 * LONGEST_QUOTE].decode("utf-8", "replace"), self.response)
        return StreamBrokenError(
            f"The stream holds a frame that is not JSON: {text[:LONGEST_QUOTE]!r}.", partial=self.partial
        )

    def expect_events(self) -> None:
        """Read the body as events, whatever its type says and however it begins."""
        self._sse, self._begun = SSEDecoder(), True

    def feed(self, data: bytes) -> list[ChatDelta]:
        """Return the deltas that *data* completes."""
        if self._sse is not None and not self._begun:
            data = self._begin(data)
        if self._sse is None:
            self._body.append(data)
            return []
        try:
            return self._take(self._sse.feed(data))
        except StreamBrokenError as error:
            error.partial = self.partial
            raise

    def finish(self) -> list[ChatDelta]:
        """Return the closing deltas.

        Raises:
            StreamBrokenError: The stream ended before the end of the reply.
            APIError: A frame reported an error, or the response is not a reply.
        """
        if self._sse is None:
            return [self.whole(_plain(self.response, b"".join(self._body)))]
        rest = self._take(self._sse.finish())
        if self._failure is not None:
            raise self._failure
        if not self.complete:
            raise StreamBrokenError("The stream stopped before the end of the reply.", partial=self.partial)
        return [*rest, _without_halves(self.closing()) if self._may_hold_halves else self.closing()]

    def _begin(self, data: bytes) -> bytes:
        """Check the first bytes after blanks, because a plain response may have the type of a stream."""
        head = data.lstrip()
        self._begun = bool(head)
        if self._begun and not _may_begin_stream(head, self.response):
            self._sse = None
        return head

    def _take(self, blocks: Sequence[bytes]) -> list[ChatDelta]:
        """Read *blocks*; an error after good events is kept until those are delivered, however the bytes are cut."""
        deltas: list[ChatDelta] = []
        for block in blocks:
            if self.done:  # the rest is ignored, however the bytes are cut
                break
            text = self._repeats.text_of(block)
            if text:
                deltas += self.read_piece(self._repeats.rest, text)
                continue
            event = event_of(block)
            try:
                found = self.read(event) if event is not None else ()
                deltas.extend(map(_without_halves, found) if self._may_hold_halves else found)
            except RivyaError as error:
                self._failure = error.with_traceback(None)  # its frames may hold a key that the server repeated
            else:
                if found and self.has_said:  # the first delta does not wait for this
                    self._repeats.learn(block, self._piece_in)
                self.has_said = self.has_said or bool(found)
        return deltas

    def _piece_in(self, block: bytes) -> tuple[Any, str] | None:
        event = event_of(block)
        return None if event is None else self.piece_in(event)


def with_refusal(metadata: Mapping[str, Any], *, said: bool) -> dict[str, Any]:
    """Return *metadata* with a refusal if a filter withheld the reply without words of its own.

    Args:
        metadata: Of a complete reply.
        said: Whether the reply holds text or tool calls.
    """
    reason = metadata.get("finish_reason")
    if said or metadata.get("refusal") or not isinstance(reason, str) or reason.lower() not in WITHHELD:
        return dict(metadata)
    return {**metadata, "refusal": f"The provider withheld the reply ({reason})."}


class WrappedDecoder:
    """Wraps another decoder; a subclass changes its events.

    Args:
        inner: The decoder of the body.
    """

    def __init__(self, inner: Decoder[ChatDelta]) -> None:
        self._inner = inner

    @property
    def complete(self) -> bool:
        """Whether the end of the reply was seen."""
        return self._inner.complete

    @property
    def done(self) -> bool:
        """Whether the rest of the body can be ignored."""
        return self._inner.done

    @property
    def partial(self) -> str:
        """The text so far."""
        return self._inner.partial

    @property
    def has_said(self) -> bool:
        """Whether a delta was returned."""
        return self._inner.has_said

    @property
    def facts(self) -> Mapping[str, Any]:
        """The response as the events so far describe it, where the inner decoder knows it."""
        found: Mapping[str, Any] = getattr(self._inner, "facts", NOTHING)
        return found

    def feed(self, data: bytes) -> Sequence[ChatDelta]:
        """Return the deltas that *data* completes."""
        return self._inner.feed(data)

    def finish(self) -> Sequence[ChatDelta]:
        """Return the closing deltas."""
        return self._inner.finish()


def _without_halves(delta: ChatDelta) -> ChatDelta:
    """Replace halves of surrogate pairs that no later frame has completed."""
    calls = tuple(
        replace(call, id=repaired(call.id), name=repaired(call.name), arguments=paired(call.arguments))
        for call in delta.tool_calls
    )
    return delta._replace(
        text=paired(delta.text),
        reasoning=paired(delta.reasoning),
        tool_calls=calls,
        metadata=repaired(dict(delta.metadata)),
        blocks=tuple(repaired(dict(block)) for block in delta.blocks),
    )


def may_stream(response: httpx.Response) -> bool:
    """Whether to read the body as events: its type allows it or is missing."""
    kind = response.headers.get("content-type", "").lower()
    return not kind or any(word in kind for word in ("event-stream", "text/plain", "octet-stream", "ndjson"))


def looks_like_sse(response: httpx.Response) -> bool:
    """Whether a whole response consists of events, whatever its type says."""
    return response.is_success and response.content.lstrip().startswith((b"data:", b"event:", b":"))


def _may_begin_stream(head: bytes, response: httpx.Response) -> bool:
    """Whether a body that begins with *head* may be events: not JSON, not a page, and not other text."""
    if head[:1] in (b"{", b"[", b"<"):
        return False
    named = "event-stream" in response.headers.get("content-type", "").lower()
    return named or any(head.startswith(field) or field.startswith(head) for field in FIELDS)


def join(stream: ChatStreamDecoder, body: bytes) -> ChatDelta:
    """Return the whole reply in the *body* of a stream."""
    stream.expect_events()
    deltas = [*stream.feed(body), *stream.finish()]
    ends = accumulate(len(delta.text) for delta in deltas)
    return ChatDelta(
        text="".join(delta.text for delta in deltas),
        reasoning="".join(delta.reasoning for delta in deltas),
        tool_calls=joined(call for delta in deltas for call in delta.tool_calls),
        usage=deltas[-1].usage,
        metadata=deltas[-1].metadata,
        last=True,
        blocks=tuple(block for delta in deltas for block in delta.blocks),
        places=tuple(end for delta, end in zip(deltas, ends, strict=True) for _ in delta.blocks),
    )


def _plain(response: httpx.Response, body: bytes) -> httpx.Response:
    """Return the response to a stream request with its body, like a whole response."""
    dropped = (b"content-encoding", b"content-length")
    headers = [(name, value) for name, value in response.headers.raw if name.lower() not in dropped]
    return httpx.Response(response.status_code, headers=headers, content=body, request=response.request)


def joined(deltas: Iterable[ToolCallDelta]) -> tuple[ToolCallDelta, ...]:
    """Return the calls whose pieces are *deltas*, each as one piece."""
    by_index: dict[int, list[ToolCallDelta]] = {}
    for delta in deltas:
        by_index.setdefault(delta.index, []).append(delta)
    return tuple(_joined(index, pieces) for index, pieces in by_index.items())


def _joined(index: int, pieces: Sequence[ToolCallDelta]) -> ToolCallDelta:
    return ToolCallDelta(
        index,
        next((piece.id for piece in pieces if piece.id), None),
        "".join(piece.name for piece in pieces if piece.name) or None,
        "".join(piece.arguments for piece in pieces),
        any(piece.invalid for piece in pieces),
        any(piece.custom for piece in pieces),
        next((piece.error for piece in pieces if piece.error), ""),
    )


INPUT = ("prompt_tokens", "input_tokens", "inputTokens", "promptTokens", "promptTokenCount", "input")
OUTPUT = ("completion_tokens", "output_tokens", "outputTokens", "completionTokens", "candidatesTokenCount", "output")
TOTAL = ("total_tokens", "totalTokens", "totalTokenCount", "total")
INPUT_DETAILS = ("prompt_tokens_details", "input_tokens_details")
OUTPUT_DETAILS = ("completion_tokens_details", "output_tokens_details")
CACHED = ("prompt_cache_hit_tokens", "gmi_cached_tokens", "cached_tokens")
REASONING = ("reasoning_tokens",)
PLAIN_COUNTS = frozenset({*INPUT, *OUTPUT, *TOTAL})
COUNTED = PLAIN_COUNTS | {*INPUT_DETAILS, *OUTPUT_DETAILS, *CACHED, *REASONING}
DETAILS = frozenset("cached_tokens reasoning_tokens audio_tokens cache_write_tokens cache_creation_tokens".split())


def read_usage(value: Any) -> Usage | None:
    """Return the counts in a `usage` object, or None if it holds none.

    If one count has several names, the first that is not zero is used: Evolink fills `prompt_tokens` and also sends
    `input_tokens: 0`.
    """
    if not isinstance(value, dict):
        return None
    spent, made = _count(value, INPUT), _count(value, OUTPUT)
    total = _count(value, TOTAL)
    if spent is None and made is None and total is None:
        return None
    usage = Usage(spent or 0, made or 0, total or (spent or 0) + (made or 0))
    if value.keys() <= PLAIN_COUNTS:
        return usage
    inputs, outputs = _object(value, INPUT_DETAILS), _object(value, OUTPUT_DETAILS)
    cached = _count(inputs, ("cached_tokens",))
    return usage._replace(
        cached_tokens=_count(value, CACHED) if cached is None else cached,
        reasoning_tokens=_count(outputs, REASONING) if REASONING[0] in outputs else _count(value, REASONING),
        audio_input_tokens=_count(inputs, ("audio_tokens",)),
        audio_output_tokens=_count(outputs, ("audio_tokens",)),
        cache_write_tokens=_count(inputs, ("cache_write_tokens", "cache_creation_tokens")),
    )


def further_usage(value: Any) -> dict[str, Any]:
    """Return what a `usage` object says beyond the counts that have a place of their own, for example its `cost`."""
    if not isinstance(value, dict):
        return {}
    if value.keys() <= PLAIN_COUNTS:
        return {}
    found = {key: inner for key, inner in value.items() if key not in COUNTED and inner is not None}
    for key in (*INPUT_DETAILS, *OUTPUT_DETAILS):
        details = value.get(key)
        further = {k: n for k, n in details.items() if k not in DETAILS and n} if isinstance(details, dict) else {}
        if further:
            found[key] = further
    return found


def _count(value: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    count = None
    for name in names:
        if name in value and (found := _whole(value[name])) is not None:
            if found:
                return found
            count = 0
    return count


def _whole(value: Any) -> int | None:
    if type(value) is int:
        return max(0, value)
    try:
        return None if value is None or isinstance(value, bool) else max(0, int(float(value)))
    except (TypeError, ValueError, OverflowError):
        return None


def _object(value: Mapping[str, Any], names: tuple[str, ...]) -> Mapping[str, Any]:
    return next((found for name in names if isinstance(found := value.get(name), dict)), {})
