"""Reading the object of a schema from a reply. Pure.

A reply that is one JSON value, fenced or not, is read as that value. In prose every candidate outside reasoning and
code is collected; repeated schemas and objects that share no key with the schema do not count. Exactly one that fits is
taken. Several different ones are an error that shows them, and so is a list where an object is wanted. A call counts
only if it calls the schema's own tool.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from rivya_core.structured.checks import MismatchError, fit
from rivya_core.structured.schemas import WRAPPER, Schema

REASONING = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
FENCE = re.compile(
    r"^[ \t]*(```+|~~~+)[ \t]*([\w+#.-]*)[^\n]*\n(.*?)(?:^[ \t]*\1[`~]*[ \t]*$|\Z)", re.DOTALL | re.MULTILINE
)
BRACKET = re.compile(r'[{}\[\]]|"(?:[^"\\\n]|\\.)*"')
INLINE = re.compile(r"`([^`\n]+)`")
JSON_FENCES = frozenset({"", "json", "jsonc", "json5", "javascript", "js", "text", "txt"})
MOST_ATTEMPTS = 200
"""Braces in prose that are tried; hostile text has more."""
SCHEMA_KEYS = frozenset({"properties", "$defs", "definitions"})
_decoder = json.JSONDecoder(strict=False)
_nothing = object()


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
    if by_tool and own:
        return _only([_loaded(arguments) for arguments in own], schema, "tool calls")[1]
    broken = [text for name, text in reply.invalid_calls if name in ("", schema.name)]
    if by_tool and broken:
        raise ReplyError(f"the arguments of its tool call are not valid JSON: {broken[0][:300]!r}")
    others = [*reply.calls, *reply.invalid_calls]
    if others:
        names = ", ".join(f"`{name}`" for name, _ in others)
        raise ReplyError(f"the model called {names} instead")
    return read_text(schema, reply.text)


def read_text(schema: Schema, text: str) -> Any:
    """Return the object in a reply's text.

    Raises:
        ReplyError: The text holds no object, or several.
    """
    return _read_text(schema, text)[1]


def object_text(schema: Schema, text: str) -> str:
    """Return the JSON of the object in a reply's text, as it is written there, without what stands around it.

    Raises:
        ReplyError: The text holds no object, or several.
    """
    value, _ = _read_text(schema, text)
    place = _next(text, 0)
    for _ in range(MOST_ATTEMPTS):
        if place < 0:
            break
        try:
            found, end = _decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            found, end = _nothing, place + 1
        if found is not _nothing and _same(found, value):
            return text[place:end]
        place = _next(text, end)
    return json.dumps(value, ensure_ascii=False)


def _read_text(schema: Schema, text: str) -> tuple[Any, Any]:
    """The value in a reply's text, and the object that it is."""
    whole = _whole(text.strip())  # a value may hold what looks like reasoning
    bare = REASONING.sub(" ", text).strip()
    if not bare:
        raise ReplyError("the reply is empty")
    whole = _whole(bare) if whole is _nothing else whole
    if whole is not _nothing:
        return _only([whole], schema, "reply")
    found = list(_candidates(bare, schema))
    if not found:
        found = [value for match in INLINE.finditer(bare) if (value := _loads(match[1])) is not _nothing]
        found = [value for value in found if _counts(value, schema)]
    if not found:
        raise ReplyError("its JSON is broken" if _is_broken(bare) else "the reply is text, not JSON")
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
    echo = {"title": schema.name, "type": "object", "description": schema.description}
    return None if any(value.get(key) == told for key, told in echo.items()) else value


def _only(found: Sequence[Any], schema: Schema, where: str) -> tuple[Any, Any]:
    """The one value among *found* that fits, and the object that it is; equal ones count once."""
    different: list[Any] = []
    for value in found:
        if not any(_same(value, other) for other in different):
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
        if value and schema.keys and not schema.keys & value.keys():
            raise MismatchError(f"it has none of the keys {', '.join(f'`{key}`' for key in sorted(schema.keys))}")
    return fit(schema, value)


def _candidates(text: str, schema: Schema) -> Iterator[Any]:
    """The values in prose and in fences for JSON that could be meant; other code is passed over."""
    prose: list[str] = []
    place = 0
    for match in FENCE.finditer(text):
        prose.append(text[place : match.start()])
        place = match.end()
        if match[2].lower() in JSON_FENCES:
            whole = _loads(match[3])
            yield from ([whole] if whole is not _nothing and _counts(whole, schema) else ())
            if whole is _nothing:
                prose.append(match[3])
    prose.append(text[place:])
    for part in prose:
        yield from (value for value in _values_in(INLINE.sub(_blank, part)) if _counts(value, schema))


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
    """Whether a value that is no object has the type that the schema wants."""
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


def _values_in(text: str) -> Iterator[Any]:
    """The objects and lists in prose. An incomplete or invalid value does not count, nor do the values in it."""
    place, closings = _next(text, 0), _closings(text)
    for _ in range(MOST_ATTEMPTS):
        if place < 0:
            return
        try:
            value, end = _decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            if _is_cut(text[place:]):
                return
            end = closings.get(place, place + 1)
        else:
            yield value
        place = _next(text, end)


def _is_cut(text: str) -> bool:
    """Whether a text is the beginning of a JSON value whose end is missing."""
    try:
        from_json(text, allow_partial="trailing-strings")
    except ValueError:
        return False
    return True


def _closings(text: str) -> dict[int, int]:
    """Where each bracket that is closed ends, in one pass."""
    found: dict[int, int] = {}
    opened: list[int] = []
    for match in BRACKET.finditer(text):
        if match[0] in "{[":
            opened.append(match.start())
        elif match[0] in "}]" and opened:
            found[opened.pop()] = match.end()
    return found


def _next(text: str, start: int) -> int:
    found = [place for place in (text.find("{", start), text.find("[", start)) if place >= 0]
    return min(found, default=-1)


def _whole(text: str) -> Any:
    """The value of a text that is one JSON value, or a fence with one and nothing else."""
    match = FENCE.fullmatch(text)
    return _loads(match[3] if match and match[2].lower() in JSON_FENCES else text)


def _loads(text: str) -> Any:
    try:
        return json.loads(text.strip(), strict=False)
    except (ValueError, RecursionError):
        return _nothing


def _loaded(arguments: Any) -> Any:
    if not isinstance(arguments, str):
        return arguments
    value = _loads(arguments)
    if value is _nothing:
        raise ReplyError(f"the arguments of its tool call are not valid JSON: {arguments[:300]!r}")
    return value


def _is_broken(text: str) -> bool:
    return bool(re.search(r'[{\[]\s*"', text))


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _same(value: Any, other: Any) -> bool:
    """Equal as JSON: 1 is not true, and the order of keys does not matter."""
    return json.dumps(value, sort_keys=True) == json.dumps(other, sort_keys=True)


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:200]
