"""A server on a real port for what no mock can show: connections, and how they end.

The last part of the path says what it does. A request in absolute form, as proxies get them, is answered too.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from typing import Any

from typing_extensions import Self

HEAD = re.compile(rb"^(\w+) (\S+) HTTP/1.1\r\n(.*?)\r\n\r\n", re.DOTALL)
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: str) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data.encode())


PIECE = chunk('data: {"delta":{"content":"piece "}}\n\n')
ENDING = chunk('data: {"session_id":"s","usage":{"input_tokens":1,"output_tokens":1},"done":true}\n\n')
DONE = chunk("data: [DONE]\n\n")


class Port:
    """The server; its counts may be read from any thread."""

    def __init__(self) -> None:
        self.connections = 0
        self.open = 0
        self.requests: list[tuple[str, dict[str, str]]] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    def reset(self) -> None:
        """Forget what was counted; connections that are open stay."""
        self.connections, self.requests = 0, []

    def wait_until_closed(self, seconds: float = 3.0) -> bool:
        """Whether all connections are gone before the time is up."""
        end = time.monotonic() + seconds
        while self.open and time.monotonic() < end:
            time.sleep(0.005)
        return not self.open

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await self._loop.create_server(lambda: Connection(self), "127.0.0.1", 0, backlog=256)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._over.wait()
        server.close()


class Connection(asyncio.Protocol):
    def __init__(self, port: Port) -> None:
        self.port, self.waiting = port, b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.port.connections += 1
        self.port.open += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.port.open -= 1

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        while (head := HEAD.match(self.waiting)) is not None:
            headers = dict(line.split(": ", 1) for line in head[3].decode().lower().split("\r\n"))
            end = head.end() + int(headers.get("content-length", 0))
            if len(self.waiting) < end:
                return
            self.waiting = self.waiting[end:]
            self.port.requests.append((head[2].decode(), headers))
            getattr(self, "answer_" + head[2].decode().rpartition("/")[2], self.answer_json)()

    def answer_json(self) -> None:
        body = json.dumps({"connection": id(self)}).encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nset-cookie: sid=1; path=/\r\n"
        self.transport.write(head + b"content-length: %d\r\n\r\n%s" % (len(body), body))

    def answer_slow(self) -> None:
        asyncio.get_running_loop().call_later(0.1, self.answer_json)

    def answer_stream(self) -> None:
        """The last chunk comes a little later than the end of the reply."""
        self.transport.write(STREAM + PIECE + PIECE + ENDING + DONE)
        asyncio.get_running_loop().call_later(0.005, self.transport.write, b"0\r\n\r\n")

    def answer_open(self) -> None:
        """A reply that ends, and a body that never does."""
        self.transport.write(STREAM + PIECE + ENDING + DONE)

    def answer_drip(self) -> None:
        """Pieces for ever."""
        self.transport.write(STREAM)
        self.drip()

    def drip(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(PIECE)
            asyncio.get_running_loop().call_later(0.01, self.drip)

    def answer_chopped(self) -> None:
        """The connection ends in the middle."""
        self.transport.write(STREAM + PIECE)
        self.transport.close()
