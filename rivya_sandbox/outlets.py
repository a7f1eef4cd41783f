"""Where an answer leaves the sandbox: counted, cut short, thrown away or followed by a broken connection.

An `Outlet` stands between an endpoint and the server and does what a fault asks for to an answer on its way out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Send

    from rivya_sandbox.faults import Fault

Interlude = Callable[[], Awaitable[None]]


class Broken(Exception):  # noqa: N818 - no error: a fault was asked for
    """The connection is to be broken now."""


class Ended(Exception):  # noqa: N818
    """The answer is to end here, with these last bytes.

    They are sent only after the endpoint has come to know, so that a client that reads the end finds its turn ended.
    """

    def __init__(self, tail: bytes) -> None:
        self.tail = tail
        super().__init__(tail)


async def discard(_message: Message) -> None:
    """Swallow an answer."""


class Outlet:
    """The way out for one answer.

    Args:
        send: The server's.
        fault: What is to be done to the answer.
        headers: Put on every answer.
        begun: Told the status, just before it leaves.
        finished: Told that the answer has left to its end, just before its last bytes do: whoever has read an answer
            finds the journal complete.
        silence: Waits, where the fault asks for silence.
        error: Writes the fault's error as an event of a stream.
    """

    def __init__(
        self,
        send: Send,
        fault: Fault | None,
        headers: list[tuple[bytes, bytes]],
        *,
        begun: Callable[[int], None],
        finished: Callable[[], None],
        silence: Interlude,
        error: Callable[[Fault], bytes],
    ) -> None:
        self._send = send
        self._fault = fault
        self._headers = headers
        self._begun = begun
        self._finished = finished
        self._silence = silence
        self._error = error
        self._streams = False
        self._left = fault.cut if fault else None

    async def __call__(self, message: Message) -> None:
        """Let a message of the answer pass, or what the fault leaves of it."""
        if message["type"] == "http.response.start":
            await self._start(message)
        elif self._left is None:
            await self._pass(message)
        elif self._streams:
            await self._count(message)
        else:
            await self._cut_bytes(message)

    async def _start(self, message: Message) -> None:
        headers = [*message["headers"], *self._headers]
        self._streams = any(name == b"content-type" and b"event-stream" in value for name, value in headers)
        self._begun(message["status"])
        await self._send({**message, "headers": headers})

    async def _pass(self, message: Message) -> None:
        if not message.get("more_body", False):
            self._finished()
        await self._send(message)

    async def _count(self, message: Message) -> None:
        """Events are counted; the stream breaks before the one after the last that may leave."""
        if self._left == 0:
            await self._break()
        self._left = (self._left or 0) - 1
        await self._pass(message)

    async def _cut_bytes(self, message: Message) -> None:
        """An answer that is short enough leaves whole."""
        body, left = message.get("body", b""), self._left or 0
        if len(body) <= left and not message.get("more_body", False):
            await self._pass(message)
            return
        await self._send({"type": "http.response.body", "body": body[:left], "more_body": True})
        self._left = max(0, left - len(body))
        if not self._left:
            await self._break()

    async def _break(self) -> None:
        if self._fault is not None and self._fault.breaks_stream and self._streams:
            raise Ended(self._fault.body if self._fault.body is not None else self._error(self._fault))
        await self._silence()
        raise Broken


async def hang_up(send: Send, receive: Receive) -> None:
    """Break the connection without an answer, or without the rest of it.

    A server's `send` belongs to its connection, whose transport can be closed; that is the only clean way to break a
    connection before the first byte. Without a server (an ASGI transport) the client's own error is raised instead.
    """
    transport: Any = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        import httpx

        raise httpx.RemoteProtocolError("The sandbox broke the connection.")
    transport.close()
    with contextlib.suppress(OSError):
        while (await receive())["type"] != "http.disconnect":
            pass
