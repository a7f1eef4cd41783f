"""Point 3: tool calls as back ends really stream them, put together to what was meant."""

from __future__ import annotations

import json

import pytest
from llama_backend import EVENTS, Call, Raw, Reply, chunk, pieces_of, sse
from llama_candidates import with_tools
from llama_index.core.base.llms.types import ToolCallBlock
from llama_index.core.tools import FunctionTool

pytestmark = with_tools


def search(q: str) -> str:
    """Search."""
    return q


def lookup(q: str) -> str:
    """Look up."""
    return q


TOOLS = [FunctionTool.from_defaults(search), FunctionTool.from_defaults(lookup)]
BASEL, BERN = {"q": "Basel"}, {"q": "Bern"}


def piece(index=0, call_id=None, name=None, arguments=None, **more):
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    found = {"index": index, "id": call_id, "type": "function", "function": function, **more}
    return {key: value for key, value in found.items() if value is not None}


def calls_in(*deltas, finish="tool_calls"):
    """A stream of deltas, each a list of pieces of tool calls."""
    return sse(*[chunk({"tool_calls": list(pieces)}) for pieces in deltas], chunk({}, finish))


CASES = {
    "in fragments": (
        calls_in(
            [piece(0, "a", "search", "")],
            [piece(0, arguments='{"q": ')],
            [piece(0, arguments='"Ba')],
            [piece(0, arguments='sel"}')],
        ),
        [("search", BASEL)],
    ),
    "several in one delta": (
        calls_in([piece(0, "a", "search", '{"q": "Basel"}'), piece(1, "b", "lookup", '{"q": "Bern"}')]),
        [("search", BASEL), ("lookup", BERN)],
    ),
    "interleaved": (
        calls_in(
            [piece(0, "a", "search", '{"q": '), piece(1, "b", "lookup", '{"q": ')],
            [piece(1, arguments='"Bern"}')],
            [piece(0, arguments='"Basel"}')],
        ),
        [("search", BASEL), ("lookup", BERN)],
    ),
    "id and name in every piece": (
        calls_in([piece(0, "a", "search", '{"q": ')], [piece(0, "a", "search", '"Basel"}')]),
        [("search", BASEL)],
    ),
    "no index": (
        calls_in([piece(None, "a", "search", '{"q": ')], [piece(None, arguments='"Basel"}')]),
        [("search", BASEL)],
    ),
    "no index, two calls": (
        calls_in([piece(None, "a", "search", '{"q": "Basel"}')], [piece(None, "b", "lookup", '{"q": "Bern"}')]),
        [("search", BASEL), ("lookup", BERN)],
    ),
    "index always 0": (
        calls_in([piece(0, "a", "search", '{"q": "Basel"}')], [piece(0, "b", "lookup", '{"q": "Bern"}')]),
        [("search", BASEL), ("lookup", BERN)],
    ),
    "whole call in one chunk": (calls_in([piece(0, "a", "search", '{"q": "Basel"}')]), [("search", BASEL)]),
    "the same call under two indexes": (
        calls_in([piece(0, "a", "search", '{"q": "Basel"}')], [piece(1, "a", "search", '{"q": "Basel"}')]),
        [("search", BASEL)],
    ),
    "arguments null": (
        calls_in([piece(0, "a", "search", None)], [{"index": 0, "function": {"arguments": None}}]),
        [("search", {})],
    ),
    "arguments empty": (calls_in([piece(0, "a", "search", "")]), [("search", {})]),
    "arguments an object": (calls_in([piece(0, "a", "search", BASEL)]), [("search", BASEL)]),
    "arguments encoded twice": (calls_in([piece(0, "a", "search", json.dumps('{"q": "Basel"}'))]), [("search", BASEL)]),
    "function null": (
        calls_in([piece(0, "a", "search", '{"q": "Basel"}')], [{"index": 0, "function": None}]),
        [("search", BASEL)],
    ),
    "delta null": (
        sse(chunk(), chunk({"tool_calls": [piece(0, "a", "search", '{"q": "Basel"}')]}), chunk(None, "tool_calls")),
        [("search", BASEL)],
    ),
    "choices null or empty": (
        sse(
            {**chunk(), "choices": None},
            {**chunk(), "choices": []},
            chunk({"tool_calls": [piece(0, "a", "search", '{"q": "Basel"}')]}),
            chunk({}, "tool_calls"),
        ),
        [("search", BASEL)],
    ),
    "finish without [DONE]": (
        sse(chunk({"tool_calls": [piece(0, "a", "search", '{"q": "Basel"}')]}), chunk({}, "tool_calls"), done=False),
        [("search", BASEL)],
    ),
    "finish sent twice": (
        sse(
            chunk({"tool_calls": [piece(0, "a", "search", '{"q": "Basel"}')]}),
            chunk({}, "tool_calls"),
            chunk({}, "stop"),
        ),
        [("search", BASEL)],
    ),
    "finish reason stop": (
        calls_in([piece(0, "a", "search", '{"q": "Basel"}')], finish="stop"),
        [("search", BASEL)],
    ),
    "no id at all": (calls_in([piece(0, None, "search", '{"q": "Basel"}')]), [("search", BASEL)]),
    "legacy function_call": (
        sse(
            chunk({"function_call": {"name": "search", "arguments": '{"q": '}}),
            chunk({"function_call": {"arguments": '"Basel"}'}}),
            chunk({}, "function_call"),
        ),
        [("search", BASEL)],
    ),
}


def selected(llm, response):
    found = llm.get_tool_calls_from_response(response, error_on_no_tool_call=False)
    return [(call.tool_name, call.tool_kwargs) for call in found]


@pytest.mark.parametrize("case", CASES)
def test_what_was_meant_is_what_is_called(llm, backend, calls, case):
    """The last chunk has the calls that the model made, with their arguments."""
    raw, expected = CASES[case]
    backend.say(raw)

    last = calls.each(llm, "stream_chat_with_tools", TOOLS, user_msg="Hi", allow_parallel_tool_calls=True)[-1]

    assert selected(llm, last) == expected


@pytest.mark.parametrize("case", ["in fragments", "several in one delta", "no id at all"])
def test_calls_stand_where_the_framework_looks(llm, backend, calls, case):
    """As blocks and as plain JSON in `additional_kwargs`, each with an id of its own."""
    raw, expected = CASES[case]
    backend.say(raw)

    last = calls.each(llm, "stream_chat_with_tools", TOOLS, user_msg="Hi", allow_parallel_tool_calls=True)[-1]

    blocks = [block for block in last.message.blocks if isinstance(block, ToolCallBlock)]
    plain = json.loads(json.dumps(last.message.additional_kwargs["tool_calls"]))
    assert [block.tool_name for block in blocks] == [name for name, _ in expected]
    assert [call["function"]["name"] for call in plain] == [name for name, _ in expected]
    assert len({block.tool_call_id for block in blocks} - {None, ""}) == len(expected)


def test_calls_are_cumulative(llm, backend, calls):
    """Each chunk has the calls as far as they have come; text before them is kept."""
    backend.say(Reply("I look.", calls=(Call("search", BASEL, "a", 5), Call("lookup", BERN, "b", 5))))

    chunks = calls.each(llm, "stream_chat_with_tools", TOOLS, user_msg="Hi", allow_parallel_tool_calls=True)

    counts = [len(selected(llm, response)) for response in chunks]
    assert counts == sorted(counts)
    assert all(response.message.content == "I look." for response in chunks[2:])
    assert selected(llm, chunks[-1]) == [("search", BASEL), ("lookup", BERN)]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_bytes_may_be_cut_anywhere(llm, backend, ending):
    """UTF-8 cut within a character, lines cut anywhere, comments and keep-alives between events."""
    raw = backend.wire.render(Reply("Zür", calls=(Call("search", '{"q": "Zürich 🏔"}'),)), stream_request())
    whole = b": keep-alive\n\n" + b": comment\n".join(raw.pieces)
    whole = whole.replace(b"\\u00fc", "ü".encode()).replace(b"\\ud83c\\udfd4", "🏔".encode()).replace(b"\n", ending)
    for step in (1, 7):
        backend.say(Raw(pieces_of(whole, range(step, len(whole), step)), headers=EVENTS))

        last = list(llm.stream_chat_with_tools(TOOLS, user_msg="Hi"))[-1]

        assert last.message.content == "Zür"
        assert selected(llm, last) == [("search", {"q": "Zürich 🏔"})]


def stream_request():
    from llama_backend import Request

    return Request("POST", "/", {}, {"stream": True})


def test_a_whole_answer_to_a_stream_request(llm, backend, calls):
    """A server that does not stream is understood all the same."""
    backend.say(lambda request: backend.wire.whole(Reply("", calls=(Call("search", BASEL),))))

    last = calls.each(llm, "stream_chat_with_tools", TOOLS, user_msg="Hi")[-1]

    assert selected(llm, last) == [("search", BASEL)]


def test_a_stream_as_the_answer_to_a_plain_request(llm, backend, calls):
    """The other way round too."""
    backend.say(CASES["in fragments"][0])

    assert selected(llm, calls.run(llm, "chat_with_tools", TOOLS, user_msg="Hi")) == [("search", BASEL)]
