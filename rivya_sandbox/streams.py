"""An event stream on its way out: frame by frame, paced, watched for a reader that leaves.

The frames come from a dialect; what a finished or an abandoned stream means is told by two callbacks.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rivya_sandbox.pauses import Pauses, Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from starlette.types import Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class Frame:
    """A piece of a stream.

    Attributes:
        data: The bytes, a whole event with its blank line.
        text: The part of the answer's text that it carries.
    """

    data: bytes
    text: str = ""


def nothing() -> None:
    """Do nothing."""


def ignore(_sent: str) -> None:
    """Do nothing with the text that was sent."""


@dataclass(frozen=True)
class EventStream:
    """A response that streams: an ASGI application, to be returned by an endpoint.

    Attributes:
        frames: What is sent while the answer grows.
        closing: What is sent at the end; before it, `settle` is called.
        pauses: Where the waiting between frames is done.
        pace: Seconds between frames.
        framewise: Whether each frame leaves on its own even without pace (faults count frames).
        settle: Called once all `frames` have left.
        leave: Called instead, with the text sent so far, if the stream breaks off before.
        headers: Extra headers.
    """

    frames: Sequence[Frame]
    closing: Sequence[Frame]
    pauses: Pauses
    pace: float = 0.0
    framewise: bool = False
    settle: Callable[[], None] = nothing
    leave: Callable[[str], None] = ignore
    headers: tuple[tuple[str, str], ...] = ()

    def watched(self, settle: Callable[[], None], leave: Callable[[str], None]) -> EventStream:
        """The same stream with callbacks."""
        return replace(self, settle=settle, leave=leave)

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        reader = Reader(receive)
        sent: list[str] = []
        settled = False
        try:
            await send(self._start())
            if not await self._send_all(self.frames, send, reader, sent):
                return
            self.settle()
            settled = True
            if await self._send_all(self.closing, send, reader, []):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            if not settled:
                self.leave("".join(sent))
            await reader.stop()

    def _start(self) -> dict[str, object]:
        headers = [("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"), *self.headers]
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return {"type": "http.response.start", "status": 200, "headers": raw}

    async def _send_all(self, frames: Iterable[Frame], send: Send, reader: Reader, sent: list[str]) -> bool:
        """Send frames; false if the reader left."""
        for frame in self._grouped(frames):
            if reader.left:
                return False
            await send({"type": "http.response.body", "body": frame.data, "more_body": True})
            sent.append(frame.text)
            await self._breathe(reader)
        return not reader.left

    def _grouped(self, frames: Iterable[Frame]) -> Iterable[Frame]:
        """The frames as they leave: one by one, or all in one piece where nobody could tell."""
        frames = tuple(frames)
        if self.framewise or self.pace or len(frames) < 2:  # noqa: PLR2004
            return frames
        return (Frame(b"".join(frame.data for frame in frames), "".join(frame.text for frame in frames)),)

    async def _breathe(self, reader: Reader) -> None:
        if self.pace:
            await self.pauses.sleep(self.pace, reader)
        elif self.framewise:
            await asyncio.sleep(0)
