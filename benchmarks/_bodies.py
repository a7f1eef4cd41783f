"""Bodies of replies, whole and streamed, in the forms of chat completions and of the Responses API."""

from __future__ import annotations

import json
from typing import Any


def chunk(delta: Any = None, finish: str | None = None, **top: Any) -> dict[str, Any]:
    """One chunk of a stream."""
    choice: dict[str, Any] = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **top}


def sse(*frames: Any, done: bool = True) -> bytes:
    """A stream of frames."""
    lines = [frame if isinstance(frame, str) else f"data: {json.dumps(frame)}" for frame in frames]
    return "".join(f"{line}\n\n" for line in [*lines, *(["data: [DONE]"] if done else [])]).encode()


def whole(message: Any, **top: Any) -> bytes:
    """A whole reply."""
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps(
        {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], **top}
    ).encode()


def piece(arguments: Any, name: str | None = None, **fields: Any) -> dict[str, Any]:
    """One fragment of a tool call."""
    function = {"arguments": arguments, **({"name": name} if name is not None else {})}
    return {**fields, "function": function}


def calls(*deltas: Any, finish: str = "tool_calls") -> bytes:
    """A stream of tool-call deltas."""
    frames = [chunk({"tool_calls": delta if isinstance(delta, list) else [delta]}) for delta in deltas]
    return sse(*frames, chunk(finish=finish))


def said(content: str) -> bytes:
    """A whole reply with this text."""
    return whole({"role": "assistant", "content": content})


def response(*items: dict[str, Any]) -> bytes:
    """A whole response of the Responses API."""
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    facts = {"id": "r", "object": "response", "created_at": 1, "status": "completed", "model": "m", "usage": usage}
    settings = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None}
    return json.dumps({**facts, **settings, "output": list(items)}).encode()
