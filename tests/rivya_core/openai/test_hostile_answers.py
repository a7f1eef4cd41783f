"""Whatever JSON a server sends, the outcome is a reply or one of this distribution's errors, and stays JSON."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai_asking import KEY
from wire import URL

from rivya_core import errors
from rivya_core.chat_stream import ChatStreamDecoder
from rivya_core.openai.chat.stream import CompletionsStreamDecoder, Reading, read_whole
from rivya_core.openai.responses.stream import EVENTS, ResponseReading, ResponsesStreamDecoder, read_response
from rivya_core.sessions.pointers import origin_of
from rivya_core.types import ChatDelta

ORIGIN = origin_of(URL, "", KEY.get_secret_value())
WORDS = (
    "id model choices delta message content role tool_calls function name arguments index finish_reason usage error type "
    "text refusal logprobs annotations images audio reasoning reasoning_content reasoning_details citations "
    "search_results detail object code prompt_tokens completion_tokens total_tokens output status response item summary "
    "output_index content_index summary_index item_id part created_at incomplete_details function_call call_id store"
).split()
KINDS = [
    "text",
    "thinking",
    "message",
    "reasoning",
    "function_call",
    "url_citation",
    "error",
    "failed",
    "completed",
    *EVENTS,
]
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "x", "{", *KINDS])
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)
choices = st.fixed_dictionaries(
    {"choices": st.lists(st.dictionaries(st.sampled_from(WORDS), values, max_size=4), max_size=2)}
)
events = st.dictionaries(st.sampled_from(WORDS), values, max_size=5).flatmap(
    lambda rest: st.sampled_from(KINDS).map(lambda kind: {**rest, "type": kind})
)
outputs = st.fixed_dictionaries(
    {"output": st.lists(events, max_size=3), "status": st.sampled_from(["completed", "incomplete"])}
)


def answer(content: bytes, kind: str = "application/json") -> httpx.Response:
    request = httpx.Request("POST", URL)
    return httpx.Response(200, headers={"content-type": kind}, content=content, request=request)


def check(delta: ChatDelta) -> None:
    """What is handed on can be kept in a checkpoint, and no broken call looks sound."""
    json.dumps([delta.metadata, delta.blocks, delta.text, delta.reasoning])
    for call in delta.tool_calls:
        assert isinstance(call.arguments, str)
        if delta.last and call.arguments and not call.invalid and call.name:
            assert isinstance(json.loads(call.arguments), dict)


def feed(stream: ChatStreamDecoder, frames: list[Any]) -> None:
    try:
        for frame in frames:
            for delta in stream.feed(f"data: {json.dumps(frame)}\n\n".encode()):
                json.dumps([delta.text, delta.reasoning])
        for delta in stream.finish():
            json.dumps([delta.metadata, delta.blocks])
    except errors.RivyaError:
        pass


@settings(deadline=None, max_examples=60)
@given(values | choices)
def test_a_whole_completion(value: Any) -> None:
    with suppress(errors.RivyaError):
        check(read_whole(answer(json.dumps(value).encode()), Reading(think_tags=True, headers=True)))


@settings(deadline=None, max_examples=60)
@given(st.lists(values | choices, max_size=5))
def test_a_streamed_completion(frames: list[Any]) -> None:
    feed(CompletionsStreamDecoder(answer(b"", "text/event-stream"), Reading(think_tags=True)), frames)


@settings(deadline=None, max_examples=60)
@given(values | outputs)
def test_a_whole_response(value: Any) -> None:
    with suppress(errors.RivyaError):
        check(read_response(answer(json.dumps(value).encode()), ResponseReading(ORIGIN)))


@settings(deadline=None, max_examples=60)
@given(st.lists(values | events, max_size=6))
def test_a_streamed_response(frames: list[Any]) -> None:
    feed(ResponsesStreamDecoder(answer(b"", "text/event-stream"), ResponseReading(ORIGIN)), frames)


@pytest.mark.parametrize(
    "content", [b"[" * 5000, b'{"choices": ' + b"[" * 3000, b"\xff\xfe", b"\x00", b'"\xed\xa0\x80"']
)
def test_bytes_that_are_no_json(content: bytes) -> None:
    for read in (lambda a: read_whole(a, Reading()), lambda a: read_response(a, ResponseReading(ORIGIN))):
        with pytest.raises(errors.RivyaError):
            read(answer(content))
