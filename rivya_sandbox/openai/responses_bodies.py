"""A response in the form of the Responses API: the object and its output items.

https://platform.openai.com/docs/api-reference/responses/object.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rivya_sandbox.openai.bodies import logprobs, pieces
from rivya_sandbox.openai.completions import Completion
from rivya_sandbox.openai.flavours import Counts
from rivya_sandbox.openai.responses_orders import ResponseOrder
from rivya_sandbox.values import Ids

SOURCE = {"url": "https://news.example.com/stand-in", "title": "The Stand-in Gazette"}
REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}


@dataclass(frozen=True)
class Response:
    """An answered order, ready to be written whole or as events.

    Attributes:
        id: Of the response.
        created: Unix seconds.
        asked: What was asked for.
        said: What was answered, every call with its id.
        counts: Its tokens.
        output: Its items.
    """

    id: str
    created: int
    asked: ResponseOrder
    said: Completion
    counts: Counts
    output: tuple[dict[str, Any], ...]

    @property
    def reason(self) -> str | None:
        """Why it is incomplete, if it is."""
        return REASONS.get(self.said.finish_reason or "")

    def body(self) -> dict[str, Any]:
        """The response at its end."""
        status = "incomplete" if self.reason else "completed"
        ended = {"completed_at": None if self.reason else self.created, "usage": usage(self.counts)}
        return {**self.begun(status), "output": list(self.output), **ended}

    def begun(self, status: str = "in_progress") -> dict[str, Any]:
        """The response before there is any output."""
        asked, request = self.asked, self.asked.order.body
        reasoning = request.get("reasoning") or {}
        text = request.get("text") or {}
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "completed_at": None,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": {"reason": self.reason} if status == "incomplete" else None,
            "instructions": request.get("instructions"),
            "max_output_tokens": request.get("max_output_tokens"),
            "max_tool_calls": request.get("max_tool_calls"),
            "metadata": request.get("metadata") or {},
            "model": asked.order.model.picks or asked.order.model.id,
            "output": [],
            "parallel_tool_calls": asked.order.parallel,
            "previous_response_id": request.get("previous_response_id"),
            "prompt_cache_key": request.get("prompt_cache_key"),
            "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
            "safety_identifier": request.get("safety_identifier"),
            "service_tier": "default",
            "store": asked.store,
            "temperature": request.get("temperature", 1.0),
            "text": {"format": text.get("format") or {"type": "text"}, "verbosity": text.get("verbosity") or "medium"},
            "tool_choice": request.get("tool_choice") or "auto",
            "tools": [echoed(tool) for tool in request.get("tools") or ()],
            "top_logprobs": request.get("top_logprobs") or 0,
            "top_p": request.get("top_p", 1.0),
            "truncation": request.get("truncation") or "disabled",
            "usage": None,
            "user": request.get("user"),
        }


def echoed(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A tool as the response repeats it."""
    if tool.get("type") == "function":
        return {"description": None, "parameters": None, "strict": True, **tool}
    if str(tool.get("type")).startswith("web_search"):
        return {"search_context_size": "medium", "user_location": None, **tool}
    return dict(tool)


def usage(counts: Counts) -> dict[str, Any]:
    """The tokens."""
    return {
        "input_tokens": counts.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": counts.output_tokens,
        "output_tokens_details": {"reasoning_tokens": counts.reasoning_tokens},
        "total_tokens": counts.total_tokens,
    }


def output_items(asked: ResponseOrder, said: Completion, ids: Ids) -> tuple[dict[str, Any], ...]:
    """The items: reasoning, searches, the message, the calls."""
    items = [reasoning_item(asked, said, ids)] if said.thoughts or asked.order.thinks else []
    items += [search_item(query, asked, ids) for query in said.searches]
    if said.text or said.refusal or not said.calls:
        items.append(message_item(asked, said, ids))
    status = "incomplete" if said.finish_reason == "length" else "completed"
    for place, call in enumerate(said.calls):
        last = place == len(said.calls) - 1
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


def reasoning_item(asked: ResponseOrder, said: Completion, ids: Ids) -> dict[str, Any]:
    """The reasoning, with its summary where one is asked for or scripted."""
    shown = said.thoughts and (asked.summary or not asked.order.thinks)
    item: dict[str, Any] = {
        "id": ids.new("rs"),
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": said.thoughts}] if shown else [],
    }
    if asked.encrypted:
        item["encrypted_content"] = base64.b64encode(said.thoughts.encode() or b"-").decode()
    return item


def search_item(query: str, asked: ResponseOrder, ids: Ids) -> dict[str, Any]:
    """One search of the web."""
    action: dict[str, Any] = {"type": "search", "query": query, "queries": [query]}
    if asked.sources:
        action["sources"] = [{"type": "url", "url": SOURCE["url"]}]
    return {"id": ids.new("ws"), "type": "web_search_call", "status": "completed", "action": action}


def message_item(asked: ResponseOrder, said: Completion, ids: Ids) -> dict[str, Any]:
    """The assistant's message."""
    part: dict[str, Any]
    if said.refusal:
        part = {"type": "refusal", "refusal": said.refusal}
    else:
        tokens = logprobs(pieces(said.text))["content"] if asked.order.logprobs else []
        part = {"type": "output_text", "text": said.text, "annotations": annotations_of(said), "logprobs": tokens}
    status = "incomplete" if said.finish_reason in REASONS and not said.calls else "completed"
    return {"id": ids.new("msg"), "type": "message", "status": status, "role": "assistant", "content": [part]}


def annotations_of(said: Completion) -> list[dict[str, Any]]:
    """The citations: each cites the whole text."""
    return [
        {"type": "url_citation", "start_index": 0, "end_index": len(said.text), **source} for source in said.citations
    ]
