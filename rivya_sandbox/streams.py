"""Sends an event stream frame by frame, at a pace, and notices a client that disconnects."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rivya_sandbox.waiting import ClientConnection, Sleeper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from starlette.types import Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class Frame:
    """A piece of a stream.

    Attributes:
        data: The bytes: a whole event with its blank line.
        text: The part of the model's text that it carries.
    """

    data: bytes
    text: str = ""


def nothing() -> None:
    """Do nothing."""


def ignore(_sent: str) -> None:
    """Do nothing with the text that was sent."""


@dataclass(frozen=True)
class EventStream:
    """A streamed response: an ASGI application that an endpoint returns.

    Attributes:
        frames: Sent while the text grows.
        closing: Sent at the end, after `on_complete` is called.
        sleeper: Does the waiting between frames.
        pace: Seconds between frames.
        framewise: Whether each frame is sent on its own even without a pace (faults count frames).
        on_complete: Called when all `frames` are sent.
        on_abandon: Called with the text sent so far, if the stream ends before that.
        headers: Extra headers.
    """

    frames: Sequence[Frame]
    closing: Sequence[Frame]
    sleeper: Sleeper
    pace: float = 0.0
    framewise: bool = False
    on_complete: Callable[[], None] = nothing
    on_abandon: Callable[[str], None] = ignore
    headers: tuple[tuple[str, str], ...] = ()

    def with_callbacks(self, on_complete: Callable[[], None], on_abandon: Callable[[str], None]) -> EventStream:
        """Return the same stream with callbacks."""
        return replace(self, on_complete=on_complete, on_abandon=on_abandon)

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        connection = ClientConnection(receive)
        sent: list[str] = []
        complete = False
        try:
            await send(self._start())
            if not await self._send_all(self.frames, send, connection, sent):
                return
            self.on_complete()
            complete = True
            if await self._send_all(self.closing, send, connection, []):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            if not complete:
                self.on_abandon("".join(sent))
            await connection.stop()

    def _start(self) -> dict[str, object]:
        headers = [("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"), *self.headers]
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return {"type": "http.response.start", "status": 200, "headers": raw}

    async def _send_all(
        self, frames: Iterable[Frame], send: Send, connection: ClientConnection, sent: list[str]
    ) -> bool:
        """Send frames. Return false if the client disconnected."""
        for frame in self._grouped(frames):
            if connection.closed:
                return False
            await send({"type": "http.response.body", "body": frame.data, "more_body": True})
            sent.append(frame.text)
            await self._pause(connection)
        return not connection.closed

    def _grouped(self, frames: Iterable[Frame]) -> Iterable[Frame]:
        """Return the frames one by one, or all in one piece where the client cannot notice."""
        frames = tuple(frames)
        if self.framewise or self.pace or len(frames) < 2:  # noqa: PLR2004
            return frames
        return (Frame(b"".join(frame.data for frame in frames), "".join(frame.text for frame in frames)),)

    async def _pause(self, connection: ClientConnection) -> None:
        if self.pace:
            await self.sleeper.sleep(self.pace, connection)
        elif self.framewise:
            await asyncio.sleep(0)
