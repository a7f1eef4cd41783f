"""A Responses API in a few lines, which remembers what it stored and what its model saw."""

from __future__ import annotations

import json
from typing import Any

import httpx


class Backend:
    """A Responses API that remembers what it stored and what its model saw."""

    def __init__(self) -> None:
        self.stored: dict[str, list[Any]] = {}
        self.seen: list[list[Any]] = []
        self.bodies: list[dict[str, Any]] = []
        self.output: list[dict[str, Any]] | None = None
        self.status = "completed"

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.bodies.append(body)
        before = body.get("previous_response_id")
        if before is not None and before not in self.stored:
            words = f"Previous response with id '{before}' not found."
            return httpx.Response(400, json={"error": {"message": words, "param": "previous_response_id"}})
        items = body["input"] if isinstance(body["input"], list) else [{"role": "user", "content": body["input"]}]
        context = [*self.stored.get(before, []), *items]
        self.seen.append([said(item) for item in context])
        made = self._response(body, context)
        return _streamed(made) if body.get("stream") else httpx.Response(200, json=made)

    def _response(self, body: dict[str, Any], context: list[Any]) -> dict[str, Any]:
        id_ = f"resp_{len(self.bodies)}"
        output = self.output or [said_message(f"answer {len(self.bodies)}")]
        if body.get("store") is not False and self.status == "completed":
            self.stored[id_] = [*context, *output]
        usage = {
            "input_tokens": 3,
            "output_tokens": 2,
            "total_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 1},
        }
        incomplete = {"reason": "max_output_tokens"} if self.status == "incomplete" else None
        return {
            "previous_response_id": body.get("previous_response_id"), "id": id_, "object": "response", "created_at": 1, "status": self.status, "model": body["model"],
            "output": output, "usage": usage, "store": body.get("store", True), "incomplete_details": incomplete,
        }  # fmt: skip


def said_message(text: str, **fields: Any) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [], **fields}
    return {"type": "message", "id": f"msg_{text}", "role": "assistant", "status": "completed", "content": [part]}


def said(item: dict[str, Any]) -> Any:
    """An item as role and text."""
    content = item.get("content", item.get("output", item.get("arguments")))
    text = (
        content
        if isinstance(content, str)
        else "".join(part.get("text", "") for part in content or () if isinstance(part, dict))
    )
    return (item.get("role") or item.get("type"), text)


def _streamed(made: dict[str, Any]) -> httpx.Response:
    frames: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**made, "output": [], "status": "in_progress"}}
    ]
    for index, item in enumerate(made["output"]):
        frames.append(
            {
                "type": "response.output_item.added",
                "output_index": index,
                "item": {**item, "content": [], "summary": []},
            }
        )
        for part in item.get("content", ()):
            frames.append(
                {
                    "type": f"response.{'refusal' if 'refusal' in part else 'output_text'}.delta",
                    "output_index": index,
                    "content_index": 0,
                    "item_id": item["id"],
                    "delta": part.get("text", part.get("refusal")),
                }
            )
        for part in item.get("summary", ()):
            frames.append(
                {
                    "type": "response.reasoning_summary_text.delta",
                    "output_index": index,
                    "summary_index": 0,
                    "item_id": item["id"],
                    "delta": part.get("text", part.get("refusal")),
                }
            )
        frames.append({"type": "response.output_item.done", "output_index": index, "item": item})
    frames.append({"type": f"response.{made['status']}", "response": made})
    text = "".join(f"event: {frame['type']}\ndata: {json.dumps(frame)}\n\n" for frame in frames)
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=text.encode())
