"""Finding JSON values in a model's text. Pure; it knows no schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

REASONING = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
UNOPENED = re.compile(r"\A.*?</(?:think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
"""Reasoning whose opening tag ends the prompt, as the templates of some servers write it."""
FENCE = re.compile(
    r"^[ \t]*(```+(?!`)|~~~+(?!~))[ \t]*(?![ \t])([\w+#.-]*)(?![\w+#.-])[^\n]*\n"
    r"(.*?)(?:^[ \t]*\1[`~]*[ \t\r]*$|\Z)",
    re.DOTALL | re.MULTILINE,
)
"""Here and below, a lookahead after a repetition leaves one way to match it, so that no text takes quadratic time."""
SHORT_FENCE = re.compile(r"(?<!`)```+(?!`)[ \t]*(?:json[ \t]*)?(?=[{\[])([^\n]+?)```+", re.IGNORECASE)
"""A fence on one line."""
BRACKET = re.compile(r'[{}\[\]"]')
IN_STRING = re.compile(r'[^"\\\n]*(?:\\.[^"\\\n]*)*')
"""The rest of a string, to its closing quote or to where its line ends without one."""
INLINE = re.compile(r"`([^`\n]+)`")
JSON_FENCES = frozenset({"", "json", "jsonc", "json5", "javascript", "js", "text", "txt"})
MOST_ATTEMPTS = 200
"""Braces in prose that are tried; hostile text has more."""
NOTHING: Any = object()
"""What is returned where there is no value; None is one."""


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object without a key that stands twice; which of its values is meant is not known."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


decoder = json.JSONDecoder(strict=False, object_pairs_hook=once)


@dataclass(frozen=True, slots=True)
class Fragment:
    """Text from a bracket on that is not a JSON value.

    Attributes:
        text: The text, to the closing bracket if there is one.
        is_cut: Whether it is the beginning of a value, and the text ends before the value does.
    """

    text: str
    is_cut: bool


def without_reasoning(text: str) -> str:
    """Return *text* without the reasoning in tags."""
    return UNOPENED.sub(" ", REASONING.sub(" ", text)).strip()


def whole_value(text: str) -> Any:
    """Return the value of a text that is one JSON value, or a fence with one and nothing else; else `NOTHING`."""
    match = FENCE.fullmatch(text) or SHORT_FENCE.fullmatch(text)
    if match is None:
        return value_of(text)
    return value_of(match[match.lastindex or 0] if match.re is SHORT_FENCE or match[2].lower() in JSON_FENCES else text)


def value_of(text: str) -> Any:
    """Return the JSON value that *text* is; else `NOTHING`."""
    try:
        return decoder.decode(text.strip().removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return NOTHING


def values_in(text: str) -> Iterator[Any]:
    """Yield the values and fragments in prose and in fences for JSON; other code, also inline code, is passed over."""
    prose: list[str] = []
    place = 0
    for match in FENCE.finditer(text):
        prose.append(text[place : match.start()])
        place = match.end()
        if match[2].lower() in JSON_FENCES:
            value = value_of(match[3])
            if value is NOTHING:
                prose.append(match[3])
            else:
                yield value
    prose.append(text[place:])
    for part in prose:
        yield from _values_in_prose(INLINE.sub(_blank, SHORT_FENCE.sub(r" \1 ", part)))


def inline_values(text: str) -> list[Any]:
    """Return the values in inline code."""
    return [value for match in INLINE.finditer(text) if (value := value_of(match[1])) is not NOTHING]


def text_of(value: Any, text: str) -> str:
    """Return *value* as it is written in *text*, without what stands around it."""
    place = _next(text, 0)
    for _ in range(MOST_ATTEMPTS):
        if place < 0:
            break
        try:
            found, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            found, end = NOTHING, place + 1
        if found is not NOTHING and same(found, value):
            return text[place:end]
        place = _next(text, end)
    return json.dumps(value, ensure_ascii=False)


def same(value: Any, other: Any) -> bool:
    """Whether two values are equal as JSON: 1 is not true, and the order of keys does not matter."""
    return json.dumps(value, sort_keys=True) == json.dumps(other, sort_keys=True)


def _values_in_prose(text: str) -> Iterator[Any]:
    """The objects and lists in prose, and the fragments. What is within a fragment does not count."""
    place, closings = _next(text, 0), _closings(text)
    for _ in range(MOST_ATTEMPTS):
        if place < 0:
            return
        try:
            value, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            if _is_cut(text[place:]):
                yield Fragment(text[place:], is_cut=True)
                return
            end = closings.get(place, place + 1)
            value = Fragment(text[place:end], is_cut=False)
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
    """Where each bracket that is closed ends, in one pass; those within strings do not count."""
    found: dict[int, int] = {}
    opened: list[int] = []
    place = unclosed = 0
    while (match := BRACKET.search(text, place)) is not None:
        place = match.end()
        if match[0] in "{[":
            opened.append(match.start())
        elif match[0] != '"':
            if opened:
                found[opened.pop()] = place
        elif place > unclosed:  # a quote in a string that nothing closes begins no string either
            end = _end_of_string(text, place)
            place, unclosed = (end + 1, 0) if text.startswith('"', end) else (place, end)
    return found


def _end_of_string(text: str, start: int) -> int:
    match = IN_STRING.match(text, start)
    return match.end() if match else start


def _next(text: str, start: int) -> int:
    found = [place for place in (text.find("{", start), text.find("[", start)) if place >= 0]
    return min(found, default=-1)


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])
