"""Answers of an OpenAI-compatible server, written by hand: whole, streamed, or anything else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import httpx

URL = "http://backend.test/v1"
PATH = f"{URL}/chat/completions"


def reply(message: Any = None, *, finish: str | None = "stop", **top: Any) -> httpx.Response:
    """A whole reply with *message* in its only choice."""
    said = {"role": "assistant", "content": "hi"} if message is None else message
    return body({"choices": [{"index": 0, "message": said, "finish_reason": finish}], **top})


def body(value: Any, status: int = 200) -> httpx.Response:
    """A JSON answer with the usual top of a completion."""
    if isinstance(value, dict) and "choices" in value:
        value = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", **value}
    return httpx.Response(status, json=value)


def chunk(delta: Any = None, *, finish: str | None = None, **top: Any) -> dict[str, Any]:
    """One chunk of a streamed reply."""
    choice: dict[str, Any] = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **top}


def events(*frames: Any, done: bool = True, newline: str = "\n") -> httpx.Response:
    """A stream of *frames*; strings are sent as they are."""
    lines = [frame if isinstance(frame, str) else f"data: {json.dumps(frame)}" for frame in frames]
    lines += ["data: [DONE]"] if done else []
    text = "".join(line + newline * 2 for line in lines)
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=text.encode())


def text_frames(text: str, finish: str = "stop") -> Iterable[dict[str, Any]]:
    """The frames of a plain answer."""
    yield chunk({"role": "assistant", "content": ""})
    for word in text.split(" "):
        yield chunk({"content": word})
    yield chunk({}, finish=finish)


def piece(arguments: Any = None, **fields: Any) -> dict[str, Any]:
    """One tool-call fragment in a delta; `name` goes into its function."""
    name = fields.pop("name", None)
    function = {key: value for key, value in {"name": name, "arguments": arguments}.items() if value is not None}
    return {**fields, "function": function}
