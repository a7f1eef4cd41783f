"""Server-sent events, fed piece by piece, cut anywhere.

https://html.spec.whatwg.org/multipage/server-sent-events.html, with deviations for real servers: data stays bytes
(a piece may end inside a UTF-8 character, a line cannot), an event at the very end of the body counts without its
blank line, and so does JSON without a field. A field `error` is an event of that name. The decoders of the wires
interpret the data.
"""

from __future__ import annotations

from typing import NamedTuple

from rivya_core.errors import StreamBrokenError

LARGEST_EVENT = 32 * 1024 * 1024
"""Bytes that one event may have."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event: its name (empty if it has none) and its data lines, joined."""

    name: str
    data: bytes


class SSEDecoder:
    """Turns the bytes of an event stream into blocks of lines, one for each event."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._size = 0
        self._held = b""
        self._begun = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the blocks of lines that *data* completes; `event_of` reads them."""
        if self._held or b"\r" in data:
            data = self._plain(data)
        if self._waiting:
            if b"\n\n" not in data and not (data.startswith(b"\n") and self._waiting[-1].endswith(b"\n")):
                self._wait(data)
                return []
            data = b"".join((*self._waiting, data))
            self._waiting, self._size = [], 0
        blocks = data.split(b"\n\n")
        rest = blocks.pop()
        if rest:
            self._wait(rest)
        return blocks if self._begun else self._without_mark(blocks)

    def finish(self) -> list[bytes]:
        """Return the block that the body's end completes."""
        rest, self._waiting, self._held = b"".join(self._waiting), [], b""
        return self._without_mark([rest])

    def _wait(self, data: bytes) -> None:
        """Keep the beginning of an event; the pieces are joined once, however small they are."""
        if data:
            self._waiting.append(data)
            self._size += len(data)
        if self._size > LARGEST_EVENT:
            raise StreamBrokenError(f"A single event is larger than {LARGEST_EVENT} bytes.")

    def _without_mark(self, blocks: list[bytes]) -> list[bytes]:
        if blocks and not self._begun:
            self._begun = True
            blocks[0] = blocks[0].removeprefix(BYTE_ORDER_MARK)
        return blocks

    def _plain(self, data: bytes) -> bytes:
        """Normalise line ends; a CR at the end may be half of a CRLF and waits for the next piece."""
        data = self._held + data
        self._held = b"\r" if data.endswith(b"\r") else b""
        return data.removesuffix(self._held).replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def event_of(block: bytes) -> Event | None:
    """Return the event in a block of lines, or None if there is none, for example only comments."""
    if block.startswith(b"data: ") and b"\n" not in block:  # the usual form
        return Event("", block[6:])
    if block.lstrip()[:1] in (b"{", b"["):
        return Event("", block)  # JSON without a field, as servers write when they fail
    name, data = "", []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"error":  # of llama.cpp
            name = "error"
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ").decode("utf-8", "replace").strip()
    return Event(name, b"\n".join(data)) if data or name else None
