"""Which call a piece belongs to, for everything that back ends send instead of the documented pieces."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai_asking import Way, calls_of, chat, joined
from wire import chunk, events, piece, reply

from rivya_core.openai.tool_calls import ToolCalls, whole_calls
from rivya_core.types import ChatDelta, ToolCallDelta

F = ("f", '{"x": 1}')
G = ("g", '{"y": 2}')


def put_together(*deltas: Any) -> ChatDelta:
    """The reply whose deltas had these `tool_calls`."""
    calls = ToolCalls()
    pieces = [ChatDelta(tool_calls=calls.add(delta)) for delta in deltas]
    return joined([*pieces, ChatDelta(tool_calls=calls.finish(), last=True)])


FORMS: dict[str, list[Any]] = {
    "as documented": [
        [piece("", index=0, id="a", type="function", name="f")],
        [piece('{"x"', index=0)],
        [piece(": 1}", index=0)],
        [piece("", index=1, id="b", type="function", name="g")],
        [piece('{"y": 2}', index=1)],
    ],
    "interleaved": [
        [piece("", index=0, id="a", name="f"), piece("", index=1, id="b", name="g")],
        [piece('{"x"', index=0)],
        [piece('{"y"', index=1)],
        [piece(": 1}", index=0), piece(": 2}", index=1)],
    ],
    "no index": [
        [piece("", id="a", name="f")],
        [piece('{"x"')],
        [piece(": 1}")],
        [piece('{"y"', id="b", name="g")],
        [piece(": 2}")],
    ],
    "index always 0, whole": [
        [piece('{"x": 1}', index=0, id="a", name="f")],
        [piece('{"y": 2}', index=0, id="b", name="g")],
    ],
    "index always 0, fragmented": [
        [piece("", index=0, id="a", name="f")],
        [piece('{"x"', index=0)],
        [piece(": 1}", index=0)],
        [piece("", index=0, id="b", name="g")],
        [piece('{"y"', index=0)],
        [piece(": 2}", index=0)],
    ],
    "index always 0, ids on every piece, interleaved": [
        [piece('{"x"', index=0, id="a", name="f")],
        [piece('{"y"', index=0, id="b", name="g")],
        [piece(": 1}", index=0, id="a", name="f")],
        [piece(": 2}", index=0, id="b", name="g")],
    ],
    "name and id repeated": [
        [piece('{"x"', index=0, id="a", name="f")],
        [piece(": 1}", index=0, id="a", name="f")],
        [piece("", index=0, id="a", name="f")],
        [piece('{"y"', index=1, id="b", name="g")],
        [piece(": 2}", index=1, id="b", name="g")],
    ],
    "names repeated, no ids": [
        [piece('{"x"', index=0, name="f")],
        [piece(": 1}", index=0, name="f")],
        [piece("", index=0, name="f")],
        [piece('{"y": 2}', index=0, name="g")],
    ],
    "empty arguments first": [
        [piece("{}", index=0, id="a", name="f")],
        [piece('{"x"', index=0)],
        [piece(": 1}", index=0)],
        [piece("{}", index=1, id="b", name="g")],
        [piece('{"y": 2}', index=1, id="b", name="g")],
    ],
    "empty strings for what is not said": [
        [piece("", index=0, id="a", name="f")],
        [piece('{"x": 1}', index=0, id="", name="")],
        [piece("", index=1, id="b", name="g")],
        [piece('{"y": 2}', index=1, id="", name="")],
    ],
    "several calls in one delta": [
        [piece('{"x": 1}', index=0, id="a", name="f"), piece('{"y": 2}', index=1, id="b", name="g")]
    ],
    "the same call again under other indexes": [
        [piece('{"x": 1}', index=0, id="a", name="f")],
        [piece('{"x": 1}', index=1, id="a", name="f")],
        [piece('{"y": 2}', index=2, id="b", name="g")],
        [piece('{"y": 2}', index=3, id="b", name="g")],
    ],
    "an index that counts pieces": [
        [piece("", index=0, id="a", name="f")],
        [piece('{"x"', index=1)],
        [piece(": 1}", index=2)],
        [piece("", index=3, id="b", name="g")],
        [piece('{"y": 2}', index=4)],
    ],
    "a new id in every piece": [
        [piece("", index=0, id="a", name="f")],
        [piece('{"x"', index=0, id="a2")],
        [piece(": 1}", index=0, id="a3")],
        [piece('{"y": 2}', index=1, id="b", name="g")],
    ],
    "objects for arguments": [[piece({"x": 1}, index=0, id="a", name="f"), piece({"y": 2}, index=1, id="b", name="g")]],
    "twice encoded arguments": [
        [piece(json.dumps('{"x": 1}')[:5], index=0, id="a", name="f")],
        [piece(json.dumps('{"x": 1}')[5:], index=0)],
        [piece(json.dumps('{"y": 2}'), index=1, id="b", name="g")],
    ],
    "null functions and null pieces": [
        [{"index": 0, "id": "a", "function": None}, None],
        [piece('{"x": 1}', index=0, name="f")],
        [{"index": 0, "function": None}],
        [piece('{"y": 2}', index=1, id="b", name="g")],
    ],
    "flat calls": [
        [{"index": 0, "id": "a", "name": "f", "arguments": '{"x": 1}'}],
        [{"index": 1, "id": "b", "name": "g", "arguments": {"y": 2}}],
    ],
    "name after the arguments": [
        [piece('{"x": 1}', index=0, id="a")],
        [piece("", index=0, name="f")],
        [piece('{"y": 2}', index=1, id="b", name="g")],
    ],
    "one call as an object instead of a list": [
        piece('{"x": 1}', index=0, id="a", name="f"),
        piece('{"y": 2}', index=1, id="b", name="g"),
    ],
}


@pytest.mark.parametrize("deltas", FORMS.values(), ids=FORMS)
def test_two_calls_arrive_as_two_calls_however_they_are_cut(deltas: list[Any]) -> None:
    """Names, ids and arguments of both are those that the model meant, each said once."""
    said = put_together(*deltas)

    assert calls_of(said) == [F, G]
    assert (
        [call.id for call in said.tool_calls if call.id][-1] == "b" or "no ids" in str(deltas) or said.tool_calls[-1].id
    )


def test_the_same_function_twice_is_two_calls() -> None:
    """Also with the index always 0 and no ids, where only complete arguments tell where a call ends."""
    said = put_together(
        [piece('{"x"', index=0, name="f")], [piece(": 1}", index=0)], [piece('{"x": 2}', index=0, name="f")]
    )

    assert calls_of(said) == [("f", '{"x": 1}'), ("f", '{"x": 2}')]
    assert len({call.id for call in said.tool_calls}) == 2


def test_two_calls_with_one_id_get_two() -> None:
    """Answers are matched to calls by id, so an id is never given to two."""
    said = put_together(
        [piece('{"x": 1}', index=0, id="call", name="f"), piece('{"y": 2}', index=1, id="call", name="g")]
    )

    assert calls_of(said) == [F, G]
    assert len({call.id for call in said.tool_calls}) == 2


def test_calls_without_an_id_get_one() -> None:
    said = put_together([piece('{"x": 1}', index=0, name="f")])

    assert said.tool_calls[0].id


@pytest.mark.parametrize("arguments", ["", None, "null", " ", "{}", '"{}"', '""'])
def test_no_arguments_are_an_empty_object(arguments: Any) -> None:
    """Whole and streamed alike."""
    streamed = put_together([piece(arguments, index=0, id="a", name="f")])
    [at_once] = whole_calls([piece(arguments, id="a", name="f")])

    assert calls_of(streamed) == [("f", "{}")]
    assert at_once == ToolCallDelta(0, "a", "f", "{}")


@pytest.mark.parametrize("arguments", ['{"path": "/tmp/a', '{"a": 1', "[1, 2]", "7", '"text"', "{}{}", "{'a': 1}", [1]])
def test_what_is_no_object_is_broken_and_stays_as_it_came(arguments: Any) -> None:
    """It is never repaired into a call that might be carried out."""
    streamed = put_together([piece(arguments, index=0, id="a", name="f")])
    [at_once] = whole_calls([piece(arguments, id="a", name="f")])

    assert (streamed.tool_calls[0].invalid, at_once.invalid) == (True, True)
    assert streamed.tool_calls[0].arguments == at_once.arguments != "{}"


def test_a_call_without_a_name_is_broken() -> None:
    streamed = put_together([piece('{"x": 1}', index=0, id="a")])
    [at_once] = whole_calls([piece('{"x": 1}', id="a")])

    assert (streamed.tool_calls[0].invalid, at_once.invalid) == (True, True)


def test_pieces_that_say_nothing_make_no_call() -> None:
    assert put_together([{"index": 0, "function": None}], [None], "rubbish", [{}]).tool_calls == ()
    assert whole_calls([None, {}, "rubbish"]) == whole_calls(None) == ()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=8), max_size=3), min_size=1, max_size=3
    ),
    st.data(),
)
def test_any_cut_of_any_arguments_gives_them_back(objects: list[dict[str, Any]], data: st.DataObject) -> None:
    """Sequential pieces of random sizes, with a true index, a constant one or none."""
    index = data.draw(st.sampled_from(["true", "constant", "none"]))
    deltas = []
    for number, arguments in enumerate(objects):
        text = json.dumps(arguments)
        place = {"true": {"index": number}, "constant": {"index": 0}, "none": {}}[index]
        deltas.append([piece("", id=f"id{number}", name=f"f{number}", **place)])
        while text:
            size = data.draw(st.integers(1, 9))
            deltas.append([piece(text[:size], **place)])
            text = text[size:]

    said = put_together(*deltas)

    assert [(call.id, call.name, json.loads(call.arguments), call.invalid) for call in said.tool_calls] == [
        (f"id{number}", f"f{number}", arguments, False) for number, arguments in enumerate(objects)
    ]


def test_a_whole_reply_and_a_stream_give_the_same_calls(way: Way) -> None:
    """Through the drivers, both forms."""
    pieces = [piece('{"x": 1}', index=0, id="a", name="f"), piece({"y": 2}, index=1, id="b", name="g")]
    answer = (
        events(chunk({"tool_calls": pieces}), chunk(finish="tool_calls"))
        if way.streamed
        else reply({"role": "assistant", "content": None, "tool_calls": pieces}, finish="tool_calls")
    )

    said = way.ask(chat(), answer)

    assert calls_of(said) == [F, G]
    assert [call.id for call in said.tool_calls] == ["a", "b"]
    assert said.metadata["finish_reason"] == "tool_calls"


def test_the_old_function_call_is_a_call_too(way: Way) -> None:
    call = {"name": "f", "arguments": '{"x": 1}'}
    answer = (
        events(chunk({"function_call": call}), chunk(finish="function_call"))
        if way.streamed
        else reply({"content": None, "function_call": call}, finish="function_call")
    )

    assert calls_of(way.ask(chat(), answer)) == [F]
