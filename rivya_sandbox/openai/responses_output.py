"""The response of the Responses API: the object and its output items.

https://platform.openai.com/docs/api-reference/responses/object.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rivya_sandbox.ids import Ids
from rivya_sandbox.openai.chat_response import logprobs, pieces
from rivya_sandbox.openai.responses_request import ResponsesRequest
from rivya_sandbox.values import Completion, Usage

SOURCE = {"url": "https://news.example.com/stand-in", "title": "The Stand-in Gazette"}
REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}


@dataclass(frozen=True)
class ResponseObject:
    """A reply, ready to be written whole or as events.

    Attributes:
        id: The response's id.
        created: Unix seconds.
        request: The request.
        completion: The reply, every call with its id.
        usage: Its tokens.
        output: Its items.
    """

    id: str
    created: int
    request: ResponsesRequest
    completion: Completion
    usage: Usage
    output: tuple[dict[str, Any], ...]

    @property
    def reason(self) -> str | None:
        """Why it is incomplete, if it is."""
        return REASONS.get(self.completion.finish_reason or "")

    def body(self) -> dict[str, Any]:
        """Return the complete response."""
        status = "incomplete" if self.reason else "completed"
        ended = {"completed_at": None if self.reason else self.created, "usage": usage_json(self.usage)}
        return {**self.started(status), "output": list(self.output), **ended}

    def started(self, status: str = "in_progress") -> dict[str, Any]:
        """Return the response before it has any output."""
        chat, body = self.request.chat, self.request.chat.body
        reasoning = body.get("reasoning") or {}
        text = body.get("text") or {}
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "completed_at": None,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": {"reason": self.reason} if status == "incomplete" else None,
            "instructions": body.get("instructions"),
            "max_output_tokens": body.get("max_output_tokens"),
            "max_tool_calls": body.get("max_tool_calls"),
            "metadata": body.get("metadata") or {},
            "model": chat.model.routes_to or chat.model.id,
            "output": [],
            "parallel_tool_calls": chat.prompt.parallel_tool_calls,
            "previous_response_id": body.get("previous_response_id"),
            "prompt_cache_key": body.get("prompt_cache_key"),
            "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
            "safety_identifier": body.get("safety_identifier"),
            "service_tier": "default",
            "store": self.request.store,
            "temperature": body.get("temperature", 1.0),
            "text": {"format": text.get("format") or {"type": "text"}, "verbosity": text.get("verbosity") or "medium"},
            "tool_choice": body.get("tool_choice") or "auto",
            "tools": [echoed(tool) for tool in body.get("tools") or ()],
            "top_logprobs": body.get("top_logprobs") or 0,
            "top_p": body.get("top_p", 1.0),
            "truncation": body.get("truncation") or "disabled",
            "usage": None,
            "user": body.get("user"),
        }


def echoed(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tool as the response repeats it."""
    if tool.get("type") == "function":
        return {"description": None, "parameters": None, "strict": True, **tool}
    if str(tool.get("type")).startswith("web_search"):
        return {"search_context_size": "medium", "user_location": None, **tool}
    return dict(tool)


def usage_json(usage: Usage) -> dict[str, Any]:
    """Return the tokens."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }


def output_items(request: ResponsesRequest, completion: Completion, ids: Ids) -> tuple[dict[str, Any], ...]:
    """Return the items: reasoning, searches, the message, the calls."""
    items = [reasoning_item(request, completion, ids)] if completion.reasoning or request.chat.reasons else []
    items += [search_item(query, request, ids) for query in completion.searches]
    if completion.text or completion.refusal or not completion.calls:
        items.append(message_item(request, completion, ids))
    status = "incomplete" if completion.finish_reason == "length" else "completed"
    for place, call in enumerate(completion.calls):
        last = place == len(completion.calls) - 1
        items.append(
            {
                "id": ids.new("fc"),
                "type": "function_call",
                "status": status if last else "completed",
                "call_id": call.id,
                "name": call.name,
                "arguments": call.text,
            }
        )
    return tuple(items)


def reasoning_item(request: ResponsesRequest, completion: Completion, ids: Ids) -> dict[str, Any]:
    """Return the reasoning, with its summary if the request asks for one or it is scripted."""
    shown = completion.reasoning and (request.summary or not request.chat.reasons)
    item: dict[str, Any] = {
        "id": ids.new("rs"),
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": completion.reasoning}] if shown else [],
    }
    if request.encrypted:
        item["encrypted_content"] = base64.b64encode(completion.reasoning.encode() or b"-").decode()
    return item


def search_item(query: str, request: ResponsesRequest, ids: Ids) -> dict[str, Any]:
    """Return a web search."""
    action: dict[str, Any] = {"type": "search", "query": query, "queries": [query]}
    if request.sources:
        action["sources"] = [{"type": "url", "url": SOURCE["url"]}]
    return {"id": ids.new("ws"), "type": "web_search_call", "status": "completed", "action": action}


def message_item(request: ResponsesRequest, completion: Completion, ids: Ids) -> dict[str, Any]:
    """Return the assistant's message."""
    part: dict[str, Any]
    if completion.refusal:
        part = {"type": "refusal", "refusal": completion.refusal}
    else:
        tokens = logprobs(pieces(completion.text))["content"] if request.chat.logprobs else []
        part = {
            "type": "output_text",
            "text": completion.text,
            "annotations": annotations_of(completion),
            "logprobs": tokens,
        }
    status = "incomplete" if completion.finish_reason in REASONS and not completion.calls else "completed"
    return {"id": ids.new("msg"), "type": "message", "status": status, "role": "assistant", "content": [part]}


def annotations_of(completion: Completion) -> list[dict[str, Any]]:
    """Return the citations. Each cites the whole text."""
    return [
        {"type": "url_citation", "start_index": 0, "end_index": len(completion.text), **source}
        for source in completion.citations
    ]
