"""A Responses API in miniature that keeps its promises: histories by `previous_response_id`, and a record of both.

It says what the incumbent's model saw: everything that the named response's model saw, its answer, and the new input.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

Said = tuple[str, str]
"""Role and text."""


@dataclass
class Response:
    """One response: what its model saw and said."""

    id: str
    account: str
    context: list[Said]
    answer: str
    stored: bool
    delivered: bool = False


@dataclass
class Responses:
    """What happened, and what goes wrong next: `drop` loses so many answers, `cut` breaks the next stream off."""

    url: str = ""
    all: dict[str, Response] = field(default_factory=dict)
    drop: int = 0
    cut: bool = False
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def forget(self) -> None:
        """Lose all that is stored."""
        for response in self.all.values():
            response.stored = False

    def run(self, body: dict[str, Any], account: str) -> Response | None:
        """The response to a request, or None if the one that it continues does not exist for the account."""
        before: list[Said] = []
        if body.get("previous_response_id"):
            known = self.all.get(body["previous_response_id"])
            if known is None or known.account != account or not known.stored:
                return None
            before = [*known.context, ("assistant", known.answer)]
        new = _all_said(body["input"])
        number = next(self._numbers)
        name, stored = f"resp_{number}", body.get("store") is not False
        response = Response(name, account, [*before, *new], f"This is reply number {number}.", stored)
        self.all[name] = response
        return response


def _all_said(items: str | list[dict[str, Any]]) -> list[Said]:
    """The messages in an input; calls side by side are one message of the assistant's."""
    if isinstance(items, str):
        return [("user", items)]
    said: list[Said] = []
    for item in items:
        kind = item.get("type", "message")
        if kind == "function_call_output":
            said.append(("tool", _text(item["output"])))
        elif kind == "message":
            said.append((item["role"], _text(item["content"])))
        elif not said or said[-1][0] != "assistant":
            said.append(("assistant", ""))
    return said


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _item(response: Response, text: str | None = None) -> dict[str, Any]:
    part = {"type": "output_text", "text": response.answer if text is None else text, "annotations": []}
    return {
        "id": f"msg_{response.id}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }


def _body(response: Response, status: str = "completed") -> dict[str, Any]:
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    return {
        "id": response.id,
        "object": "response",
        "created_at": 0,
        "status": status,
        "model": "gpt-5.2",
        "output": [_item(response)] if status == "completed" else [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage | details if status == "completed" else None,
    }


def _events(response: Response) -> Iterator[dict[str, Any]]:
    here = {"item_id": f"msg_{response.id}", "output_index": 0, "content_index": 0}
    yield {"type": "response.created", "response": _body(response, "in_progress")}
    yield {"type": "response.output_item.added", "output_index": 0, "item": {**_item(response), "content": []}}
    for word in response.answer.split(" "):
        yield {"type": "response.output_text.delta", **here, "delta": f"{word} "[: len(word) + 1], "logprobs": []}
    yield {"type": "response.output_item.done", "output_index": 0, "item": _item(response)}
    yield {"type": "response.completed", "response": _body(response)}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        box = self.server.responses
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        response = box.run(body, self.headers["authorization"])
        if response is None:
            error = {"message": "Previous response not found.", "code": "previous_response_not_found"}
            self._send(404, json.dumps({"error": error}).encode())
        elif box.drop:
            box.drop -= 1
            self.close_connection = True
        elif body.get("stream"):
            self._stream(response)
        else:
            response.delivered = True
            self._send(200, json.dumps(_body(response)).encode())

    def _stream(self, response: Response) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        for number, event in enumerate(_events(response)):
            if self.server.responses.cut and number == 3:
                self.server.responses.cut = False
                return
            data = json.dumps({"sequence_number": number, **event})
            self.wfile.write(f"event: {event['type']}\ndata: {data}\n\n".encode())
            self.wfile.flush()
        response.delivered = True

    def _send(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    responses: Responses

    def handle_error(self, *_: Any) -> None:
        """A reader who left is not an error here."""


@contextmanager
def serving_responses() -> Iterator[Responses]:
    """Serve on a free port."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.responses = Responses(url=f"http://127.0.0.1:{server.server_port}/v1")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server.responses
        server.shutdown()
        thread.join()
