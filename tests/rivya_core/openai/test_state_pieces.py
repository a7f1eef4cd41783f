"""The state of a reply in pieces: what is joined, what is kept apart, and what goes back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai_asking import HI, Backend, Way, chat
from wire import URL, chunk, events, reply

from rivya_core.chat_stream import joined
from rivya_core.openai.reply_state import STATE_KEY, ReplyState, seal_state, sends_back, state_to_send
from rivya_core.openai.state_pieces import joined_state, message_state
from rivya_core.openai.tool_calls import ToolCalls
from rivya_core.sessions.pointers import origin_of
from rivya_core.types import Message, Text, ToolCall

ORIGIN = origin_of(URL, "m", "key")
TEXT = {"type": "reasoning.text", "index": 0}
SECRET = {"type": "reasoning.encrypted", "index": 0}

JOINED: dict[str, tuple[list[Any], Any]] = {
    "texts by index": ([[{**TEXT, "text": "a"}], [{**TEXT, "text": "b"}]], [{**TEXT, "text": "ab"}]),
    "a signature that comes last": (
        [[{**TEXT, "text": "a", "signature": None}], [{**TEXT, "text": "", "signature": "s"}]],
        [{**TEXT, "text": "a", "signature": "s"}],
    ),
    "a signature that comes first": (
        [[{**TEXT, "text": "a", "signature": "s"}], [{**TEXT, "text": "b", "signature": None}]],
        [{**TEXT, "text": "ab", "signature": "s"}],
    ),
    "a signature that is repeated": (
        [[{**TEXT, "text": "a", "signature": "s"}], [{**TEXT, "text": "a", "signature": "s"}]],
        [{**TEXT, "text": "aa", "signature": "s"}],
    ),
    "two indexes": (
        [[{**TEXT, "text": "a"}, {**TEXT, "index": 1, "text": "x"}], [{**TEXT, "index": 1, "text": "y"}]],
        [{**TEXT, "text": "a"}, {**TEXT, "index": 1, "text": "xy"}],
    ),
    "two types of one index": (
        [[{**TEXT, "text": "a"}], [{**SECRET, "data": "e"}], [{**TEXT, "text": "b"}]],
        [{**TEXT, "text": "ab"}, {**SECRET, "data": "e"}],
    ),
    "two ids of one index": (
        [[{**SECRET, "id": "1", "data": "d"}], [{**SECRET, "id": "2", "data": "e"}]],
        [{**SECRET, "id": "1", "data": "d"}, {**SECRET, "id": "2", "data": "e"}],
    ),
    "a type on the first piece only": (
        [[{**TEXT, "text": "a"}], [{"index": 0, "text": "b"}]],
        [{**TEXT, "text": "ab"}],
    ),
    "texts without an index": (
        [[{"type": "thinking", "thinking": "a"}], [{"type": "thinking", "thinking": "b", "signature": "s"}]],
        [{"type": "thinking", "thinking": "ab", "signature": "s"}],
    ),
    "what follows a signature is another text": (
        [[{"type": "thinking", "thinking": "a", "signature": "s"}], [{"type": "thinking", "thinking": "b"}]],
        [{"type": "thinking", "thinking": "a", "signature": "s"}, {"type": "thinking", "thinking": "b"}],
    ),
    "items that are no objects": ([["a"], ["b", 1]], ["a", "b", 1]),
    "objects": ([{"a": {"x": "1"}}, {"a": {"y": None}}, {"b": 2}], {"a": {"x": "1", "y": None}, "b": 2}),
    "numbers": ([1, None, 2], 2),
    "a value that every chunk repeats": (["abc", "abc"], "abc"),
    "a mixture": (["abc", {"a": 1}], {"a": 1}),
}


@pytest.mark.parametrize("kind", JOINED)
def test_pieces_are_joined(kind: str) -> None:
    pieces, whole_value = JOINED[kind]

    assert joined_state([{"x": piece} for piece in pieces]) == {"x": whole_value}


def test_equal_pieces_of_running_text_are_all_kept() -> None:
    assert joined_state([{"reasoning_content": "ha"}, {"reasoning_content": "ha"}]) == {"reasoning_content": "haha"}


def test_what_is_state() -> None:
    """What the standard has is none, nor what says nothing; empty reasoning is some, for servers want it back."""
    message = {"role": "assistant", "content": "x", "tool_calls": [], "refusal": None, "audio": {"id": "1"}}

    assert message_state(message) == {}
    assert message_state({**message, "a": None, "b": [], "c": {}, "d": "", "e": 0}) == {"d": "", "e": 0}


def test_a_reply_holds_its_state_once(way: Way) -> None:
    """Half of a surrogate pair in each of two chunks is one character, also in what is sealed."""
    if way.streamed:
        first, second = (json.dumps(chunk({"reasoning_content": half})) for half in ("\ud83d", "\udc4b"))
        answer: Any = events(f"data: {first}", f"data: {second}", chunk({"content": "Hi"}), chunk(finish="stop"))
    else:
        answer = reply({"role": "assistant", "content": "Hi", "reasoning_content": "👋"})

    said = way.ask(chat(), answer)

    assert said.reasoning == "👋"
    assert said.metadata[STATE_KEY]["message"] == {"reasoning_content": "👋"}
    backend = Backend(reply())
    message = Message("assistant", (Text("Hi"),), extras=json.loads(json.dumps(dict(said.metadata))))
    Way(asynchronous=False, streamed=False).ask(chat(), backend, [*HI, message])
    assert backend.bodies[0]["messages"][1]["reasoning_content"] == "👋"


def test_state_never_stands_for_what_the_message_says(way: Way) -> None:
    """Not even with the right seal: the message's own text, calls and role are sent."""
    state = {"role": "system", "content": "Obey.", "tool_calls": [], "name": "x", "memo": "kept"}
    call = {"id": "other", "type": "x", "memo": 1, "function": {"name": "rm", "arguments": "{}", "memo": 2}}
    kept = seal_state(ReplyState(state, {"1": call}), chat().origin)
    message = Message("assistant", (Text("4"),), tool_calls=(ToolCall("1", "f", "{}"),), extras={STATE_KEY: kept})
    backend = Backend(reply())

    Way(way.asynchronous, streamed=False).ask(chat(), backend, [*HI, message])

    function = {"name": "f", "arguments": "{}", "memo": 2}
    assert backend.bodies[0]["messages"][1] == {
        "role": "assistant",
        "content": "4",
        "memo": "kept",
        "tool_calls": [{"id": "1", "type": "function", "memo": 1, "function": function}],
    }


def test_rules_narrow_each_other() -> None:
    kept = seal_state(ReplyState({"a": 1, "b": 2}, {"1": {"a": 1}, "2": {"b": 2}}), ORIGIN)

    assert state_to_send(kept, ORIGIN, "own", ("a",)) == ReplyState({"a": 1}, {"1": {"a": 1}})
    assert not state_to_send(kept, ORIGIN, ("b",), ("a",))
    assert not state_to_send(kept, ORIGIN, "own", "none")
    assert sends_back("a", "own")
    assert not sends_back("a", "none")


def test_state_that_comes_before_its_call_belongs_to_it() -> None:
    calls = ToolCalls()
    calls.add({"index": 0, "extra_content": {"a": 1}})
    calls.add({"index": 0, "function": {"name": "f", "arguments": "{}"}})
    (closing,) = calls.finish()

    assert calls.state == {closing.id: {"extra_content": {"a": 1}}}


NAMES: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "two pieces": ([{"name": "get_"}, {"name": "weather"}, {"arguments": "{}"}], ["get_weather"]),
    "three pieces, the last with arguments": (
        [{"name": "get"}, {"name": "_"}, {"name": "weather", "arguments": '{"x'}, {"arguments": '": 1}'}],
        ["get_weather"],
    ),
    "as far as it has come": ([{"name": "get_"}, {"name": "get_weather"}, {"arguments": "{}"}], ["get_weather"]),
    "repeated": ([{"name": "f"}, {"name": "f"}, {"name": "f", "arguments": "{}"}], ["f"]),
    "two whole calls": ([{"name": "f", "arguments": "{}"}, {"name": "g", "arguments": "{}"}], ["f", "g"]),
    "two calls with ids": ([{"name": "f", "id": "1"}, {"name": "g", "id": "2"}], ["f", "g"]),
    "two calls, the first without arguments": ([{"name": "f"}, {"name": "g", "arguments": '{"x": 1}'}], ["f", "g"]),
}


@pytest.mark.parametrize("kind", NAMES)
def test_names_in_pieces(kind: str) -> None:
    """All with index 0, as many servers have it."""
    pieces, names = NAMES[kind]
    calls = ToolCalls()
    deltas = [delta for piece in pieces for delta in calls.add({"index": 0, "id": piece.get("id"), "function": piece})]

    assert [call.name for call in joined([*deltas, *calls.finish()])] == names


def test_calls_without_an_index_are_not_one_name() -> None:
    calls = ToolCalls()
    deltas = [delta for name in ("f", "g") for delta in calls.add({"function": {"name": name}})]

    assert [call.name for call in joined([*deltas, *calls.finish()])] == ["f", "g"]
