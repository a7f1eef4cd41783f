"""Values for schemas: always valid, and filled with what the text says."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from rivya_sandbox.model.json_output import conforming
from rivya_sandbox.model.schema_filling import fill

TEXTS = [
    "",
    "Hello!",
    "Extract: Anna Berg, 34, from Oslo; Bo Ek is 5.5 and not tall. Mail bo@ek.se before 2025-03-04.",
    "你好啊集团 'x' \"y\" - z",
    "1 2 3 -4 5,000",
]
names = st.sampled_from(["name", "age", "city", "is_tall", "items", "url", "created_at", "x", "setup", "topic"])
bounds = st.integers(-5, 5)


def numbers(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    def bounded(least: int, room: int, keys: tuple[str, str]) -> dict[str, Any]:
        return {"type": kind, keys[0]: least, keys[1]: least + room}

    pairs = st.sampled_from(
        [("minimum", "maximum"), ("exclusiveMinimum", "exclusiveMaximum"), ("minimum", "exclusiveMaximum")]
    )
    return st.builds(bounded, bounds, st.integers(3, 9), pairs) | st.just({"type": kind})


leaves = st.one_of(
    numbers("integer"),
    numbers("number"),
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.builds(
        lambda least, room: {"type": "string", "minLength": least, "maxLength": least + room},
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    st.sampled_from(["date", "date-time", "email", "uuid", "uri", "time", "ipv4"]).map(
        lambda f: {"type": "string", "format": f}
    ),
    st.just({"type": "string"}),
    st.just({"enum": ["red", "green", 3]}),
    st.just({"const": 7}),
    st.just({"type": ["string", "null"]}),
)


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    def build(properties: dict[str, Any], required: bool) -> dict[str, Any]:
        closed = {"type": "object", "properties": properties, "additionalProperties": False}
        return {**closed, "required": list(properties)} if required else closed

    return st.builds(build, st.dictionaries(names, inner, max_size=4), st.booleans())


schemas: st.SearchStrategy[dict[str, Any]] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        objects(inner),
        st.builds(
            lambda items, least: {"type": "array", "items": items, "minItems": least, "maxItems": least + 2},
            inner,
            st.integers(0, 3),
        ),
        st.lists(inner, min_size=1, max_size=2).map(lambda several: {"anyOf": several}),
        inner.map(lambda schema: {"anyOf": [schema, {"type": "null"}]}),
    ),
    max_leaves=6,
)


@settings(deadline=None, max_examples=60)
@given(schemas, st.sampled_from(TEXTS) | st.text(max_size=60))
def test_a_value_always_conforms(schema: dict[str, Any], text: str) -> None:
    value = fill(schema, text)

    jsonschema.validate(value, schema, format_checker=jsonschema.FormatChecker())
    json.dumps(value)


class Address(BaseModel):
    """A place."""

    city: str
    country: str | None = None


class Employee(BaseModel):
    """A person at work."""

    name: str
    age: int
    email: str
    address: Address
    skills: list[str]
    boss: Employee | None = None


class Company(BaseModel):
    """A company."""

    title: str
    employees: list[Employee] = Field(min_length=1)


def made(kind: type[BaseModel], text: str) -> Any:
    return kind.model_validate(fill(kind.model_json_schema(), text))


def test_references_and_recursion_are_followed() -> None:
    text = "Anna Berg is 34, lives in Oslo, writes to anna@berg.no. Skills: Python, Rust and Go"

    found = made(Employee, text)

    assert (found.name, found.age, found.address.city, found.email) == ("Anna Berg", 34, "Oslo", "anna@berg.no")
    assert found.skills == ["Python", "Rust", "Go"]
    assert found.boss is None
    assert made(Company, text).employees


def test_a_list_of_objects_has_one_for_each_sentence() -> None:
    class Guest(BaseModel):
        name: str
        age: int

    class Party(BaseModel):
        guests: list[Guest]

    party = made(Party, "Ann is 3 years old. Bob is 5 years old.\nEve is 7 years old.")

    assert [(guest.name, guest.age) for guest in party.guests] == [("Ann", 3), ("Bob", 5), ("Eve", 7)]


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "integer"}, "Give me 42 of 50", 42),
        ({"type": "array", "items": {"type": "integer"}}, "1, 2 and 3", [1, 2, 3]),
        ({"enum": ["happy", "sad"]}, "I am so sad today", "sad"),
        ({"type": "boolean"}, "whatever", False),
        (
            {"type": "object", "properties": {"is_spam": {"type": "boolean"}}, "required": ["is_spam"]},
            "is_spam: yes",
            {"is_spam": True},
        ),
        (
            {"type": "object", "properties": {"spam": {"type": "boolean"}}, "required": ["spam"]},
            "This is spam",
            {"spam": True},
        ),
        (
            {"type": "object", "properties": {"spam": {"type": "boolean"}}, "required": ["spam"]},
            "This is not spam",
            {"spam": False},
        ),
        ({"type": "object", "properties": {"max_price": {"type": "number"}}}, "max price = 9.5", {"max_price": 9.5}),
        ({"type": "object", "properties": {"color": {"type": "string"}}}, "nothing of that", {}),
        ({"type": "object", "properties": {"color": {"type": "string"}}}, "The color is blue.", {"color": "blue"}),
        (
            {"allOf": [{"type": "object"}, {"properties": {"name": {"type": "string"}}}], "required": ["name"]},
            "for 'Bo'",
            {"name": "Bo"},
        ),
        (
            {"type": "object", "properties": {"on": {"type": "string", "format": "date"}}, "required": ["on"]},
            "by 2025-03-04",
            {"on": "2025-03-04"},
        ),
        ({"type": "array", "items": {"type": "string"}}, "Shopping:\n- milk\n- bread", ["milk", "bread"]),
    ],
    ids=str,
)
def test_what_the_text_says_is_taken(schema: dict[str, Any], text: str, value: Any) -> None:
    assert fill(schema, text) == value


def test_a_union_takes_the_branch_that_is_named() -> None:
    cat = {"title": "Cat", "type": "object", "properties": {"kind": {"const": "cat"}}, "required": ["kind"]}
    dog = {"title": "Dog", "type": "object", "properties": {"kind": {"const": "dog"}}, "required": ["kind"]}

    assert fill({"anyOf": [cat, dog]}, "I have a dog") == {"kind": "dog"}


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Tell a joke as JSON with 'setup' and 'punchline' keys.", {"setup", "punchline"}),
        ('Answer in JSON: {"properties": {"city": {"type": "string"}}, "required": ["city"]}', {"city"}),
        ("Answer in JSON.", {"answer"}),
        ("Answer {in} JSON.", {"answer"}),
    ],
)
def test_json_without_a_schema_has_what_the_prompt_names(text: str, keys: set[str]) -> None:
    assert set(json.loads(conforming({}, text))) == keys
