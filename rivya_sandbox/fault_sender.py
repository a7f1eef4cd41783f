"""Applies a fault to a response on its way out: counts it, cuts it short, or breaks the connection.

A `FaultSender` stands between an endpoint and the server.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Send

    from rivya_sandbox.faults import Fault


class ConnectionBroken(Exception):  # noqa: N818 - a fault asks for it, so it is not an error
    """Break the connection now."""


class StreamEnded(Exception):  # noqa: N818
    """End the response with these last bytes.

    They are sent only after the endpoint has ended, so that the turn is complete when the client reads the end.
    """

    def __init__(self, tail: bytes) -> None:
        self.tail = tail
        super().__init__(tail)


async def discard(_message: Message) -> None:
    """Send nothing."""


class FaultSender:
    """Sends one response, as far as the fault allows.

    Args:
        send: The server's `send`.
        fault: The fault to apply.
        headers: Headers to add to every response.
        on_start: Called with the status, just before it is sent.
        on_finish: Called just before the last bytes are sent. So the journal is complete when a client has read the
            response.
        silence: Waits, where the fault asks for silence.
        error_event: Formats the fault's error as an event of a stream.
    """

    def __init__(
        self,
        send: Send,
        fault: Fault | None,
        headers: list[tuple[bytes, bytes]],
        *,
        on_start: Callable[[int], None],
        on_finish: Callable[[], None],
        silence: Callable[[], Awaitable[None]],
        error_event: Callable[[Fault], bytes],
    ) -> None:
        self._send = send
        self._fault = fault
        self._headers = headers
        self._on_start = on_start
        self._on_finish = on_finish
        self._silence = silence
        self._error_event = error_event
        self._is_stream = False
        self._left = fault.cut if fault else None

    async def __call__(self, message: Message) -> None:
        """Send a message of the response, or the part of it that the fault allows."""
        if message["type"] == "http.response.start":
            await self._start(message)
        elif self._left is None:
            await self._pass(message)
        elif self._is_stream:
            await self._count(message)
        else:
            await self._cut_bytes(message)

    async def _start(self, message: Message) -> None:
        headers = [*message["headers"], *self._headers]
        self._is_stream = any(name == b"content-type" and b"event-stream" in value for name, value in headers)
        self._on_start(message["status"])
        await self._send({**message, "headers": headers})

    async def _pass(self, message: Message) -> None:
        if not message.get("more_body", False):
            self._on_finish()
        await self._send(message)

    async def _count(self, message: Message) -> None:
        """Count an event. The stream breaks before the first event that exceeds the limit."""
        if self._left == 0:
            await self._break()
        self._left = (self._left or 0) - 1
        await self._pass(message)

    async def _cut_bytes(self, message: Message) -> None:
        """Send at most the bytes that are left. A response that is short enough is sent whole."""
        body, left = message.get("body", b""), self._left or 0
        if len(body) <= left and not message.get("more_body", False):
            await self._pass(message)
            return
        await self._send({"type": "http.response.body", "body": body[:left], "more_body": True})
        self._left = max(0, left - len(body))
        if not self._left:
            await self._break()

    async def _break(self) -> None:
        if self._fault is not None and self._fault.ends_stream and self._is_stream:
            raise StreamEnded(self._fault.body if self._fault.body is not None else self._error_event(self._fault))
        await self._silence()
        raise ConnectionBroken


async def close_connection(send: Send, receive: Receive) -> None:
    """Close the connection without a response, or without the rest of it.

    The server's `send` belongs to its connection, whose transport can be closed; nothing else breaks a connection
    cleanly before the first byte. Without a server (with an ASGI transport) this raises the client's own error.
    """
    transport: Any = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        import httpx

        raise httpx.RemoteProtocolError("The sandbox closed the connection because a fault asked for it.")
    transport.close()
    with contextlib.suppress(OSError):
        while (await receive())["type"] != "http.disconnect":
            pass
