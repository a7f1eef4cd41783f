"""What a long reply costs in steps of our code: each further piece, call, item or block costs the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from both_frameworks import KEY, URL, Backend
from counted_steps import assert_linear, steps_of
from llama_index.core.base.llms.types import ChatMessage
from wire import chunk, events, reply

from langchain_rivya import ChatOpenAICompatible
from llamaindex_rivya import OpenAICompatible

REASONING = {"type": "reasoning.text", "text": "Hm. ", "format": "f"}
SEARCH = {"type": "web_search_call", "status": "completed", "action": {"query": "q"}}
Reply = Callable[[int], httpx.Response]


def pieces(delta: Callable[[int], Any]) -> Reply:
    """A stream with as many chunks as the reply is long."""
    return lambda count: events(*(chunk(delta(at)) for at in range(count)), chunk({"content": "Yes."}, finish="stop"))


def call(at: int) -> dict[str, Any]:
    """A call that comes whole."""
    return {"index": at, "id": f"c{at}", "type": "function", "function": {"name": "look", "arguments": "{}"}}


def cited(at: int) -> dict[str, Any]:
    """A text, an image after it, and a citation of the text."""
    citation = {"url": f"https://example.com/{at}", "start_index": at, "end_index": at + 1}
    images = [{"image_url": {"url": f"https://example.com/{at}.png"}}]
    return {"content": "a", "images": images, "annotations": [{"type": "url_citation", "url_citation": citation}]}


STREAMS: dict[str, Reply] = {
    "text": pieces(lambda _: {"content": "word "}),
    "reasoning": pieces(lambda _: {"reasoning_content": "word "}),
    "tool calls": pieces(lambda at: {"tool_calls": [call(at)]}),
    "pieces of ten tool calls": pieces(
        lambda at: {
            "tool_calls": [{**call(at % 10), "function": {"name": "look", "arguments": "{" if at < 10 else " "}}]
        }
    ),
    "reasoning details": pieces(lambda _: {"reasoning_details": [{**REASONING, "index": 0}]}),
    "reasoning details without an index": pieces(lambda _: {"reasoning_details": [REASONING]}),
    "many reasoning details": pieces(lambda at: {"reasoning_details": [{**REASONING, "index": at}]}),
    "thinking blocks": pieces(lambda _: {"thinking_blocks": [{"type": "thinking", "thinking": "Hm. "}]}),
    "sound": pieces(lambda _: {"audio": {"data": "AAAA", "transcript": "word "}}),
    "citations": pieces(cited),
}


def response(items: Callable[[int], dict[str, Any]]) -> Reply:
    """A whole response with as many output items as the reply is long."""
    facts = {"id": "r", "object": "response", "model": "m", "status": "completed", "error": None}
    return lambda count: httpx.Response(200, json={**facts, "output": [items(at) for at in range(count)]})


def said(at: int) -> dict[str, Any]:
    """A message with a citation."""
    citation = {"type": "url_citation", "url": f"https://example.com/{at}", "start_index": 0, "end_index": 1}
    content = [{"type": "output_text", "text": "word ", "annotations": [citation]}]
    return {"type": "message", "id": f"m{at}", "role": "assistant", "content": content}


RESPONSES: dict[str, Reply] = {
    "messages": response(said),
    "searches": response(lambda at: {**SEARCH, "id": f"w{at}"}),
    "calls": response(lambda at: {"type": "function_call", "call_id": f"c{at}", "name": "look", "arguments": "{}"}),
}
WHOLE: dict[str, Reply] = {
    "tool calls": lambda count: reply({"role": "assistant", "tool_calls": [call(at) for at in range(count)]}),
    "parts": lambda count: reply({"role": "assistant", "content": [{"type": "text", "text": "word "}] * count}),
    "citations": lambda count: reply(
        {
            "role": "assistant",
            "content": "a" * count,
            "annotations": [cited(at)["annotations"][0] for at in range(count)],
        }
    ),
}


def clients(answer: httpx.Response) -> dict[str, Any]:
    """The settings of a model whose server returns this answer each time."""
    body, kind = answer.read(), answer.headers["content-type"]
    backend = Backend(answer=lambda _: httpx.Response(200, content=body, headers={"content-type": kind}))
    return {"model": "m", "api_key": KEY, "base_url": URL, "http_client": backend.clients["http_client"]}


HI = [ChatMessage("Hi.")]


def langchain(answer: httpx.Response, **settings: Any) -> Callable[[], Any]:
    model = ChatOpenAICompatible(**clients(answer), **settings)
    streamed = "event-stream" in answer.headers["content-type"]
    return lambda: [*model.stream("Hi.")] if streamed else model.invoke("Hi.")


def llamaindex(answer: httpx.Response, **settings: Any) -> Callable[[], Any]:
    model = OpenAICompatible(**clients(answer), **settings)
    streamed = "event-stream" in answer.headers["content-type"]
    return lambda: [*model.stream_chat(HI)] if streamed else model.chat(HI)


@pytest.mark.parametrize("framework", [langchain, llamaindex])
@pytest.mark.parametrize(("replies", "name"), [(kind, name) for kind in (STREAMS, WHOLE, RESPONSES) for name in kind])
def test_each_further_piece_costs_the_same(
    framework: Callable[..., Callable[[], Any]], replies: dict[str, Reply], name: str
) -> None:
    assert_linear(lambda count: framework(replies[name](count), use_responses_api=replies is RESPONSES))


def test_the_count_sees_what_is_quadratic() -> None:
    """A copy of the whole in a loop of ours would fail the tests above."""
    from rivya_core.types import Message, Text

    def make(count: int) -> Callable[[], Any]:
        message = Message("user", tuple(Text("a") for _ in range(count)))
        return lambda: [message.text for _ in range(count)]

    with pytest.raises(AssertionError):
        assert_linear(make)
    assert steps_of(make(100)) == steps_of(make(100))
