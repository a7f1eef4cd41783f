"""JSON schemas as plain values: local references, and the strict form. Pure.

A strict schema follows https://platform.openai.com/docs/guides/structured-outputs: every object is closed and requires
all of its properties. What a strict schema cannot express is refused with its path before anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rivya_core.errors import InvalidInputError

REFUSED = {
    "patternProperties": "keys by pattern",
    "prefixItems": "a tuple",
    "not": "`not`",
    "if": "`if`",
    "dependentRequired": "`dependentRequired`",
    "dependentSchemas": "`dependentSchemas`",
    "unevaluatedProperties": "`unevaluatedProperties`",
    "unevaluatedItems": "`unevaluatedItems`",
    "contains": "`contains`",
    "propertyNames": "`propertyNames`",
}
DROPPED = frozenset(
    "default discriminator uniqueItems examples deprecated readOnly writeOnly minProperties maxProperties".split()
)
"""Keywords that strict schemas do not have. What they ask for is checked when the reply is read."""
FORMATS = frozenset("date-time time date duration email hostname ipv4 ipv6 uuid".split())
"""The formats of strings that strict schemas have; servers refuse others, and patterns with lookarounds."""
LOOKAROUNDS = ("(?=", "(?!", "(?<=", "(?<!")


def strict_schema(schema: Mapping[str, Any], name: str = "output") -> dict[str, Any]:
    """Return *schema* in the strict form.

    Raises:
        InvalidInputError: A part of it has no strict form; the message has its path. Nothing was sent.
    """
    schema = modern_references(schema)
    if "properties" not in schema and schema.get("type") == "object" and "additionalProperties" not in schema:
        schema = {**schema, "properties": {}}
    closed = _strict(schema, name)
    if closed.get("type") != "object":
        raise _not_strict(name, "is not an object")
    for reference in _references(closed):
        if not resolved({"$ref": reference}, closed):
            raise _not_strict(name, f"refers to `{reference}`, which is not in the schema")
    return closed


def resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a schema that is only a local `$ref` refers to."""
    for _ in range(20):
        if not isinstance(schema, Mapping) or not isinstance(schema.get("$ref"), str):
            break
        place: Any = root
        for step in filter(None, schema["$ref"].removeprefix("#").split("/")):
            place = place.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(place, Mapping) else None
        schema = place
    return schema if isinstance(schema, Mapping) else {}


def modern_references(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return *schema* with its definitions under `$defs`; older writers call them `definitions`."""
    if not isinstance(schema.get("definitions"), Mapping) or "$defs" in schema:
        return schema
    found: dict[str, Any] = _redirected({**schema, "$defs": schema["definitions"]})
    del found["definitions"]
    return found


def _redirected(part: Any) -> Any:
    if isinstance(part, list):
        return [_redirected(item) for item in part]
    if not isinstance(part, Mapping):
        return part
    made = {key: _redirected(value) for key, value in part.items()}
    if isinstance(made.get("$ref"), str):
        made["$ref"] = made["$ref"].replace("#/definitions/", "#/$defs/", 1)
    return made


def _strict(schema: Any, path: str) -> dict[str, Any]:
    if not isinstance(schema, Mapping) or not schema:
        raise _not_strict(path, "allows any value")
    found = next((REFUSED[key] for key in REFUSED if key in schema), None)
    if found:
        raise _not_strict(path, f"uses {found}")
    schema = _flattened(schema, path)
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}  # siblings of a reference are not allowed
    made = {key: value for key, value in schema.items() if _is_kept(key, value)} | _strict_parts(schema, path)
    made.pop("oneOf", None)
    if not made.keys() & {"type", "anyOf", "enum", "const"}:
        raise _not_strict(path, "allows any value")
    return made


def _is_kept(key: str, value: Any) -> bool:
    """Whether strict schemas have a keyword with this value."""
    if key == "format":
        return value in FORMATS
    if key == "pattern":
        return not any(mark in str(value) for mark in LOOKAROUNDS)
    return key not in DROPPED


def _strict_parts(schema: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The strict form of what a schema holds."""
    made: dict[str, Any] = {}
    options = [*schema.get("oneOf", ()), *schema.get("anyOf", ())]
    if options:
        made["anyOf"] = [_strict(option, f"{path}.anyOf[{place}]") for place, option in enumerate(options)]
    if "$defs" in schema:
        made["$defs"] = {name: _strict(part, name) for name, part in schema["$defs"].items()}
    types = schema.get("type")
    types = types if isinstance(types, list) else [types]
    if "object" in types or "properties" in schema:
        _close(schema, made, path)
    if "array" in types:
        made["items"] = _strict(schema.get("items", {}), f"{path}[]")
    return made


def _flattened(schema: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """`allOf` with one schema is that schema; more of them have no strict form."""
    every = schema.get("allOf")
    if every is None:
        return schema
    if len(every) != 1 or not isinstance(every[0], Mapping):
        raise _not_strict(path, "uses `allOf`")
    rest = {key: value for key, value in schema.items() if key != "allOf"}
    return every[0] if "$ref" in every[0] else {**rest, **every[0]}


def _close(schema: Mapping[str, Any], made: dict[str, Any], path: str) -> None:
    properties = schema.get("properties")
    if properties is None or schema.get("additionalProperties", False) is not False:
        raise _not_strict(path, "is an object with free keys")
    made["type"] = schema.get("type", "object")
    made["properties"] = {name: _strict(part, f"{path}.{name}") for name, part in properties.items()}
    made["required"] = list(properties)
    made["additionalProperties"] = False


def _not_strict(path: str, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"`{path}` {why}, which a strict schema cannot express. Nothing was sent. Change the type, or leave out "
        "`strict=True`."
    )


def _references(part: Any) -> Iterator[str]:
    """The references in a schema."""
    values = part.values() if isinstance(part, Mapping) else part if isinstance(part, list) else ()
    if isinstance(part, Mapping) and isinstance(part.get("$ref"), str):
        yield part["$ref"]
    for value in values:
        yield from _references(value)
