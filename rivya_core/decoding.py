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
from rivya_core.sse import Event, SSEDecoder


class ChatStream(ABC):
    """Decodes the body of a streamed reply into deltas.

    Args:
        response: The open response, for its headers and for errors; it is not read here.
    """

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.complete = False
        self._sse = SSEDecoder() if may_stream(response) else None
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

    def feed(self, data: bytes) -> list[ChatDelta]:
        """Return the deltas that *data* completes."""
        if self._sse is not None:
            return self._take(self._sse.feed(data))
        self._body.append(data)
        return []

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

    def _take(self, events: Sequence[Event]) -> list[ChatDelta]:
        """An error behind good events waits until those are delivered, however the bytes were cut."""
        deltas: list[ChatDelta] = []
        for event in events if self._failure is None else ():
            try:
                deltas.extend(self.read(event))
            except RivyaError as error:
                self._failure = error
        return deltas


def may_stream(response: httpx.Response) -> bool:
    """Whether the body is to be read as events: its type says so, or says nothing."""
    kind = response.headers.get("content-type", "").lower()
    return not kind or any(word in kind for word in ("event-stream", "text/plain", "octet-stream", "ndjson"))


def says_stream(response: httpx.Response) -> bool:
    """Whether the type of a whole answer says that it came as events after all."""
    return "event-stream" in response.headers.get("content-type", "").lower()


def join(stream: ChatStream, body: bytes) -> ChatDelta:
    """Return the whole reply in the *body* of a stream."""
    deltas = [*stream.feed(body), *stream.finish()]
    return ChatDelta(
        text="".join(delta.text for delta in deltas),
        thought="".join(delta.thought for delta in deltas),
        tool_calls=tuple(call for delta in deltas for call in delta.tool_calls),
        usage=deltas[-1].usage,
        metadata=deltas[-1].metadata,
        last=True,
        blocks=tuple(block for delta in deltas for block in delta.blocks),
    )


def _plain(response: httpx.Response, body: bytes) -> httpx.Response:
    """A stream's response with its body read, the way a whole answer looks."""
    headers = [(k, v) for k, v in response.headers.multi_items() if k not in {"content-encoding", "content-length"}]
    return httpx.Response(response.status_code, headers=headers, content=body, request=response.request)
