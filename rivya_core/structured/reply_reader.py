"""Reading the object of a schema from a reply. Pure.

A reply that is one JSON value, fenced or not, is read as that value. In prose every candidate outside reasoning and
code is collected; repeated schemas and objects that share no key with the schema do not count. Exactly one that fits is
taken. Several different ones are an error that shows them, and so is a list where an object is wanted. An object whose
JSON is broken or incomplete is an error, too, because a complete one in the same reply may be an example. A call counts
only if it calls the schema's own tool.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rivya_core.structured.checks import MismatchError, fit
from rivya_core.structured.json_in_text import (
    NOTHING,
    Fragment,
    inline_values,
    same,
    text_of,
    value_of,
    values_in,
    whole_value,
    without_reasoning,
)
from rivya_core.structured.schemas import WRAPPER, Schema

QUOTED_KEY = re.compile(r"""["']([^"'\n]*)["']\s*:\s*(?:["'\d\[{-]|(?:true|false|null|none)\b)""", re.IGNORECASE)
"""A key and the beginning of its value, in JSON or in what was meant as JSON."""
SCHEMA_KEYS = frozenset({"properties", "$defs", "definitions"})
CALL_KEYS = frozenset({"name", "arguments", "parameters", "type", "id"})


class ReplyError(ValueError):
    """A reply holds no object of the schema, or more than one.

    Attributes:
        candidates: The objects that were found.
    """

    def __init__(self, message: str, candidates: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)


@dataclass(frozen=True, slots=True)
class Reply:
    """The parts of a model's reply that are needed here.

    Attributes:
        text: Its text.
        calls: Name and arguments of its tool calls; arguments may be JSON text or the object.
        invalid_calls: Name and text of calls whose arguments are not a JSON object.
        refusal: Text of a refusal; empty if there is none.
        cut: Whether it ended at the token limit.
    """

    text: str = ""
    calls: tuple[tuple[str, Any], ...] = ()
    invalid_calls: tuple[tuple[str, str], ...] = ()
    refusal: str = ""
    cut: bool = False


def read_reply(schema: Schema, reply: Reply, *, by_tool: bool = False) -> Any:
    """Return the object in a complete reply.

    Args:
        schema: What is wanted.
        reply: What came.
        by_tool: Whether the object was asked for as the arguments of the schema's tool.

    Raises:
        ReplyError: The reply holds no such object, or several; the message says what it holds.
    """
    try:
        return _read(schema, reply, by_tool=by_tool)
    except ReplyError as error:
        cut = " It was cut off at the token limit; raise `max_tokens`." if reply.cut else ""
        shown = f" Reply: {reply.text[:500]!r}" if reply.text else ""
        raise ReplyError(f"No structured output: {error}.{cut}{shown}", error.candidates) from error.__cause__


def _read(schema: Schema, reply: Reply, *, by_tool: bool) -> Any:
    if reply.refusal:
        raise ReplyError(f"the model refused: {reply.refusal}")
    own = [arguments for name, arguments in reply.calls if name == schema.name]
    broken = [text for name, text in reply.invalid_calls if name in ("", schema.name)]
    if by_tool and broken:
        raise ReplyError(f"the arguments of its tool call are not valid JSON: {broken[0][:300]!r}")
    if by_tool and own:
        return _only([_loaded(arguments) for arguments in own], schema, "tool calls")[1]
    others = [*reply.calls, *reply.invalid_calls]
    if others:
        names = ", ".join(f"`{name}`" for name, _ in others)
        raise ReplyError(f"the model called {names} instead")
    return _read_text(schema, reply.text, cut=reply.cut)[1]


def read_text(schema: Schema, text: str) -> Any:
    """Return the object in a reply's text.

    Raises:
        ReplyError: The text holds no object, or several.
    """
    return _read_text(schema, text)[1]


def object_text(schema: Schema, text: str, *, unwrapped: bool = False) -> str:
    """Return the JSON of the object in a reply's text, as it is written there, without what stands around it.

    Args:
        schema: What is wanted.
        text: The reply's text.
        unwrapped: Whether a value that is not an object loses the object that it was asked for in.

    Raises:
        ReplyError: The text holds no object, or several.
    """
    value = _read_text(schema, text)[0]
    is_wrapped = unwrapped and schema.wrapped and isinstance(value, dict) and value.keys() == {WRAPPER}
    return json.dumps(value[WRAPPER], ensure_ascii=False) if is_wrapped else text_of(value, text)


def _read_text(schema: Schema, text: str, *, cut: bool = False) -> tuple[Any, Any]:
    """The value in a reply's text, and the object that it is."""
    whole = whole_value(text.strip())  # a value may hold what looks like reasoning
    bare = without_reasoning(text)
    if not bare:
        raise ReplyError("the reply is empty")
    whole = whole_value(bare) if whole is NOTHING else whole
    if whole is not NOTHING:
        return _only([_meant(whole, schema)], schema, "reply")
    found = _candidates(bare, schema)
    if cut:
        raise ReplyError("the reply is incomplete, so an object in it may be an example", found)
    return _only(found, schema, "reply")


def so_far(schema: Schema, value: Any) -> Any:
    """Return the part of an incomplete value that can be shown, or None.

    Args:
        schema: What is wanted.
        value: What `GrowingObject` found, which may turn out to be a repeated schema or another object.
    """
    if schema.wrapped:
        if isinstance(value, dict):
            return value.get(WRAPPER) if set(value) <= {WRAPPER} else None
        return value
    if not isinstance(value, dict) or _is_schema(value, schema) or not _shares_keys(value, schema):
        return None
    echo = {"title": schema.name, "name": schema.name, "type": "object", "description": schema.description}
    return None if any(value.get(key) == told for key, told in echo.items()) else value


def _only(found: Sequence[Any], schema: Schema, where: str) -> tuple[Any, Any]:
    """The one value among *found* that fits, and the object that it is; equal ones count once."""
    different: list[Any] = []
    for value in found:
        if not any(same(value, other) for other in different):
            different.append(value)
    fitting, misfits = [], []
    for value in different:
        try:
            fitting.append((value, _fitted(value, schema)))
        except MismatchError as error:
            misfits.append(error)
    if len(fitting) > 1 or (len(different) > 1 and not fitting):
        shown = "; ".join(_shown(value) for value in different[:5])
        raise ReplyError(f"the {where} holds {len(different)} different objects: {shown}", different)
    if not fitting:
        raise ReplyError(f"the reply does not fit `{schema.name}`: {misfits[0]}", different) from misfits[0]
    return fitting[0]


def _fitted(value: Any, schema: Schema) -> Any:
    if not schema.wrapped:
        if not isinstance(value, dict):
            kind = "a list" if isinstance(value, list) else "the JSON value"
            raise MismatchError(f"the reply is {kind} {_shown(value)}, but must be an object")
        if _is_schema(value, schema):
            raise MismatchError("it repeats the schema instead of filling it in")
        if called := _called(value, schema):
            raise MismatchError(f"it calls `{called[0]}` instead")
        if value and schema.keys and not schema.keys & value.keys():
            raise MismatchError(_keyless(schema))
    return fit(schema, value)


def _candidates(text: str, schema: Schema) -> list[Any]:
    """The values in prose that could be the reply.

    Raises:
        ReplyError: There are none, or a part of the text could be one but is not JSON.
    """
    every = list(values_in(text))
    broken = next((value for value in every if isinstance(value, Fragment) and _is_meant(value, schema)), None)
    if broken is not None:
        raise ReplyError(f"its JSON is broken: {broken.text[:100]!r}")
    values = [value for value in every if not isinstance(value, Fragment)]
    meant = [_meant(value, schema) for value in values]
    found = [value for value in meant if _counts(value, schema)]
    found = found or [value for value in inline_values(text) if _counts(value, schema)]
    if not found:
        objects = any(isinstance(value, dict) for value in values)
        raise ReplyError(_keyless(schema) if objects else "the reply is text, not JSON")
    return found


def _is_meant(fragment: Fragment, schema: Schema) -> bool:
    """Whether text that is not JSON was probably meant as the reply."""
    if schema.wrapped and fragment.is_cut:
        return bool(fragment.text[1:].strip())
    keys = {match[1] for match in QUOTED_KEY.finditer(fragment.text)}
    return bool(keys & schema.keys if schema.keys else keys)


def _meant(value: Any, schema: Schema) -> Any:
    """The object in a value: that of a call of the schema's tool in words, or of JSON in a JSON string."""
    if isinstance(value, str) and not schema.wrapped:
        inner = value_of(value)
        return inner if isinstance(inner, dict) else value
    called = _called(value, schema)
    if called is None or called[0] != schema.name:
        return value
    inner = value_of(called[1]) if isinstance(called[1], str) else called[1]
    return value if inner is NOTHING else inner


def _called(value: Any, schema: Schema) -> tuple[str, Any] | None:
    """The name and the arguments of a call in words, such as `{"name": "search", "arguments": {"q": "A"}}`."""
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("function"), dict) and "function" not in schema.keys:
        value = value["function"]
    key = "arguments" if "arguments" in value else "parameters"
    is_call = value.keys() <= CALL_KEYS and isinstance(value.get("name"), str) and key not in schema.keys
    return (value["name"], value[key]) if is_call and isinstance(value.get(key), (dict, str)) else None


def _counts(value: Any, schema: Schema) -> bool:
    """Whether a value within prose can be the reply."""
    if schema.wrapped:
        return _is_like(value, schema) or (isinstance(value, dict) and bool(schema.keys & value.keys()))
    if isinstance(value, list):
        return any(isinstance(item, dict) and _counts(item, schema) for item in value)
    return isinstance(value, dict) and not _is_schema(value, schema) and _shares_keys(value, schema)


def _shares_keys(value: Mapping[str, Any], schema: Schema) -> bool:
    return bool(schema.keys & value.keys()) if schema.keys else bool(value)


def _is_like(value: Any, schema: Schema) -> bool:
    """Whether a value that is not an object has the type that the schema wants."""
    try:
        fit(schema, value)
    except MismatchError:
        return False
    return True


def _is_schema(value: Mapping[str, Any], schema: Schema) -> bool:
    """Whether an object is a JSON schema, where none is wanted."""
    return bool(SCHEMA_KEYS & value.keys() - schema.keys) and any(
        isinstance(value.get(key), dict) for key in SCHEMA_KEYS
    )


def _loaded(arguments: Any) -> Any:
    if not isinstance(arguments, str):
        return arguments
    value = value_of(arguments)
    if value is NOTHING:
        raise ReplyError(f"the arguments of its tool call are not valid JSON: {arguments[:300]!r}")
    return value


def _keyless(schema: Schema) -> str:
    names = ", ".join(f"`{key}`" for key in sorted(schema.keys))
    return f"it has none of the keys {names}" if names else f"it holds no value that fits `{schema.name}`"


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:200]
