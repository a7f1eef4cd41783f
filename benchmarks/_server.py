"""A server that costs next to nothing: an asyncio protocol that writes prebuilt bytes, in a process of its own.

The first segment of a path says how it answers, for example `/n=1000,ms=300/v1/chat/completions`: `n` pieces when a
stream is asked for, `ms` of waiting before the answer. A path with `/api/v1/` is answered in Rivya's form, any other in
OpenAI's. `GET /counts` returns how many connections there were since the last time it was asked.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from functools import cache
from typing import Any

HEAD = re.compile(rb"^(?P<method>\w+) (?P<path>\S+) HTTP/1.1\r\n(?P<fields>.*?)\r\n\r\n", re.DOTALL)
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
KIND = re.compile(rb'"stream": *true')
USAGE = {"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 21}
SESSION = {"session_id": "sess_1", "model": "gpt-5-2-chat", "created_at": "2026-05-11T00:00:00.000Z"}
SESSION |= {
    "usage": {"input_tokens": 12, "output_tokens": 9, "total_tokens": 21},
    "credits": {"reserved": 3, "final": 2},
}
WORD = "token "
ARGUMENT = '"k": 1, '


def whole(body: dict[str, Any]) -> bytes:
    """A complete answer with a JSON body."""
    data = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(data), data)


def event(body: Any, name: str = "") -> bytes:
    """A server-sent event in an HTTP chunk of its own."""
    text = body if isinstance(body, str) else json.dumps(body)
    data = (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(data), data)


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    """A chat completion chunk."""
    choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    facts = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "gpt-5.2"}
    return event({**facts, "choices": choices, **more})


def call(index: int, arguments: str) -> dict[str, Any]:
    """A piece of a tool call."""
    named = {"id": "call_1", "type": "function"} if index == 0 else {}
    function = {"name": "look_up", "arguments": arguments} if index == 0 else {"arguments": arguments}
    return {"tool_calls": [{"index": 0, **named, "function": function}]}


@cache
def openai_stream(count: int, what: str) -> tuple[bytes, ...]:
    """The chunks of a chat completion: text, reasoning, the arguments of one tool call, or a call in each chunk."""
    if what == "calls":
        pieces = [
            chunk({"tool_calls": [{**call(0, "{}")["tool_calls"][0], "index": i, "id": f"call_{i}"}]})
            for i in range(count)
        ]
    elif what == "tools":
        pieces = [chunk(call(0, "{")), *[chunk(call(i, ARGUMENT)) for i in range(1, count)], chunk(call(1, '"z": 1}'))]
    else:
        key = "reasoning_content" if what == "reasoning" else "content"
        pieces = [chunk({"role": "assistant", "content": ""}), *[chunk({key: WORD}) for _ in range(count)]]
    finish = "tool_calls" if what in ("tools", "calls") else "stop"
    return (*pieces, chunk({}, finish), chunk({}, None, usage=USAGE), event("[DONE]"), b"0\r\n\r\n")


@cache
def rivya_stream(count: int, what: str) -> tuple[bytes, ...]:
    """The events of a Rivya reply."""
    name = "thoughts.delta" if what == "reasoning" else "message.delta"
    pieces = [event({"delta": {"content": WORD}}, name) for _ in range(count)]
    return (*pieces, event({"id": "chatcmpl_1", **SESSION}, "message.completed"), event("[DONE]"), b"0\r\n\r\n")


OPENAI = whole(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "gpt-5.2",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello there."}, "finish_reason": "stop"}],
        "usage": USAGE,
    }
)
RIVYA = whole({"id": "chatcmpl_1", **SESSION, "message": {"id": "m", "role": "assistant", "content": "Hello there."}})
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class Answering(asyncio.Protocol):
    """One connection."""

    connections = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        self.transport: Any = transport
        self.waiting = b""
        Answering.connections += 1

    def data_received(self, data: bytes) -> None:
        """Answer each complete request."""
        self.waiting += data
        while (head := HEAD.match(self.waiting)) is not None:
            found = LENGTH.search(head["fields"])
            end = head.end() + (int(found[1]) if found else 0)
            if len(self.waiting) < end:
                return
            body, self.waiting = self.waiting[head.end() : end], self.waiting[end:]
            self.answer(head["path"].decode(), body)

    def answer(self, path: str, body: bytes) -> None:
        """Write the answer, now or after the wait that the path names."""
        if path == "/counts":
            self.transport.write(whole({"connections": Answering.connections}))
            Answering.connections = 0
            return
        told = dict(pair.split("=") for pair in path.split("/")[1].split(",") if "=" in pair)
        pieces = self.pieces(path, body, told)
        if "ms" in told:
            asyncio.get_running_loop().call_later(int(told["ms"]) / 1000, self.write, pieces)
        else:
            self.write(pieces)

    def pieces(self, path: str, body: bytes, told: dict[str, str]) -> tuple[bytes, ...]:
        """The answer, cut into what is written at once."""
        rivya = "/api/v1/" in path
        if not (path.endswith("/stream") or KIND.search(body)):
            return (RIVYA if rivya else OPENAI,)
        build = rivya_stream if rivya else openai_stream
        return (STREAM_HEAD, *build(int(told.get("n", "10")), told.get("what", "text")))

    def write(self, pieces: tuple[bytes, ...]) -> None:
        """One write a piece, so that each can arrive on its own."""
        for piece in pieces:
            if not self.transport.is_closing():
                self.transport.write(piece)


async def main() -> None:
    """Serve until the standard input ends, so that nothing is left behind."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
