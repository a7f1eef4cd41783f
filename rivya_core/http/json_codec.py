"""The one reader of JSON that servers and models write: fast, tolerant where the meaning is clear, and guarded.

Whatever the input is, the outcome is a JSON value or `ValueError`: no recursion error, no memory error, no error
about encodings. Text that comes out of `loads` can be written again: half a surrogate pair becomes U+FFFD.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from pydantic_core import from_json

ESCAPED_HALF = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\.", re.DOTALL
)
"""A whole pair of escapes, half a pair, or any other escape, so that no backslash is read twice."""
HALF_ESCAPE_LENGTH = 6


def loads(data: bytes | str) -> Any:
    """Return the JSON value in *data*.

    Byte order marks, UTF-16 and UTF-32 are understood. `NaN` and `Infinity`, which Python servers write, become None.

    Raises:
        ValueError: *data* is not JSON, nested more than some 200 levels deep, or has a number with thousands of digits.
    """
    try:
        return from_json(data, allow_inf_nan=False)
    except (ValueError, TypeError, MemoryError):  # a `str` with half a surrogate pair is a TypeError
        return _loads_unusual(data, keep_halves=False)


def loads_frame(data: bytes) -> Any:
    """Return the JSON value in one frame of a stream; see `loads`.

    Half a surrogate pair stays as it is: the other half may be in the next frame. `SurrogateBuffer` joins them.
    """
    try:
        return from_json(data, allow_inf_nan=False)
    except (ValueError, MemoryError):
        return _loads_unusual(data, keep_halves=True)


def _loads_unusual(data: bytes | str, *, keep_halves: bool) -> Any:
    try:
        text = (data if isinstance(data, str) else _decoded(data)).removeprefix("\ufeff")
        whole = ESCAPED_HALF.sub(_replace_half, paired(text))
        from_json(whole)  # checks the depth and the length of numbers, which the standard library does not
        return json.loads(text if keep_halves else whole, parse_constant=_no_value)
    except (MemoryError, RecursionError):
        raise ValueError("JSON that is too large or nested too deeply") from None


def _decoded(data: bytes) -> str:
    return data.decode(json.detect_encoding(data), "replace")


def _replace_half(found: re.Match[str]) -> str:
    return r"\ufffd" if len(found[0]) == HALF_ESCAPE_LENGTH else found[0]


def _no_value(_: str) -> None:
    return None


def is_object(text: str) -> bool:
    """Whether *text* is one whole JSON object."""
    try:
        return isinstance(loads(text), dict)
    except ValueError:
        return False


def finite_number(value: Any) -> int | float | None:
    """Return *value* if it is a finite number, otherwise None; text and booleans are not numbers."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return value if abs(value) <= sys.float_info.max else None


def arguments_text(value: Any) -> str:
    """Return a tool call's arguments as JSON text, whatever the server sent: text, object, text twice encoded, null.

    What is not an object stays as it is; `is_object` tells.
    """
    if value is None:
        return "{}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if not text.strip() or text.strip() == "null":
        return "{}"
    return _inner(text) if text.lstrip().startswith('"') else text


def _inner(text: str) -> str:
    """The text in a JSON string, if what it holds is an object or nothing."""
    try:
        value = loads(text)
    except ValueError:
        return text
    if not isinstance(value, str):
        return text
    inner = arguments_text(value)
    return inner if is_object(inner) else text


def repaired(value: Any) -> Any:
    """Return a JSON value without half surrogate pairs: the halves become U+FFFD."""
    if isinstance(value, str):
        return paired(value)
    if isinstance(value, list):
        return [repaired(item) for item in value]
    if isinstance(value, dict):
        return {paired(key): repaired(item) for key, item in value.items()}
    return value


def paired(text: str) -> str:
    """Return *text* with the halves of surrogate pairs joined; what has no other half becomes U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class SurrogateBuffer:
    """Text in pieces whose ends may cut a surrogate pair; what never gets its other half becomes U+FFFD."""

    def __init__(self) -> None:
        self.rest = ""

    def add(self, text: str) -> str:
        """Return the whole characters that *text* completes."""
        if not self.rest and text.isascii():
            return text
        joined = self.rest + text
        self.rest = joined[-1] if "\ud800" <= joined[-1:] <= "\udbff" else ""
        return paired(joined[: len(joined) - len(self.rest)])

    def finish(self) -> str:
        """Return what is left."""
        left, self.rest = paired(self.rest), ""
        return left
