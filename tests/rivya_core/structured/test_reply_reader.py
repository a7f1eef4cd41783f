"""Awkward replies and what they are read as: one object that fits, or an error that says what came."""

from __future__ import annotations

import contextlib
import json
from datetime import date
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, RootModel
from typing_extensions import TypedDict

from rivya_core.structured.checks import MismatchError, check_json, fit
from rivya_core.structured.reply_reader import Reply, ReplyError, read_reply, read_text
from rivya_core.structured.schemas import schema_of


class Person(BaseModel):
    """Everything is optional, so nearly anything would fit."""

    name: Optional[str] = None  # noqa: UP045 - as users write it
    age: Optional[int] = None  # noqa: UP045


class River(TypedDict):
    """A river."""

    name: str
    length_km: int


class Alias(BaseModel):
    full_name: str = Field(alias="fullName")


class OtherNames(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    full_name: str = Field(alias="fullName")
    age: int = Field(default=0, validation_alias=AliasChoices("years", "age"))


class Exact(BaseModel):
    model_config = ConfigDict(strict=True)
    day: date
    pair: tuple[int, str]


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: Optional[str] = None  # noqa: UP045


class Tree(BaseModel):
    name: str
    kids: list[Tree] = []


Numbers = RootModel[list[int]]
JSON_RIVER = {
    "title": "River",
    "type": "object",
    "properties": {"name": {"type": "string"}, "length_km": {"type": "integer"}},
    "required": ["name", "length_km"],
}
LOOSE = {"title": "Loose", "type": "object", "properties": {"name": {"type": "string"}}}
ECHO = json.dumps(Person.model_json_schema())
ADA, BOB, RHINE = '{"name": "Ada"}', '{"name": "Bob"}', '{"name": "Rhine", "length_km": 1230}'

FREE = {**LOOSE, "additionalProperties": {"type": "integer"}}

READ: list[tuple[Any, str, Any]] = [
    (Person, ADA, {"name": "Ada"}),
    (Person, f"\n\n {ADA} \n", {"name": "Ada"}),
    (Person, f"```json\n{ADA}\n```", {"name": "Ada"}),
    (Person, f"```\n{ADA}\n```", {"name": "Ada"}),
    (Person, f"~~~json\n{ADA}\n~~~", {"name": "Ada"}),
    (Person, f"```json\n{ADA}", {"name": "Ada"}),
    (Person, f"Sure! Here it is:\n```json\n{ADA}\n```\nAnything else?", {"name": "Ada"}),
    (Person, f"Here: {ADA}", {"name": "Ada"}),
    (Person, f"{ADA} Note: use {{braces}}.", {"name": "Ada"}),
    (Person, f"The set {{a,b}}. {ADA}", {"name": "Ada"}),
    (Person, f"Use {{x}}, {{y: 1}} and {{'z'}}: {ADA}", {"name": "Ada"}),
    (Person, f"It is `{ADA}`.", {"name": "Ada"}),
    (Person, f"The schema is {ECHO}. So: {ADA}", {"name": "Ada"}),
    (Person, f"```json\n{ECHO}\n```\n{ADA}", {"name": "Ada"}),
    (Person, f"{{}} {ADA}", {"name": "Ada"}),
    (Person, f'{{"foo": 1}} {ADA}', {"name": "Ada"}),
    (Person, f"```python\nprint({BOB})\n```\n{ADA}", {"name": "Ada"}),
    (Person, f"```python\nprint({BOB})\n```\n```json\n{ADA}\n```", {"name": "Ada"}),
    (Person, f"```bash\ncurl -d '{BOB}'\n```\nResult: {ADA}", {"name": "Ada"}),
    (Person, f"<think>Maybe {BOB}?</think>{ADA}", {"name": "Ada"}),
    (Person, f"<thinking>\n{BOB}\n</thinking>\n{ADA}", {"name": "Ada"}),
    (Person, f"{ADA} Again: {ADA}", {"name": "Ada"}),
    (Person, '{"name": "Ada", "age": 36} ... {"age": 36, "name": "Ada"}', {"name": "Ada", "age": 36}),
    (Person, '{"name": "A {b} [c] ```d```"}', {"name": "A {b} [c] ```d```"}),
    (Person, 'Quote: "it\'s {odd}". {"name": "Ada"}', {"name": "Ada"}),
    (Person, '{"name": "Ada", "age": "36"}', {"name": "Ada", "age": 36}),
    (Person, '{"name": "Zoë 漢字 😀"}', {"name": "Zoë 漢字 😀"}),
    (Person, "See [1] and [2](http://x). " + ADA, {"name": "Ada"}),
    (Person, '{"name":\n\t"two\nlines"}', {"name": "two\nlines"}),
    (River, RHINE, {"name": "Rhine", "length_km": 1230}),
    (River, f"Answer: {RHINE}.", {"name": "Rhine", "length_km": 1230}),
    (River, f'Not {{"name": "Elbe"}} but {RHINE}', {"name": "Rhine", "length_km": 1230}),
    (JSON_RIVER, RHINE, {"name": "Rhine", "length_km": 1230}),
    (JSON_RIVER, f"```json\n{RHINE}\n```", {"name": "Rhine", "length_km": 1230}),
    (LOOSE, ADA, {"name": "Ada"}),
    (Alias, '{"fullName": "Ada"}', {"full_name": "Ada"}),
    (Tree, '{"name": "a", "kids": [{"name": "b", "kids": [{"name": "c"}]}]}', None),
    (Numbers, "[1, 2]", [1, 2]),
    (Numbers, '{"value": [1, 2]}', [1, 2]),
    (Numbers, "They are [1, 2].", [1, 2]),
    (Numbers, "```json\n[1, 2]\n```", [1, 2]),
    (Person, "{}", {}),
    (Person, f"```json {ADA} ```", {"name": "Ada"}),
    (Person, f"It is ```{ADA}```.", {"name": "Ada"}),
    (Person, f"Maybe {BOB}?\n</think>\n{ADA}", {"name": "Ada"}),
    (Person, json.dumps(ADA), {"name": "Ada"}),
    (Person, f'{{"name": "Person", "arguments": {ADA}}}', {"name": "Ada"}),
    (Person, f'<tool_call>{{"name": "Person", "parameters": {json.dumps(ADA)}}}</tool_call>', {"name": "Ada"}),
    (Person, f'{{"type": "function", "function": {{"name": "Person", "arguments": {ADA}}}}}', {"name": "Ada"}),
    (Person, f'{{"name": "search", "arguments": {{"q": "A"}}}} {ADA}', {"name": "Ada"}),
    (Person, f"The form is {{name: string, age: int}}. {ADA}", {"name": "Ada"}),
    (OtherNames, '{"full_name": "Ada"}', {"full_name": "Ada"}),
    (OtherNames, 'So: {"full_name": "Ada", "age": 3}', {"full_name": "Ada", "age": 3}),
    (Exact, '{"day": "2024-02-29", "pair": [1, "a"]}', {"day": date(2024, 2, 29), "pair": (1, "a")}),
    (Open, '{"other": 1}', {"other": 1}),
    (FREE, '{"other": 1}', {"other": 1}),
]

REFUSED: list[tuple[Any, str, str]] = [
    (Person, "", "empty"),
    (Person, "<think>hm</think>", "empty"),
    (Person, "I cannot.", "text, not JSON"),
    (Person, ECHO, "repeats the schema"),
    (Person, f"```json\n{ECHO}\n```", "repeats the schema"),
    (Person, '{"foo": 1}', "none of the keys"),
    (Person, f"Example: {BOB}. Answer: {ADA}", "2 different objects"),
    (Person, f"```json\n{BOB}\n```\n```json\n{ADA}\n```", "2 different objects"),
    (Person, f"[{ADA}, {BOB}]", "list .* must be an object"),
    (Person, f"Here: [{ADA}, {BOB}]", "list .* must be an object"),
    (Person, f"[{ADA}]", "list .* must be an object"),
    (Person, '"Ada"', "must be an object"),
    (Person, "42", "must be an object"),
    (Person, "null", "must be an object"),
    (Person, '{"name": "A', "broken"),
    (Person, '{"name": "Ada", "age": ', "broken"),
    (Person, 'So: {"name": "Ada", "friend": {"name": "Bob"}', "broken"),  # cut off: what is whole inside is not it
    (Person, '{\'name\': \'x\', "friend": {"name": "Bob"}}', "not JSON|broken"),
    (Person, f"```python\nprint({BOB})\n```", "not JSON|broken"),
    (Person, '{"name": "Ada", "age": "old"}', "`age`"),
    (River, '{"foo": 1}', "none of the keys"),
    (River, '{"River": {"name": "Rhine", "length_km": 1230}}', "none of the keys"),
    (River, '{"name": "Rhine", "length_km": "long"}', "`length_km`"),
    (River, '{"name": "Rhine"}', "length_km"),
    (JSON_RIVER, '{"foo": 1}', "none of the keys"),
    (JSON_RIVER, '{"River": {"name": "Rhine", "length_km": 1230}}', "none of the keys"),
    (JSON_RIVER, '{"name": "Rhine", "length_km": "long"}', "`length_km`"),
    (JSON_RIVER, json.dumps(JSON_RIVER), "repeats the schema"),
    (LOOSE, '{"foo": 1}', "none of the keys"),
    (LOOSE, json.dumps(LOOSE), "repeats the schema"),
    (LOOSE, '{"name": 5}', "`name`"),
    (Numbers, '["a"]', "fit"),
    (Numbers, '{"name": "Ada"}', "fit"),
    (Person, f'For example {BOB}. Answer: {{"name": "Ada", "age": ', "broken"),
    (Person, f'For example {BOB}. Answer: {{"name": "Ada", "age": 36,}}', "broken"),
    (Person, f"For example {BOB}. Answer: {{'name': 'Ada'}}", "broken"),
    (Person, f'```json\n{BOB}\n```\nAnswer:\n```json\n{{"name": "Ada", "age": 3', "broken"),
    (Person, '{"name": "Bob", "name": "Ada"}', "broken"),
    (Person, '{"name": "search", "arguments": {"q": "A"}}', "calls `search`"),
    (Person, 'Look: {"foo": 1}', "none of the keys"),
    (Exact, '{"day": "2024-02-29", "pair": ["1", "a"]}', r"`pair\.0`"),
    (FREE, '{"other": "x"}', "`other`"),
    (Numbers, "For example [1]. So: [2, 3", "broken"),
    (Person, "{" * 100_000, "JSON"),
    (Person, '{"name":' * 100_000, "JSON"),
    (Person, "[" * 100_000, "JSON"),
    (Person, '{"a":[' * 3_000 + "]}" * 3_000, "JSON"),
]


def plain(found: Any) -> Any:
    return found.model_dump(exclude_unset=True) if isinstance(found, BaseModel) else found


@pytest.mark.parametrize(("wanted", "text", "value"), READ, ids=[str(n) for n in range(len(READ))])
def test_what_a_reply_is_read_as(wanted: Any, text: str, value: Any) -> None:
    found = read_text(schema_of(wanted), text)

    assert value is None or plain(found) == value


@pytest.mark.parametrize(("wanted", "text", "why"), REFUSED, ids=[str(n) for n in range(len(REFUSED))])
def test_what_is_refused(wanted: Any, text: str, why: str) -> None:
    with pytest.raises(ReplyError, match=why):
        read_text(schema_of(wanted), text)


def test_an_ambiguous_reply_shows_what_it_holds() -> None:
    with pytest.raises(ReplyError, match=r"Bob.*Ada") as caught:
        read_text(schema_of(Person), f"{BOB} or {ADA}")

    assert caught.value.candidates == ({"name": "Bob"}, {"name": "Ada"})


@given(st.text(max_size=300))
def test_reading_is_total(text: str) -> None:
    """Any text is an object of the schema or our error."""
    for wanted in (Person, River, JSON_RIVER, Numbers):
        with contextlib.suppress(ReplyError):
            read_text(schema_of(wanted), text)


@given(st.text(alphabet='{}[]",:` \nanmeA1', max_size=200))
def test_reading_is_total_for_what_looks_like_json(text: str) -> None:
    with contextlib.suppress(ReplyError):
        read_text(schema_of(Person), text)


class TestCalls:
    SCHEMA = schema_of(Person)

    def read(self, **reply: Any) -> Any:
        return plain(read_reply(self.SCHEMA, Reply(**reply), by_tool=True))

    def test_the_arguments_of_its_tool_are_the_object(self) -> None:
        assert self.read(calls=(("Person", {"name": "Ada"}),)) == {"name": "Ada"}
        assert self.read(calls=(("Person", ADA),)) == {"name": "Ada"}

    def test_words_beside_the_call_do_not_count(self) -> None:
        assert self.read(text=BOB, calls=(("Person", {"name": "Ada"}),)) == {"name": "Ada"}

    def test_text_counts_where_no_call_came(self) -> None:
        assert self.read(text=ADA) == {"name": "Ada"}

    @pytest.mark.parametrize(
        ("reply", "why"),
        [
            ({"calls": (("search", {"name": "Ada"}),)}, "called `search` instead"),
            ({"calls": (("search", {"q": "A"}),), "text": ADA}, "called `search` instead"),
            ({"calls": (("Person", {"name": "Ada"}), ("Person", {"name": "Bob"}))}, "2 different objects"),
            ({"invalid_calls": (("Person", '{"name": '),)}, "not valid JSON"),
            ({"calls": (("Person", '{"name": '),)}, "not valid JSON"),
            ({"refusal": "I will not."}, "refused: I will not"),
            ({"calls": (("Person", {"age": "old"}),)}, "`age`"),
            ({"invalid_calls": (("Person", '{"name": '),), "calls": (("Person", {"name": "Ada"}),)}, "not valid JSON"),
            ({"text": '{"name": "A', "cut": True}, "raise `max_tokens`"),
            ({"text": f"As in {BOB}, the", "cut": True}, "may be an example.*raise `max_tokens`"),
        ],
    )
    def test_what_is_no_object(self, reply: dict[str, Any], why: str) -> None:
        with pytest.raises(ReplyError, match=why):
            self.read(**reply)


class TestChecks:
    def test_references_stay_inside_the_schema(self) -> None:
        """A schema that names another document fetches nothing."""
        with pytest.raises(MismatchError, match="schema cannot be read"):
            check_json({}, {"$ref": "http://127.0.0.1:1/schema.json"})

    def test_definitions_are_found(self) -> None:
        root = {"$defs": {"n": {"type": "integer"}}}
        check_json({"a": 1}, {"properties": {"a": {"$ref": "#/$defs/n"}}}, root)
        with pytest.raises(MismatchError, match="`a`"):
            check_json({"a": "x"}, {"properties": {"a": {"$ref": "#/$defs/n"}}}, root)

    def test_a_value_that_is_nested_too_deeply_is_a_mismatch(self) -> None:
        value: Any = []
        for _ in range(5_000):
            value = {"name": "x", "kids": [value] if value else []}
        with pytest.raises(MismatchError):
            fit(schema_of(Tree), value)
        with pytest.raises(MismatchError):
            check_json(value, schema_of(Tree).parameters)


HOSTILE = {
    "quotes with backslashes": "x {" + '\\"' * 200_000,
    "open brackets": "x " + "{[" * 100_000,
    "backticks": "`" * 200_000,
    "a fence and blanks": "x {z} ```" + " \t" * 100_000 + "z",
    "a fence and a long word": "x {z}\n```" + "a" * 200_000,
    "a fence, blanks and a word": "x {z}\n```" + " " * 200_000 + "a",
    "fences": "x {z}\n" + "```json\n" * 50_000,
    "tags": "<think>" * 50_000 + "{",
    "nesting": "x " + '{"a":' * 50_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_is_read_once(name: str) -> None:
    """Whatever takes a time that grows with the square of the length would not end within this test run."""
    with pytest.raises(ReplyError):
        read_text(schema_of(Person), HOSTILE[name])


def test_brackets_in_a_string_that_nothing_closes_count() -> None:
    """The string does not, because a quote in prose may be an inch or a slip."""
    assert read_text(schema_of(Person), 'x " {"name": "Ada"} and {"a\\"b": 1').name == "Ada"
