"""What an error body says: code, message, parameter and id, out of whatever a gateway has wrapped them in.

Gateways wrap each other: OpenAI's and Rivya's `error` object, GMI's `details` as an object or as text with JSON in
it, FastAPI's `detail`, `error` as a string, integer codes, plain text and HTML. The innermost words are the
provider's own and are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from rivya_core.http.json_codec import loads

T = TypeVar("T")

LONGEST_QUOTE = 1000
"""Characters of a body that is not JSON that go into a message."""
LONGEST_CODE = 200
LONGEST_PAGE = 20_000
"""Characters of an HTML page that are searched for words."""
WRAPPERS = ("error", "errors", "detail", "details", "response", "base_resp")
MESSAGES = ("message", "msg", "error_message", "error_msg", "status_msg", "errorMessage")
"""Keys that hold what went wrong."""
ERROR_CODES = ("code", "error_code", "errorCode", "status_code")
"""Keys that hold the provider's code."""
DEEPEST = 6
CODE = re.compile(r"[A-Za-z]\w*([.\-]\w+)*")
STATUS_KEYS = ("code", "status", "status_code", "statusCode")
FAILURE = re.compile(r"[45]\d\d")
MARKUP = re.compile(r"<(script|style)\b.*?(</\1>|\Z)|<[^>]{0,500}>", re.DOTALL | re.IGNORECASE)
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """What a body says went wrong, unwrapped."""

    message: str = ""
    code: str | None = None
    type: str | None = None
    param: str | None = None
    request_id: str | None = None
    status: int | None = None


def parse_error_detail(value: Any, text: str = "") -> ErrorDetail:
    """Return what an error body says, from the innermost object that has a message.

    Args:
        value: The body as `parse_text` returns it.
        text: The body as text, quoted if no object has a message.
    """
    found = [_detail(layer) for layer in _layers(value)]
    spoken = [detail for detail in found if detail.message] or [ErrorDetail(message=plain_words(text))]
    inner = spoken[-1]
    if (
        len(spoken) > 1 and inner == ErrorDetail(inner.message) and CODE.fullmatch(inner.message)
    ):  # `{"error": "rate_limited", "message": "Slow down"}`
        inner = replace(spoken[-2], code=spoken[-2].code or inner.message)
    return ErrorDetail(
        message=CONTROL.sub(" ", inner.message),
        code=inner.code or _last(detail.code for detail in found),
        type=inner.type or _last(detail.type for detail in found),
        param=inner.param or _last(detail.param for detail in found),
        request_id=_last(detail.request_id for detail in found),
        status=_last(detail.status for detail in found),
    )


def parse_text(text: str) -> Any:
    """Return the JSON object or list in *text*, else the text itself; None for a page."""
    try:
        value = loads(text)
    except ValueError:
        return None if _is_page(text) else text.strip()[:LONGEST_QUOTE]
    return value if isinstance(value, (Mapping, list)) else text


def plain_words(text: str) -> str:
    """Return the words of a page or text, without tags, short enough to quote."""
    if _is_page(text):
        text = MARKUP.sub(" ", text[:LONGEST_PAGE])
    return CONTROL.sub(" ", " ".join(text[:LONGEST_PAGE].split())[:LONGEST_QUOTE])


def _layers(value: Any, depth: int = 0) -> list[Any]:
    """From the outermost error object to the innermost."""
    if isinstance(value, str):
        value = parse_text(value)
    if isinstance(value, list) and value and isinstance(value[0], Mapping) and value[0].keys() & {*WRAPPERS}:
        value = value[0]  # a list of error bodies
    if depth > DEEPEST or not isinstance(value, Mapping):
        return [value] if isinstance(value, (str, list)) and value else []
    below = [value[key] for key in WRAPPERS if key in value] + [*_unusual(value)]
    return [value, *(layer for inner in below if not _is_page(inner) for layer in _layers(inner, depth + 1))]


def _unusual(value: Mapping[str, Any]) -> Iterator[Any]:
    """A message that is an error body itself, a vendor's object, and what OpenRouter passes on of a provider."""
    message, metadata = value.get("message"), value.get("metadata")
    if isinstance(message, (Mapping, list)) or (isinstance(message, str) and message.lstrip().startswith(("{", "["))):
        yield message
    if isinstance(metadata, Mapping):
        yield metadata.get("raw")
    yield from (own.get("error") for key, own in value.items() if key.startswith("x_") and isinstance(own, Mapping))


def _detail(layer: Any) -> ErrorDetail:
    if isinstance(layer, str):
        return ErrorDetail(layer)
    if isinstance(layer, list):
        return ErrorDetail("; ".join(words for item in layer[:100] if (words := _issue(item))))
    words = next((words for key in MESSAGES if isinstance(words := layer.get(key), str) and words), "")
    param = layer.get("param")
    if isinstance(param, str) and " " in param.strip():  # a sentence, which some servers put there
        words = f"{words} {param}".strip()
    return ErrorDetail(
        message=words,
        code=next((word for key in ERROR_CODES if (word := _word(layer.get(key)))), None),
        type=_word(layer.get("type")),
        param=_word(layer.get("param")),
        request_id=_word(layer.get("requestId") or layer.get("request_id")),
        status=next((int(s) for key in STATUS_KEYS if FAILURE.fullmatch(s := str(layer.get(key)))), None),
    )


def _issue(item: Any) -> str:
    """One of FastAPI's validation issues, `{loc, msg, type}`, or whatever else is in the list and has words."""
    if not isinstance(item, Mapping):
        return str(item)
    location, words = item.get("loc"), next((str(item[key]) for key in MESSAGES if item.get(key)), "")
    place = ".".join(str(part) for part in location) if isinstance(location, list) else ""
    return ": ".join(part for part in (place, words) if part)


def _is_page(value: Any) -> bool:
    return isinstance(value, str) and value[:500].lstrip()[:200].lower().startswith(("<!doctype", "<html", "<?xml"))


def _word(value: Any) -> str | None:
    word = isinstance(value, (str, int)) and not isinstance(value, bool) and value != ""
    return CONTROL.sub(" ", str(value)[:LONGEST_CODE]) if word else None


def _last(words: Iterable[T | None]) -> T | None:
    return next((word for word in reversed([*words]) if word), None)
