"""What the stream decoders of all wires have in common.

A wire says what one event means, what to add at the end, and how a whole reply is read; the rest is here: bytes to
events, a plain JSON answer to a stream request, an error behind good events, and the objection to a missing end.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

import httpx

from rivya_core.chat import ChatDelta
from rivya_core.errors import RivyaError, StreamBrokenError
from rivya_core.openai.tool_calls import joined
from rivya_core.sse import BYTE_ORDER_MARK, Event, SSEDecoder

FIELDS = (b"data", b"event", b"id", b"retry", b":", BYTE_ORDER_MARK)
"""What a stream of events begins with."""


class ChatStream(ABC):
    """Decodes the body of a streamed reply into deltas.

    Args:
        response: The open response, for its headers and for errors; it is not read here.
    """

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.complete = False
        self._sse = SSEDecoder() if may_stream(response) else None
        self._begun = False
        self._body: list[bytes] = []
        self._failure: RivyaError | None = None

    @property
    @abstractmethod
    def partial(self) -> str:
        """The text so far."""

    @abstractmethod
    def read(self, event: Event) -> Iterable[ChatDelta]:
        """Return the deltas in one event; set `complete` when it ends the reply."""

    @abstractmethod
    def closing(self) -> ChatDelta:
        """Return the last delta of a complete reply."""

    @abstractmethod
    def whole(self, response: httpx.Response) -> ChatDelta:
        """Return the reply in a plain answer."""

    @property
    def done(self) -> bool:
        """Whether nothing that may still come is worth waiting for."""
        return self.complete or self._failure is not None

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
            StreamBrokenError: The end of the reply never came.
            APIError: A frame reported an error, or the answer was not a reply.
        """
        if self._sse is None:
            return [self.whole(_plain(self.response, b"".join(self._body)))]
        rest = self._take(self._sse.finish())
        if self._failure is not None:
            raise self._failure
        if not self.complete:
            raise StreamBrokenError("The stream stopped before the end of the reply.", partial=self.partial)
        return [*rest, self.closing()]

    def _begin(self, data: bytes) -> bytes:
        """Look at the first bytes that are no blanks: a plain answer may have a stream's type."""
        head = b"".join((*self._body, data)).lstrip()
        self._begun = bool(head)
        if not _may_begin_stream(head, self.response):
            self._sse = None
            return data
        if not self._begun:
            self._body.append(data)
            return b""
        self._body = []
        return head

    def _take(self, events: Sequence[Event]) -> list[ChatDelta]:
        """An error behind good events waits until those are delivered, however the bytes were cut."""
        deltas: list[ChatDelta] = []
        for event in events:
            if self.done:  # what comes after the end is not read, however the bytes were cut
                break
            try:
                deltas.extend(self.read(event))
            except RivyaError as error:
                self._failure = error.with_traceback(None)  # its frames hold what the server may have repeated
        return deltas


def may_stream(response: httpx.Response) -> bool:
    """Whether the body is to be read as events: its type says so, or says nothing."""
    kind = response.headers.get("content-type", "").lower()
    return not kind or any(word in kind for word in ("event-stream", "text/plain", "octet-stream", "ndjson"))


def says_stream(response: httpx.Response) -> bool:
    """Whether a whole answer came as events after all, whatever its type says."""
    return response.is_success and response.content.lstrip().startswith((b"data:", b"event:", b":"))


def _may_begin_stream(head: bytes, response: httpx.Response) -> bool:
    """Whether a body that begins with *head* may be events: not JSON, not a page, and no words without that type."""
    if head[:1] in (b"{", b"[", b"<"):
        return False
    named = "event-stream" in response.headers.get("content-type", "").lower()
    return named or any(head.startswith(field) or field.startswith(head) for field in FIELDS)


def join(stream: ChatStream, body: bytes) -> ChatDelta:
    """Return the whole reply in the *body* of a stream."""
    stream.expect_events()
    deltas = [*stream.feed(body), *stream.finish()]
    return ChatDelta(
        text="".join(delta.text for delta in deltas),
        thought="".join(delta.thought for delta in deltas),
        tool_calls=joined(call for delta in deltas for call in delta.tool_calls),
        usage=deltas[-1].usage,
        metadata=deltas[-1].metadata,
        last=True,
        blocks=tuple(block for delta in deltas for block in delta.blocks),
    )


def _plain(response: httpx.Response, body: bytes) -> httpx.Response:
    """A stream's response with its body read, the way a whole answer looks."""
    headers = [(k, v) for k, v in response.headers.multi_items() if k not in {"content-encoding", "content-length"}]
    return httpx.Response(response.status_code, headers=headers, content=body, request=response.request)
