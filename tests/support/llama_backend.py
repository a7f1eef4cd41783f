"""A back end that says exactly what a test told it to, on a real port, in OpenAI's wire or in Rivya's.

It keeps every request, counts connections, and notices when a client goes away in mid-answer. Unlike the sandbox it
has no rules of its own: bytes are the test's.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from typing_extensions import Self


@dataclass
class Request:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    left: threading.Event = field(default_factory=threading.Event)
    left_at: float = 0.0
    written: int = 0


@dataclass(frozen=True)
class Call:
    """A tool call; its arguments are streamed in *pieces*."""

    name: str
    arguments: Any
    id: str = "call_1"
    pieces: int = 3

    @property
    def text(self) -> str:
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)

    def cut(self) -> list[str]:
        size = max(1, -(-len(self.text) // self.pieces))
        return [self.text[i : i + size] for i in range(0, len(self.text), size)] or [""]


@dataclass(frozen=True)
class Reply:
    """What the model says, whichever wire carries it."""

    text: str | tuple[str, ...] = ""
    reasonings: str | tuple[str, ...] = ""
    calls: tuple[Call, ...] = ()
    usage: tuple[int, int] | None = (11, 7)
    finish: str | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        return (self.text,) if isinstance(self.text, str) else self.text

    @property
    def thinking(self) -> tuple[str, ...]:
        return (self.reasonings,) if isinstance(self.reasonings, str) else self.reasonings


@dataclass(frozen=True)
class Raw:
    """Bytes as they are: pieces with a pause between them, and how the answer ends."""

    pieces: tuple[bytes, ...] = ()
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    pause: float = 0.0
    cut: bool = False


EVENTS = (("content-type", "text/event-stream"),)
Answer = Reply | Raw | Callable[[Request], "Reply | Raw"]


def sse(*data: Any, done: bool = True) -> Raw:
    """An event stream of JSON values."""
    pieces = [f"data: {json.dumps(value)}\n\n".encode() for value in data]
    return Raw((*pieces, *([b"data: [DONE]\n\n"] if done else [])), headers=EVENTS)


def chunk(delta: Any = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One chunk of a chat completion."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
        **more,
    }


def usage_of(reply: Reply) -> dict[str, Any] | None:
    if reply.usage is None:
        return None
    spent, made = reply.usage
    return {"prompt_tokens": spent, "completion_tokens": made, "total_tokens": spent + made}


class OpenAIRouter:
    """Chat completions."""

    def render(self, reply: Reply, request: Request) -> Raw:
        return self.stream(reply, request) if request.body.get("stream") else self.whole(reply)

    def whole(self, reply: Reply) -> Raw:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(reply.texts) or None}
        if any(reply.thinking):
            message["reasoning_content"] = "".join(reply.thinking)
        if reply.calls:
            message["tool_calls"] = [
                {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.text}} for c in reply.calls
            ]
        finish = reply.finish or ("tool_calls" if reply.calls else "stop")
        body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m"}
        body["choices"] = [{"index": 0, "message": message, "finish_reason": finish}]
        body["usage"] = usage_of(reply)
        return Raw((json.dumps(body).encode(),))

    def stream(self, reply: Reply, request: Request) -> Raw:
        chunks = [chunk({"role": "assistant", "content": ""})]
        chunks += [chunk({"reasoning_content": piece}) for piece in reply.thinking if piece]
        chunks += [chunk({"content": piece}) for piece in reply.texts if piece]
        for index, call in enumerate(reply.calls):
            head = {"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
            chunks.append(chunk({"tool_calls": [head]}))
            for piece in call.cut():
                chunks.append(chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}))
        chunks.append(chunk({}, reply.finish or ("tool_calls" if reply.calls else "stop")))
        if (request.body.get("stream_options") or {}).get("include_usage"):
            chunks.append({**chunk(), "choices": [], "usage": usage_of(reply)})
        return sse(*chunks)


class RivyaWire:
    """Rivya's chat, with a new session for every turn that names none."""

    def __init__(self) -> None:
        self.turns = 0

    def render(self, reply: Reply, request: Request) -> Raw:
        if request.path.endswith("/files"):
            return Raw((b'{"id": "file_1", "url": "https://example.com/file_1"}',))
        self.turns += 1
        facts = {"id": f"chatcmpl_{self.turns}", "model": request.body["model"]}
        facts["session_id"] = request.body.get("session_id") or f"chatsess_{self.turns}"
        facts |= {"credits": {"reserved": 3, "final": 1}, "created_at": "2026-11-21T00:00:00.000Z"}
        facts |= {"usage": usage_of(reply)} if reply.usage else {}
        if not request.path.endswith("/stream"):
            message = {"role": "assistant", "content": "".join(reply.texts)}
            reasonings = {"reasoning": "".join(reply.thinking)} if any(reply.thinking) else {}
            return Raw((json.dumps({"object": "chat.completion", **facts, "message": message, **reasonings}).encode(),))
        events = [("message.thought", {"delta": piece}) for piece in reply.thinking if piece]
        events += [("message.delta", {"delta": piece}) for piece in reply.texts if piece]
        events.append(("message.completed", facts))
        return Raw(tuple(f"event: {n}\ndata: {json.dumps(d)}\n\n".encode() for n, d in events), headers=EVENTS)


class Backend:
    """The server: `say` queues what it answers, `requests` is what it was asked."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.wire: Any = OpenAIRouter()
        self.url = ""
        self._answers: list[Answer] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def say(self, *answers: Answer) -> None:
        self._answers += answers

    def reset(self, wire: Any) -> None:
        self.requests, self.connections, self.wire, self._answers = [], 0, wire, []

    @property
    def unsaid(self) -> list[Answer]:
        return self._answers

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._connection(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while (request := await self._read(reader)) is not None:
                self.requests.append(request)
                if not await self._answer(request, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Request | None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.split("\r\n")
        method, path, _ = first.split(" ")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        is_json = "json" in headers.get("content-type", "")
        return Request(method, path, headers, json.loads(body) if is_json and body else body)

    async def _answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        answer: Any = self._answers.pop(0) if self._answers else Reply("ok")
        while callable(answer):
            answer = answer(request)
        raw = answer if isinstance(answer, Raw) else self.wire.render(answer, request)
        head = f"HTTP/1.1 {raw.status} Said\r\ntransfer-encoding: chunked\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in raw.headers)
        writer.write(f"{head}\r\n".encode())
        gone = asyncio.ensure_future(self._watch(request, reader))
        try:
            for piece in filter(None, raw.pieces):  # an empty chunk would end the body
                writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                request.written += 1
                if raw.pause:
                    await asyncio.wait([gone], timeout=raw.pause)
                    if gone.done():
                        return False
            if raw.cut:
                writer.transport.abort()
                return False
            writer.write(b"0\r\n\r\n")
            await writer.drain()
            return not gone.done()
        finally:
            gone.cancel()

    @staticmethod
    async def _watch(request: Request, reader: asyncio.StreamReader) -> None:
        while not reader.at_eof():  # noqa: ASYNC110 - a reader has no event for it
            await asyncio.sleep(0.002)
        request.left_at = time.monotonic()
        request.left.set()


def pieces_of(data: bytes, cuts: Iterable[int]) -> tuple[bytes, ...]:
    """*data* cut at the positions *cuts*."""
    edges = [0, *sorted(cuts), len(data)]
    return tuple(data[a:b] for a, b in pairwise(edges) if a < b)
