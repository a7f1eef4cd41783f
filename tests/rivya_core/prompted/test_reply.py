"""Reading calls out of replies: the corpus, whole and streamed, and hostile text."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from awkward_replies import ADD, REPLIES, SEARCH, A, S, call
from hypothesis import given
from hypothesis import strategies as st

from rivya_core.prompted.exchange import finish
from rivya_core.prompted.prompt import Prompt, prompt_for
from rivya_core.prompted.reply import Reading, read
from rivya_core.prompted.text_filter import TextFilter
from rivya_core.structured.json_in_text import REASONING, UNOPENED
from rivya_core.structured.reply_reader import ReplyError, read_text
from rivya_core.structured.schemas import schema_of
from rivya_core.types import ChatDelta


def tool(name: str, **types: dict[str, Any]) -> dict[str, Any]:
    required = [key for key, kind in types.items() if "default" not in kind]
    parameters = {"type": "object", "properties": types, "required": required, "additionalProperties": False}
    return {"type": "function", "function": {"name": name, "description": name, "parameters": parameters}}


TOOLS = [
    tool("search", query={"type": "string"}, limit={"type": "integer", "default": 5}),
    tool("add", a={"type": "integer"}, b={"type": "integer"}),
    tool("now"),
]
PROMPT = prompt_for(TOOLS)


def told(reading: Reading) -> list[str]:
    """The calls as the corpus writes them."""
    found = [f"!{one.name}" if one.invalid else f"{one.name}:{one.arguments}" for one in reading.calls]
    return found or (["!"] if reading.problems else [])


@pytest.mark.parametrize(("reply", "text", "calls"), REPLIES, ids=range(len(REPLIES)))
def test_each_awkward_reply_is_read_as_expected(reply: str, text: str, calls: list[str]) -> None:
    """Text, calls and what is wrong; a reply that does not fit has a reason for each misfit."""
    reading = read(PROMPT, reply)
    assert (reading.text, told(reading)) == (text, calls)
    assert len(reading.problems) == sum(one.startswith("!") for one in calls)
    assert [call.index for call in reading.calls] == list(range(len(reading.calls)))
    assert len({call.id for call in reading.calls}) == len(reading.calls)


def streamed(prompt: Prompt, pieces: list[str]) -> str:
    """What a stream shows before it is settled."""
    text = TextFilter(holds_json=bool(prompt.callable), only_json=prompt.schema is not None)
    return "".join(map(text.feed, pieces))


@pytest.mark.parametrize(("reply", "text", "calls"), REPLIES, ids=range(len(REPLIES)))
def test_no_call_shows_as_text_however_it_is_cut(reply: str, text: str, calls: list[str]) -> None:
    """Character by character, what is shown is the beginning of the text and holds no part of a call."""
    shown = streamed(PROMPT, list(reply))
    assert text.startswith(shown)
    assert shown == streamed(PROMPT, [reply]) or text.startswith(streamed(PROMPT, [reply]))


PIECES = st.sampled_from(
    [
        "Hello ",
        "\n",
        "`",
        "```json\n",
        "<",
        "<tool",
        "<tool_call>",
        "</tool_call>",
        S,
        A,
        "{",
        '"',
        "<think>",
        "</think>",
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join), st.data())
def test_a_stream_and_a_whole_reply_say_the_same(reply: str, data: st.DataObject) -> None:
    """Whatever a model writes and wherever it is cut, the text shown is the beginning of the whole text."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(reply)), max_size=6)))
    pieces = [reply[start:end] for start, end in zip([0, *cuts], [*cuts, len(reply)], strict=True)]
    reading = read(PROMPT, reply)
    assert reading.text.startswith(streamed(PROMPT, pieces))
    for found in reading.calls:
        if not found.invalid:
            assert found.name in PROMPT.callable
            json.loads(found.arguments)


@given(st.text(max_size=200))
def test_text_without_a_tag_stays_as_it_is(text: str) -> None:
    """Any other text is the text of the reply, with nothing added and nothing lost."""
    if not re.search(r"<\s*tool_call", text, re.IGNORECASE):
        reading = read(prompt_for([]), text)
        assert (reading.text, reading.calls) == (text, ())


def test_text_streams_as_it_comes() -> None:
    """Words pass at once; only what may begin a call waits."""
    text = TextFilter(holds_json=True)
    assert [text.feed(piece) for piece in ("Let ", "me", " see", ". ", "<", "b> ", "ok")] == [
        *("Let", " me", " see", ".", "", " <b>", " ok"),
    ]


@pytest.mark.parametrize("reply", ["<tool_call>" * 20_000, "```\n" * 20_000, "<" * 60_000, " " * 100_000, "{" * 60_000])
def test_hostile_replies_are_read_in_time(reply: str) -> None:
    """Long runs of what may begin a call cost no more than their length allows."""
    read(PROMPT, reply)
    streamed(PROMPT, [reply[at : at + 50] for at in range(0, len(reply), 50)])


def test_a_required_call_is_missed() -> None:
    """Where a call is required, text is a problem that names the tools; where one tool is, another is not it."""
    assert "`search`, `add`, `now`" in read(prompt_for(TOOLS, "required"), "Hello.").problems[0]
    named = prompt_for(TOOLS, {"type": "function", "function": {"name": "add"}})
    assert read(named, call(A)).problems == ()
    assert told(read(named, call(S))) == ["!search"]
    assert told(read(prompt_for(TOOLS, "none"), call(S))) == ["!search"]
    assert read(prompt_for(TOOLS, "none"), "Hello.").problems == ()


def test_one_call_only_where_the_caller_says_so() -> None:
    """The first valid call counts."""
    assert told(read(prompt_for(TOOLS, single=True), call(S) + call(A))) == [SEARCH]
    assert told(read(prompt_for(TOOLS), call(S) + call(A))) == [SEARCH, ADD]


def test_text_that_must_fit_a_schema_is_held_to_it() -> None:
    """A call is fine while tools are offered; text must be one object of the schema."""
    river = schema_of(
        {"title": "River", "type": "object", "properties": {"km": {"type": "integer"}}, "required": ["km"]}
    )
    prompt = prompt_for(TOOLS, schema=river)
    assert read(prompt, '{"km": 3}').problems == ()
    assert read(prompt, call(S)).problems == ()
    assert "does not fit" in read(prompt, '{"km": "long"}').problems[0]
    assert "2 different objects" in read(prompt, '{"km": 3} or {"km": 4}').problems[0]


RIVER = schema_of({"title": "River", "type": "object", "properties": {"km": {"type": "integer"}}, "required": ["km"]})
JSON = '{"km": 3, "of": ["}", "\\"]"]}'
OBJECTS = [
    (JSON, JSON),
    (f"\n{JSON}\n", JSON),
    (f"```json\n{JSON}\n```", JSON),
    (f"Here it is:\n```\n{JSON}\n```\nAnything else?", JSON),
    (f"It is {JSON}, I think.", JSON),
    (f"{JSON} or, once more, {JSON}", JSON),
    (f"Not `{{}}` but {JSON}", JSON),
    (f"<think>{{not this}} {{</think>{JSON}", JSON),
    (f"<reasoning>hm</reasoning>\n\n```json\n{JSON}", JSON),
    ("No river.", "No river."),
    ('{"km": "long"}', '{"km": "long"}'),
]


@pytest.mark.parametrize(("reply", "text"), OBJECTS, ids=range(len(OBJECTS)))
def test_the_text_of_an_object_is_its_json(reply: str, text: str) -> None:
    """What stands around an object is left out; a reply that holds none keeps its text. Streams begin the same."""
    for tools in ([], TOOLS):
        prompt = prompt_for(tools, schema=RIVER)
        assert read(prompt, reply).text == text
        for size in (1, 3, 1000):
            pieces = [reply[at : at + size] for at in range(0, len(reply), size)]
            assert text.startswith(streamed(prompt, pieces))
    early = "" if text == "No river." or "`{" in reply else text
    assert streamed(prompt_for([], schema=RIVER), list(reply)) == early


SIZES = st.integers(1, 9)
OBJECT_PIECES = st.sampled_from(
    [
        *("Hello ", "\n", "`", "```json\n", "\n```\n", "<think>", "</think>", "{", "}", '"', "\\", "[1]"),
        *('{"km": 3}', '{"km": 4}', '{"x": 1}', '{"km": "a{"}'),
    ]
)


def ends_reasoning_late(reply: str) -> bool:
    """Whether a tag ends reasoning that no tag began: what a stream has shown before it cannot be taken back."""
    return UNOPENED.match(REASONING.sub("", reply)) is not None


@given(st.lists(OBJECT_PIECES, max_size=7).map("".join).filter(lambda reply: not ends_reasoning_late(reply)), SIZES)
def test_a_streamed_object_is_the_one_of_the_whole_reply(reply: str, size: int) -> None:
    """Wherever a reply is cut, what was shown and what follows at the end hold the object that the reply holds."""
    reading = read(prompt_for([], schema=RIVER), reply)
    if not reading.problems:
        assert read_text(RIVER, whole_of(reply, size)) == read_text(RIVER, reading.text) == read_text(RIVER, reply)


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_an_object_that_was_shown_before_its_reasoning_ended_makes_two(size: int) -> None:
    """Neither is taken for the answer in silence."""
    reply = '{"km": 3}</think>{"km": 4}'
    assert read_text(RIVER, reply) == {"km": 4}
    with pytest.raises(ReplyError, match="2 different objects"):
        read_text(RIVER, whole_of(reply, size))


def whole_of(reply: str, size: int) -> str:
    """The text of a streamed reply when it is complete; *size* characters come at a time."""
    prompt = prompt_for([], schema=RIVER)
    shown = streamed(prompt, [reply[at : at + size] for at in range(0, len(reply), size)])
    end = finish(prompt, ChatDelta(last=True), reply, shown, no_repair)
    with pytest.raises(StopIteration) as done:
        next(end)
    text: str = done.value.value.message.text
    return text


def no_repair(words: str, reply: ChatDelta) -> Any:
    raise AssertionError(words, reply)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "[" * 300 + "]" * 300])
def test_what_other_readers_of_json_refuse_is_no_call(number: str) -> None:
    """Such arguments could not be kept with the message, so the call is asked for again."""
    for arguments in (f'{{"query": "x", "limit": {number}}}', json.dumps(f'{{"query": "x", "limit": {number}}}')):
        reading = read(PROMPT, call(f'{{"name": "search", "arguments": {arguments}}}'))
        assert (told(reading)[0][0], len(reading.problems)) == ("!", 1)


def test_a_key_that_stands_twice_makes_no_call() -> None:
    """Which of the two values is meant is not known, so the call is asked for again."""
    twice = '{"name": "search", "arguments": {"query": "x", "query": "y"}}'
    for inner in (twice, '{"name": "now", "name": "search", "arguments": {"query": "x"}}'):
        assert told(read(PROMPT, call(inner))) == ["!unnamed"]
    inside = json.dumps({"name": "search", "arguments": '{"query": "x", "query": "y"}'})
    assert told(read(PROMPT, call(inside))) == ["!search"]


def test_half_a_character_is_replaced_when_it_is_read() -> None:
    """The arguments are the same wherever they are kept, so the session continues."""
    reading = read(PROMPT, call('{"name": "search", "arguments": {"query": "\\ud83d and \\ud83d\\ude00"}}'))
    assert json.loads(reading.calls[0].arguments) == {"query": "\ufffd and \U0001f600"}


@pytest.mark.parametrize("tools", [[], TOOLS])
@pytest.mark.parametrize("arguments", ['{"km": 1233}', '"{\\"km\\": 1233}"'])
def test_a_call_of_the_schema_is_its_object(tools: list[Any], arguments: str) -> None:
    """Models that are trained on calls write the object as one."""
    river = schema_of({"title": "River", "type": "object", "properties": {"km": {"type": "integer"}}})
    prompt, reply = prompt_for(tools, schema=river), call(f'{{"name": "River", "arguments": {arguments}}}')
    assert read(prompt, reply) == Reading('{"km": 1233}')
    assert streamed(prompt, list(reply)) == ""
    assert read(prompt, reply + call(A)).problems
