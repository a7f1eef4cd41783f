"""Schemas leave whole and legal: references kept, names that servers take, strict at any depth or refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal, Optional, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, RootModel, create_model
from typing_extensions import NotRequired, TypedDict

from rivya_core.errors import InvalidInputError
from rivya_core.structured.growing import GrowingObject
from rivya_core.structured.json_schemas import strict_schema
from rivya_core.structured.schemas import legal_name, schema_of


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Kid(BaseModel):
    """A kid."""

    name: str = "x"
    kids: list[Kid] = []


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Zoo(BaseModel):
    pet: Annotated[Union[Cat, Dog], Field(discriminator="kind")]  # noqa: UP007
    colour: Colour = Colour.RED
    old: Optional[Cat] = None  # noqa: UP045
    every: list[Kid]


class Inner(TypedDict):
    """Inside."""

    deep: Annotated[int, ..., "how deep"]


class Outer(TypedDict):
    """Outside."""

    inner: Inner
    many: list[Inner]
    maybe: NotRequired[str]


@dataclass
class Point:
    """A point."""

    x: int
    y: int = 0


class Free(BaseModel):
    inside: dict[str, int]


class Anything(BaseModel):
    what: Any


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


class Pair(BaseModel):
    pair: tuple[int, str]


def objects(schema: Any) -> list[dict[str, Any]]:
    """Every object schema, at any depth."""
    if isinstance(schema, list):
        return [found for part in schema for found in objects(part)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if schema.get("type") == "object" else []
    return own + [found for value in schema.values() for found in objects(value)]


def references(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [found for part in schema for found in references(part)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if "$ref" in schema else []
    return own + [found for value in schema.values() for found in references(value)]


def is_strict(schema: dict[str, Any]) -> bool:
    text = str(schema)
    closed = all(
        one["additionalProperties"] is False and one["required"] == list(one["properties"]) for one in objects(schema)
    )
    alone = all(set(one) == {"$ref"} for one in references(schema))
    return closed and alone and not any(f"'{word}'" in text for word in ("oneOf", "discriminator", "default"))


@pytest.mark.parametrize("wanted", [Kid, Zoo, Outer, Point, RootModel[list[Kid]], RootModel[int]])
def test_strict_schemas_are_strict_at_any_depth(wanted: Any) -> None:
    assert is_strict(strict_schema(schema_of(wanted).parameters))


LISTS = {"properties": {"a": {"type": ["array", "null"], "items": {"properties": {"b": {"type": "string"}}}}}}
OLDER = {
    "type": "object",
    "properties": {"a": {"$ref": "#/definitions/A"}, "self": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
    "definitions": {"A": {"type": "object", "properties": {"b": {"type": "string", "default": "x"}}}},
}


@pytest.mark.parametrize("schema", [LISTS, OLDER])
def test_json_schemas_are_strict_at_any_depth(schema: dict[str, Any]) -> None:
    made = strict_schema(schema_of({"title": "X", **schema}).parameters)

    assert is_strict(made)
    assert strict_schema(schema) == made


def test_strict_strings_have_the_formats_and_patterns_that_servers_take() -> None:
    """The reply is still checked against the whole schema."""
    model = create_model("Bill", link=(HttpUrl, ...), day=(date, ...), code=(Annotated[str, Field(pattern="^a")], ...))
    strings = schema_of(model).function(strict=True)["function"]["parameters"]["properties"]
    price = strict_schema({"properties": {"price": {"type": "string", "pattern": "^(?!-).*$"}}})

    assert [strings[name].get("format") for name in ("link", "day")] == [None, "date"]
    assert strings["code"]["pattern"] == "^a"
    assert price["properties"]["price"] == {"type": "string"}


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        (Free, r"`Free\.inside` is an object with free keys"),
        (Anything, r"`Anything\.what` allows any value"),
        (Open, r"`Open` is an object with free keys"),
        (Pair, r"`Pair\.pair` uses a tuple"),
        (create_model("Deep", a=(list[Free], ...)), r"`Free\.inside`"),
        ({"title": "X", "type": "object"}, None),
        ({"title": "X", "type": "object", "properties": {"a": {"type": "array"}}}, r"`X\.a\[\]` allows any value"),
        ({"title": "X", "type": "object", "properties": {"a": {"not": {"type": "string"}}}}, "`not`"),
        ({"title": "X", "type": "object", "patternProperties": {"a": {}}, "properties": {}}, "keys by pattern"),
        ({"title": "X", "properties": {"a": {"type": ["object", "null"]}}}, r"`X\.a` is an object with free keys"),
        ({"title": "X", "properties": {"a": {"type": ["array", "null"], "items": {}}}}, r"`X\.a\[\]` allows any"),
        ({"title": "X", "properties": {"a": {"$ref": "https://x.example/y"}}}, "refers to `https://x.example/y`"),
        ({"title": "X", "properties": {"a": {"$ref": "#/$defs/Y"}}}, "refers to `#/.defs/Y`"),
    ],
)
def test_what_cannot_be_strict_is_refused_with_its_path(wanted: Any, path: str | None) -> None:
    schema = schema_of(wanted)
    if path is None:
        assert strict_schema(schema.parameters)["additionalProperties"] is False
        return
    with pytest.raises(InvalidInputError, match=path) as caught:
        schema.function(strict=True)
    assert "Nothing was sent" in str(caught.value)


def test_recursive_models_stay_whole() -> None:
    schema = schema_of(Kid)

    assert schema.parameters["properties"]["kids"]["items"] == {"$ref": "#/$defs/Kid"}
    assert "kids" in schema.parameters["$defs"]["Kid"]["properties"]
    assert schema.description == "A kid."


def test_typed_dicts_have_their_descriptions_and_optional_keys() -> None:
    schema = schema_of(Outer)
    inner = schema.parameters["$defs"]["Inner"]

    assert schema.parameters["required"] == ["inner", "many"]
    assert inner["properties"]["deep"]["description"] == "how deep"
    assert schema.description == "Outside."


@pytest.mark.parametrize(
    "wanted",
    [
        {"title": "River", "description": "d", "type": "object", "properties": {"a": {"type": "string"}}},
        {
            "name": "River",
            "description": "d",
            "parameters": {"type": "object", "properties": {"a": {"type": "string"}}},
        },
        {"name": "River", "description": "d", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}},
        {"name": "River", "description": "d", "input_schema": {"properties": {"a": {"type": "string"}}}},
        {
            "type": "function",
            "function": {"name": "River", "description": "d", "parameters": {"properties": {"a": {"type": "string"}}}},
        },
    ],
)
def test_every_form_of_a_json_schema_is_read(wanted: dict[str, Any]) -> None:
    schema = schema_of(wanted)

    assert (schema.name, schema.description) == ("River", "d")
    assert schema.parameters["properties"] == {"a": {"type": "string"}}
    assert schema.parameters["type"] == "object"


@pytest.mark.parametrize("wanted", [5, "River", None, [Kid], {"a": 1}, int])
def test_what_is_no_schema_is_refused(wanted: Any) -> None:
    with pytest.raises(InvalidInputError, match="Nothing was sent"):
        schema_of(wanted)


def test_an_object_without_properties_has_some() -> None:
    """Servers refuse a tool whose parameters have no `properties`."""
    function = schema_of({"name": "now", "parameters": {"type": "object"}}).function()["function"]

    assert function["parameters"] == {"type": "object", "properties": {}}


@given(st.text())
def test_names_are_legal(name: str) -> None:
    legal = legal_name(name)

    assert 0 < len(legal) <= 64
    assert all(character.isascii() and (character.isalnum() or character in "_-") for character in legal)
    assert legal_name(legal) == legal


def test_a_title_with_spaces_is_no_name() -> None:
    class Titled(BaseModel):
        model_config = ConfigDict(title="A river, or two")
        a: int

    assert schema_of(Titled).name == "Titled"
    assert schema_of({"title": "A river, or two", "type": "object", "properties": {}}).name == "A_river_or_two"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


def contradicts(shown: Any, final: Any) -> bool:
    """Whether something that was shown is not in the end."""
    if isinstance(shown, dict) and isinstance(final, dict):
        return any(key not in final or contradicts(value, final[key]) for key, value in shown.items())
    if isinstance(shown, list) and isinstance(final, list):
        return len(shown) > len(final) or any(map(contradicts, shown, final))
    return bool(shown != final)


@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=4), st.integers(1, 7), st.booleans())
def test_a_growing_object_is_never_contradicted(value: dict[str, Any], size: int, prose: bool) -> None:
    """However the text is cut; at the end the whole object is there."""
    import json

    text = json.dumps(value)
    text = f"```json\n{text}\n```" if prose else text
    growing, shown = GrowingObject(in_prose=prose), None
    for start in range(0, len(text), size):
        shown = growing.feed(text[start : start + size])
        assert shown is None or not contradicts(shown, value)

    assert shown == value


@pytest.mark.parametrize("text", ['Example: {"a": 1} Answer: {"a": 2}', "No JSON {a} here", '{a} {"b": 1}'])
def test_prose_before_the_object_shows_nothing(text: str) -> None:
    """What comes first in prose may be an example."""
    growing = GrowingObject(in_prose=True)

    assert [growing.feed(character) for character in text] == [None] * len(text)
