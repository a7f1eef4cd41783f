"""From an HTTP answer to its JSON or to the error that it means.

One tolerant reader serves all providers, because gateways wrap each other: OpenAI's and Rivya's `error` object,
GMI's `details` as object or as text with JSON inside, FastAPI's `detail`, `error` as a string, integer codes, plain
text and HTML. The provider's own innermost words are kept. Which code means what is one table below.
This file must not decide about retries; the error classes carry that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import httpx
from pydantic_core import from_json

from rivya_core import errors
from rivya_core.http.headers import request_id, retry_after, without_secrets

T = TypeVar("T")

LONGEST_QUOTE = 1000
"""Characters of a body that is not JSON that go into a message."""

MONEY = (
    "insufficient_credits insufficient_quota insufficient_user_quota insufficient_quota_error quota_not_enough "
    "account_balance_insufficient insufficient_token_quota key_quota_exhausted token_daily_quota_exceeded "
    "key_daily_quota_exhausted quota_exceeded credit_balance_exhausted organization_spend_limit_exceeded "
    "project_spend_limit_exceeded organization_usage_limit_exceeded insufficient_balance billing_hard_limit_reached"
)
BY_CODE: dict[str, type[errors.APIError]] = {
    **dict.fromkeys(MONEY.split(), errors.InsufficientCreditsError),
    **dict.fromkeys(("context_length_exceeded", "context_too_long"), errors.ContextTooLongError),
    "chat_session_conflict": errors.SessionConflictError,
    **dict.fromkeys(("idempotency_conflict", "paid_outcome_unknown"), errors.IdempotencyConflictError),
    **dict.fromkeys(
        ("public_api_disabled", "server_is_overloaded", "overloaded_error"), errors.ServiceUnavailableError
    ),
    **dict.fromkeys(("no_available_channel", "channel_selection_failed"), errors.ServiceUnavailableError),
    **dict.fromkeys(("slow_down", "rate_limited", "rate_limit_exceeded", "rate_limit_error"), errors.RateLimitError),
    "server_error": errors.ServerError,
    **dict.fromkeys(
        "invalid_api_key api_key_missing api_key_invalid api_key_revoked api_key_expired key_disabled key_expired "
        "user_disabled".split(),
        errors.AuthenticationError,
    ),
    **dict.fromkeys(("api_scope_denied", "key_model_not_allowed", "model_access_denied"), errors.PermissionDeniedError),
}
"""What a provider's `code` or `type` means, where it says more than the status."""

BY_CODE_ALONE: dict[str, type[errors.APIError]] = {
    **dict.fromkeys(
        "validation_failed invalid_request invalid_request_error invalid_prompt invalid_parameters bad_request "
        "unsupported_parameter unsupported_value chat_model_not_supported chat_attachment_not_supported "
        "content_policy_violation content_filter sensitive_content moderation_blocked "
        "input_moderation_failed".split(),
        errors.BadRequestError,
    ),
    **dict.fromkeys(("authentication_error", "unauthorized"), errors.AuthenticationError),
    **dict.fromkeys(("permission_error", "permission_denied", "forbidden"), errors.PermissionDeniedError),
    **dict.fromkeys(("not_found", "not_found_error", "model_not_found"), errors.NotFoundError),
    **dict.fromkeys(("service_unavailable", "service_unavailable_error"), errors.ServiceUnavailableError),
}
"""The same where there is no status to go by: in a stream, or in a success. What is not here is the provider's."""

BY_STATUS: dict[int, type[errors.APIError]] = {
    401: errors.AuthenticationError,
    402: errors.InsufficientCreditsError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    408: errors.ServerError,
    409: errors.ConflictError,
    410: errors.NotFoundError,
    425: errors.ServiceUnavailableError,
    429: errors.RateLimitError,
    503: errors.ServiceUnavailableError,
    529: errors.ServiceUnavailableError,
}
NOT_KEPT = frozenset({"set-cookie", "content-encoding", "content-length", "transfer-encoding"})
LONGEST_MESSAGE = 4000
LONGEST_CODE = 200
CODE = re.compile(r"[A-Za-z]\w*([.\-]\w+)*")
STATUS_KEYS = ("code", "status", "status_code", "statusCode")
FAILURE = re.compile(r"[45]\d\d")
TOO_LONG = re.compile(
    r"maximum context length|context (window|length)|prompt is too long|input.{0,20}too long", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """What a body says went wrong, unwrapped."""

    message: str = ""
    code: str | None = None
    type: str | None = None
    param: str | None = None
    request_id: str | None = None
    status: int | None = None


def parse_json(response: httpx.Response) -> Any:
    """Return the answer's JSON value; raise the error that it means if it is anything else.

    Raises:
        APIError: `response` is an error, or a success that holds an error object.
        InvalidResponseError: The body of a success is not JSON.
    """
    value = _value_or_error(response)
    if isinstance(value, errors.APIError):
        raise value  # from here, where no local holds what the server may have repeated
    return value


def _value_or_error(response: httpx.Response) -> Any:
    if not response.is_success:
        return error_from_response(response)
    try:
        value = json_value(response.content)
    except ValueError:
        return invalid_response(response, "is not JSON")
    return error_from_response(response, value) if has_error(value) else value


def json_value(data: bytes) -> Any:
    """Return the JSON value in *data*; halves of characters, which JavaScript servers write as escapes, stay halves.

    Raises:
        ValueError: *data* is not JSON.
    """
    try:
        return from_json(data)
    except ValueError:
        if rb"\u" not in data:
            raise
    try:
        return json.loads(data)
    except RecursionError as exc:
        raise ValueError("JSON that is nested too deeply") from exc


def has_error(value: Any) -> bool:
    """Whether a JSON value is an error object, whatever the HTTP status said."""
    return isinstance(value, Mapping) and bool(value.get("error"))


def invalid_response(response: httpx.Response, what: str) -> errors.InvalidResponseError:
    """Return the error for a success status whose body *what* describes, for example "is not JSON"."""
    text = without_secrets(_text(response), response)
    return errors.InvalidResponseError(
        f"The answer of {response.request.method} {_url(response)} {what}: {_plain(text) or '(empty body)'!r}.",
        **_facts(response, text),
    )


def error_from_response(response: httpx.Response, value: Any = None) -> errors.APIError:
    """Return the error that *response* means; *value* is its JSON, or one frame of its stream."""
    body = _text(response) if value is None else json.dumps(value, ensure_ascii=False, default=str)
    text = without_secrets(body.encode("utf-8", "replace").decode(), response)
    detail = parse_error_detail(_parsed(text), text)
    status = _status(response, detail)
    kind = _kind(status, detail)
    facts = _facts(response, text)
    facts["request_id"] = facts["request_id"] or detail.request_id
    label = " ".join(str(part) for part in (status, detail.code or detail.type) if part)
    words = detail.message[:LONGEST_MESSAGE] or response.reason_phrase or "no message"
    if response.has_redirect_location:
        words += f"; it redirects to {facts['response'].headers['location']!r}, check `base_url`"
    suffix = f", request {facts['request_id']}" if facts["request_id"] else ""
    facts["status"] = status
    return kind(f"{words} [{label}{suffix}]", code=detail.code or detail.type, param=detail.param, **facts)


def parse_error_detail(value: Any, text: str = "") -> ErrorDetail:
    """Return what an error body says, from the innermost object that has a message."""
    found = [_detail(layer) for layer in _layers(value)]
    spoken = [detail for detail in found if detail.message] or [ErrorDetail(message=_plain(text))]
    inner = spoken[-1]
    if (
        len(spoken) > 1 and inner == ErrorDetail(inner.message) and CODE.fullmatch(inner.message)
    ):  # `{"error": "rate_limited", "message": "Slow down"}`
        inner = replace(spoken[-2], code=spoken[-2].code or inner.message)
    return ErrorDetail(
        message=inner.message,
        code=inner.code or _last(detail.code for detail in found),
        type=inner.type or _last(detail.type for detail in found),
        param=inner.param or _last(detail.param for detail in found),
        request_id=_last(detail.request_id for detail in found),
        status=_last(detail.status for detail in found),
    )


def _layers(value: Any, depth: int = 0) -> list[Any]:
    """From the outermost error object to the innermost, through `error`, `details` and `detail`."""
    if isinstance(value, str):
        value = _parsed(value)
    if depth > 6 or not isinstance(value, Mapping):  # noqa: PLR2004 - deeper than any gateway wraps
        return [value] if isinstance(value, (str, list)) and value else []
    below: list[Any] = []
    for key in ("error", "errors", "detail", "details", "response"):
        below += _layers(value.get(key), depth + 1) if key in value and not _is_page(value[key]) else []
    return [value, *below]


def _detail(layer: Any) -> ErrorDetail:
    if isinstance(layer, str):
        return ErrorDetail(layer)
    if isinstance(layer, list):
        return ErrorDetail("; ".join(_issue(item) for item in layer))
    message = layer.get("message") or layer.get("msg") or layer.get("error_message")
    return ErrorDetail(
        message=message if isinstance(message, str) else "",
        code=_word(layer.get("code")),
        type=_word(layer.get("type")),
        param=_word(layer.get("param")),
        request_id=_word(layer.get("requestId") or layer.get("request_id")),
        status=next((int(s) for key in STATUS_KEYS if FAILURE.fullmatch(s := str(layer.get(key)))), None),
    )


def _issue(item: Any) -> str:
    """One of FastAPI's validation issues, `{loc, msg, type}`, or whatever else stands in the list."""
    if not isinstance(item, Mapping):
        return str(item)
    place = ".".join(str(part) for part in item.get("loc") or ())
    return f"{place}: {item.get('msg', item)}" if place else str(item.get("msg") or item.get("message") or item)


def _kind(status: int, detail: ErrorDetail) -> type[errors.APIError]:
    words = [word.lower() for word in (detail.code, detail.type) if word]
    table = BY_CODE if status >= 400 else {**BY_CODE_ALONE, **BY_CODE}  # noqa: PLR2004 - HTTP's own boundary
    told = next((table[word] for word in words if word in table), BY_STATUS.get(status))
    if told is None and TOO_LONG.search(detail.message):
        return errors.ContextTooLongError
    return told or (errors.BadRequestError if 300 <= status < 500 else errors.ServerError)  # noqa: PLR2004


def _status(response: httpx.Response, detail: ErrorDetail) -> int:
    """The HTTP status, or the one that the body names inside a success."""
    return (detail.status if response.is_success else None) or response.status_code


def _facts(response: httpx.Response, text: str) -> dict[str, Any]:
    kept = [(k, without_secrets(v, response)) for k, v in response.headers.multi_items() if k not in NOT_KEPT]
    copy = httpx.Response(
        response.status_code,
        headers=kept,
        content=text.encode("utf-8", "replace"),
        request=httpx.Request(response.request.method, _url(response)),
    )
    return {
        "status": response.status_code,
        "request_id": request_id(copy.headers),
        "body": text,
        "retry_after": retry_after(response.headers),
        "response": copy,
    }


def _text(response: httpx.Response) -> str:
    try:
        return response.text
    except httpx.ResponseNotRead:
        return ""


def _url(response: httpx.Response) -> httpx.URL:
    return response.request.url.copy_with(query=None, userinfo=b"")


def _parsed(text: str) -> Any:
    """JSON objects and lists out of text; other text stays text."""
    try:
        value = from_json(text)
    except ValueError:
        return None if _is_page(text) else text.strip()[:LONGEST_QUOTE]
    return value if isinstance(value, (Mapping, list)) else text


def _is_page(value: Any) -> bool:
    return isinstance(value, str) and value.lstrip()[:200].lower().startswith(("<!doctype", "<html", "<?xml"))


def _plain(text: str) -> str:
    """The words of a page or text, without tags, short enough to quote."""
    if _is_page(text):
        text = re.sub(r"<(script|style).*?</\1>|<[^>]{0,500}>", " ", text[:20_000], flags=re.DOTALL | re.IGNORECASE)
    return " ".join(text.split())[:LONGEST_QUOTE]


def _word(value: Any) -> str | None:
    word = isinstance(value, (str, int)) and not isinstance(value, bool) and value != ""
    return str(value)[:LONGEST_CODE] if word else None


def _last(words: Iterable[T | None]) -> T | None:
    return next((word for word in reversed([*words]) if word), None)
