"""Server-sent events, fed piece by piece, cut anywhere.

https://html.spec.whatwg.org/multipage/server-sent-events.html, with two liberties that real servers need: data
stays bytes (its UTF-8 may be cut by a piece's end, never by a line's end), and an event at the very end of the
body counts even without its blank line. What the data means is the wires' business.
"""

from __future__ import annotations

from typing import NamedTuple

from rivya_core.errors import StreamBrokenError

LARGEST_EVENT = 32 * 1024 * 1024
"""Bytes that one event may have before the stream is given up."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event: its name (empty if it has none) and its data lines, joined."""

    name: str
    data: bytes


class SSEDecoder:
    """Turns the bytes of an event stream into events."""

    def __init__(self) -> None:
        self._tail = b""
        self._held = b""

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that *data* completes."""
        if self._held or b"\r" in data:
            data = self._plain(data)
        *blocks, self._tail = (self._tail + data).split(b"\n\n")
        if len(self._tail) > LARGEST_EVENT:
            raise StreamBrokenError(f"A single event is larger than {LARGEST_EVENT} bytes.")
        return [event for block in blocks if (event := _event(block)) is not None]

    def finish(self) -> list[Event]:
        """Return the event that the body's end completes, if there is one."""
        event, self._tail, self._held = _event(self._tail), b"", b""
        return [] if event is None else [event]

    def _plain(self, data: bytes) -> bytes:
        """All three line ends as one; a CR at the very end may be half of a CRLF and waits for the next piece."""
        data = self._held + data
        self._held = b"\r" if data.endswith(b"\r") else b""
        return data.removesuffix(self._held).replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _event(block: bytes) -> Event | None:
    if block.startswith(b"data: ") and b"\n" not in block:  # nearly all events look like this
        return Event("", block[6:])
    name, data = "", []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        field = field.removeprefix(BYTE_ORDER_MARK)
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ").decode("utf-8", "replace").strip()
    return Event(name, b"\n".join(data)) if data or name else None
