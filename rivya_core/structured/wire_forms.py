"""Tools and response formats in the form of chat completions, whatever form they are passed in. Pure.

The Responses API has the same objects without the inner one; its client flattens them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rivya_core.errors import InvalidInputError
from rivya_core.structured.json_schemas import strict_schema
from rivya_core.structured.schemas import Schema, legal_name, schema_of

NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}
FUNCTION_KEYS = frozenset({"name", "description", "parameters", "strict"})
SCHEMA_KEYS = frozenset({"properties", "title", "$defs", "$ref", "anyOf", "oneOf", "allOf"})
"""Keys of a JSON schema that no provider's own tool has."""
JSON_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})


def wire_tool(tool: Any, *, strict: bool | None = None) -> dict[str, Any]:
    """Return a tool as it is sent.

    Args:
        tool: A class that `schema_of` takes, a JSON schema, a function in the form of either API, Anthropic's
            `{"name", "input_schema"}`, or a provider's own tool, which stays as it is.
        strict: Whether arguments must fit the schema exactly; by default what the tool itself says, if anything.

    Raises:
        InvalidInputError: It is not a tool, or its schema has no strict form. Nothing was sent.
    """
    if not isinstance(tool, Mapping):
        return schema_of(tool).function(strict=strict)
    if _is_providers_own(tool):
        return dict(tool)
    if isinstance(tool.get("function"), Mapping):
        rest = {key: value for key, value in tool.items() if key != "function"}
        return {**rest, "type": "function", "function": _function(tool["function"], strict=strict)}
    if isinstance(tool.get("input_schema"), Mapping):
        tool = {"type": "function", "parameters": tool["input_schema"], **_without(tool, {"input_schema"})}
    if tool.get("type") == "function" or (isinstance(tool.get("name"), str) and not _is_schema(tool)):
        inner = {key: value for key, value in tool.items() if key in FUNCTION_KEYS}
        return {**_without(tool, FUNCTION_KEYS), "type": "function", "function": _function(inner, strict=strict)}
    return schema_of(tool).function(strict=strict)


def response_format(wanted: Any, *, strict: bool | None = None) -> Any:
    """Return a response format as it is sent.

    Args:
        wanted: A class that `schema_of` takes, a JSON schema, or a format of either API. Formats of other types than
            `json_schema` stay as they are.
        strict: Whether the reply must fit the schema exactly; by default what the format itself says, if anything.

    Raises:
        InvalidInputError: It is not a format, or its schema has no strict form. Nothing was sent.
    """
    if isinstance(wanted, str):
        return {"type": wanted}
    if not isinstance(wanted, Mapping):
        return schema_of(wanted).response_format(strict=strict)
    if wanted.get("type") == "json_schema":
        inner = wanted.get("json_schema")
        flat = _without(wanted, {"type", "json_schema"})
        return _format(inner if isinstance(inner, Mapping) else flat, strict=strict)
    if isinstance(wanted.get("schema"), Mapping) and isinstance(wanted.get("name"), str):
        return _format(wanted, strict=strict)
    return schema_of(wanted).response_format(strict=strict) if _is_schema(wanted) else dict(wanted)


def tool_name(tool: Mapping[str, Any]) -> str:
    """Return the name by which a tool is called, empty for a provider's own tool without one."""
    inner = tool.get("function") or tool.get("custom")
    name = inner.get("name") if isinstance(inner, Mapping) else tool.get("name")
    return name if isinstance(name, str) else ""


def whole_parameters(parameters: Any) -> dict[str, Any]:
    """Return the schema of a function's arguments: an object that says which properties it has, even if it has none."""
    if not isinstance(parameters, Mapping) or not parameters:
        return dict(NO_PARAMETERS)
    if parameters.get("type", "object") != "object" or parameters.keys() & {"$ref", "anyOf", "oneOf", "allOf"}:
        return dict(parameters)
    return {**NO_PARAMETERS, **parameters}


def _function(function: Mapping[str, Any], *, strict: bool | None) -> dict[str, Any]:
    name, own = function.get("name"), function.get("strict")
    if not isinstance(name, str) or not name:
        raise InvalidInputError("A tool needs a `name`. Nothing was sent.")
    if strict is not None and isinstance(own, bool) and own != strict:
        raise InvalidInputError(
            f"The tool `{name}` has `strict={own}`, and the call has `strict={strict}`. Set one of them. Nothing was "
            "sent."
        )
    chosen = strict if own is None else own
    parameters = whole_parameters(function.get("parameters"))
    if chosen is True:
        parameters = strict_schema(parameters, name)
    made = {**function, "parameters": parameters}
    return made if chosen is None else {**made, "strict": chosen}


def _format(inner: Mapping[str, Any], *, strict: bool | None) -> dict[str, Any]:
    """A JSON schema format with a legal name, whose schema is strict where it says so."""
    schema = inner.get("schema")
    if not isinstance(schema, Mapping):
        raise InvalidInputError("A response format of type `json_schema` needs a `schema`. Nothing was sent.")
    name = legal_name(str(inner.get("name") or schema.get("title") or ""))
    chosen = inner.get("strict") if strict is None else strict
    if chosen is True:
        schema = strict_schema(_of_object(schema, name).parameters, name)
    elif "$ref" in schema:
        schema = _of_object(schema, name).parameters
    made = {**inner, "name": name, "schema": dict(schema)}
    return {"type": "json_schema", "json_schema": made if chosen is None else {**made, "strict": chosen}}


def _of_object(schema: Mapping[str, Any], name: str) -> Schema:
    """The schema of a format, with a reference at its top written out, which recursive classes have.

    A schema that is not an object is refused, because the reader of the reply does not expect the wrapper that
    servers need.
    """
    found = schema_of({**schema, "title": name})
    if found.wrapped:
        raise InvalidInputError(
            f"`{name}` is not an object, and servers take such a schema for objects only. Nothing was sent. Put it "
            "into a property of an object."
        )
    return found


def _is_providers_own(tool: Mapping[str, Any]) -> bool:
    """Whether a tool is the provider's: it names a type other than those of a function or a schema."""
    kind = tool.get("type")
    is_named = isinstance(kind, str) and kind not in JSON_TYPES and kind != "function"
    return is_named and not tool.keys() & {*SCHEMA_KEYS, "input_schema"}


def _is_schema(value: Mapping[str, Any]) -> bool:
    kind = value.get("type")
    return bool(value.keys() & SCHEMA_KEYS) or isinstance(kind, list) or (isinstance(kind, str) and kind in JSON_TYPES)


def _without(value: Mapping[str, Any], keys: frozenset[str] | set[str]) -> dict[str, Any]:
    return {key: value[key] for key in value if key not in keys}
