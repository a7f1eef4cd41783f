"""From a response to its JSON or to a typed error.

One tolerant reader serves all providers. Which code or status means which error is in the tables below; what the body
says is found by `error_detail.py`. Whether a request is repeated is decided in `retry.py`.
"""

from __future__ import annotations

import json
import re
from typing import Any

from rivya_core import errors
from rivya_core.http.error_detail import ErrorDetail, parse_error_detail, parse_text, plain_words
from rivya_core.http.headers import kept_headers, rate_limit_reset, request_id, retry_after, without_secrets
from rivya_core.http.json_codec import loads, repaired
from rivya_core.http.library import httpx
from rivya_core.http.response_body import body_text

MONEY = (
    "insufficient_credits insufficient_quota insufficient_user_quota insufficient_quota_error quota_not_enough "
    "account_balance_insufficient insufficient_token_quota key_quota_exhausted token_daily_quota_exceeded "
    "key_daily_quota_exhausted quota_exceeded credit_balance_exhausted organization_spend_limit_exceeded "
    "project_spend_limit_exceeded organization_usage_limit_exceeded insufficient_balance billing_hard_limit_reached"
)
BY_CODE: dict[str, type[errors.APIError]] = {
    **dict.fromkeys(MONEY.split(), errors.InsufficientCreditsError),
    **dict.fromkeys(
        "context_length_exceeded context_too_long exceed_context_size_error model_context_window_exceeded "
        "context_window_exceeded input_too_long prompt_too_long tokens_limit_reached".split(),
        errors.ContextTooLongError,
    ),
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
NOT_KEPT = frozenset({"set-cookie", "content-encoding", "content-length", "transfer-encoding", "content-type"})
LONGEST_MESSAGE = 4000
TOO_LONG_WORDS = (
    r"context (window|length|size|limit)",
    r"(prompt|input|request|conversation|messages?) (is|are|was) too (long|large)",
    r"input.{0,20}too long",
    r"exceeded model token limit",  # Moonshot
    r"range of input length",  # DashScope
    r"exceeds the available context",  # llama.cpp
    r"(input|prompt) (token count|length).{0,40}(exceed|longer)",  # Gemini, Ollama, xAI
    r"maximum (prompt|input|model|sequence) length",  # xAI, vLLM
    r"reduce the length of the (messages|prompt|input)",  # Groq, vLLM
    r"too many (input |prompt )?tokens\b(?!.{0,40}(per|/) ?(minute|min|day|hour|second))",
    r"(`?inputs`? tokens|prompt tokens?).{0,60}(must be|exceed|larger than|more than)",  # TGI
    r"prompt exceeds max",  # Zhipu
    r"exceed max message tokens",  # Volcengine
    r"(prompt|\u8f93\u5165|\u4e0a\u4e0b\u6587).{0,10}(\u8d85[\u957f\u8fc7\u51fa]|\u8fc7\u957f)",  # "too long"
    r"(\u8d85\u8fc7|\u8d85\u51fa).{0,10}(\u8f93\u5165|\u4e0a\u4e0b\u6587)",  # "exceeds the input" or "context"
)
TOO_LONG = re.compile("|".join(TOO_LONG_WORDS), re.IGNORECASE | re.DOTALL)
"""How servers say that the input is too long for the model. A new wording is one line above."""
NO_MONEY = re.compile(
    r"insufficient (account )?(credit|balance|fund|quota)|balance is (too low|insufficient)|"
    r"(not enough|out of) (credit|balance|quota|fund)|(\u4f59\u989d|\u989d\u5ea6)\u4e0d\u8db3",  # Chinese
    re.IGNORECASE,
)
"""How servers without a code of their own say that money is missing, which no waiting helps."""
UNKNOWN_MODEL = re.compile(r"model_not_found|model_not_supported|invalid_model|unknown_model")
ABOUT_MODEL = re.compile(
    r"\bmodel\b.{0,200}(does not exist|not exist|not found|not supported|unknown|invalid)", re.DOTALL
)
WITHOUT_MODEL = re.compile(r"\b(no|unknown|invalid|unsupported)\b.{0,80}\bmodel\b", re.DOTALL)
"""The same in a 404, where the model comes last: "No matching target server found for model x"."""
TASK_PATH = re.compile(r"/generations/[^/]+$")
VERSION = re.compile(r"/v\d")
NOT_FOUND = (404, 405, 410)
"""The statuses of a wrong URL."""


def parse_json(response: httpx.Response) -> Any:
    """Return the response's JSON value; raise the error that it means if it is anything else.

    Raises:
        APIError: The response is an error, or a success that holds an error object.
        InvalidResponseError: The body of a success is not JSON.
    """
    value = _value_or_error(response)
    if isinstance(value, errors.APIError):
        raise value  # here, where no local holds what the server may have repeated
    return value


def _value_or_error(response: httpx.Response) -> Any:
    if not response.is_success:
        return error_from_response(response)
    try:
        value = loads(response.content)
    except ValueError:
        return invalid_response(response, "is not JSON")
    return error_from_response(response, value) if has_error(value) else value


def has_error(value: Any) -> bool:
    """Whether a JSON value is an error object, whatever the HTTP status said."""
    return isinstance(value, dict) and bool(value.get("error"))


def invalid_response(response: httpx.Response, what: str) -> errors.InvalidResponseError:
    """Return the error for a success status whose body *what* describes, for example "is not JSON"."""
    text = without_secrets(body_text(response), response)
    return errors.InvalidResponseError(
        f"The response to {_sent_to(response)} {what}: {plain_words(text) or '(empty body)'!r}. "
        "Check that `base_url` is the API's and not a web page's or a proxy's.",
        **_facts(response, text),
    )


def error_from_response(response: httpx.Response, value: Any = None) -> errors.APIError:
    """Return the error that *response* means; *value* is its JSON, or one frame of its stream."""
    text, parsed = _without_secrets(response, value)
    detail = parse_error_detail(parsed, text)
    status = (detail.status if response.is_success else None) or response.status_code
    kind = _kind(status, detail)
    facts = _facts(response, text)
    facts |= {"status": status, "request_id": facts["request_id"] or detail.request_id}
    code = detail.code or detail.type
    words = without_secrets(detail.message, response)[:LONGEST_MESSAGE] or response.reason_phrase or "no message"
    if response.has_redirect_location:
        words += f"; it redirects to {facts['response'].headers['location']!r}, check `base_url`"
    label = " ".join(dict.fromkeys(str(part) for part in (status, code) if part))
    label += f", {_sent_to(response)}" if status in NOT_FOUND else ""
    label += f", request {facts['request_id']}" if facts["request_id"] else ""
    advice = _advice(kind, detail, response)
    return kind(f"{words} [{label}]{advice and ' ' + advice}", code=code, param=detail.param, **facts)


def error_class(status: int) -> type[errors.APIError]:
    """Return what *status* means without a body."""
    return _kind(status, ErrorDetail())


def _without_secrets(response: httpx.Response, value: Any) -> tuple[str, Any]:
    """The body as text and as JSON, both without the secrets of the request, however they are escaped."""
    body = body_text(response) if value is None else json.dumps(repaired(value), ensure_ascii=False, default=str)
    text = without_secrets(body, response)
    parsed = parse_text(text)
    if "\\u" in text and not isinstance(parsed, str):
        spelled = json.dumps(parsed, ensure_ascii=False)
        hidden = without_secrets(spelled, response)
        if hidden != spelled:
            return hidden, parse_text(hidden)
    return text, parsed


def _kind(status: int, detail: ErrorDetail) -> type[errors.APIError]:
    words = [word.lower() for word in (detail.code, detail.type) if word]
    table = BY_CODE if status >= 400 else {**BY_CODE_ALONE, **BY_CODE}  # noqa: PLR2004 - HTTP's own boundary
    kind = next((table[word] for word in words if word in table), BY_STATUS.get(status))
    if kind in (None, errors.BadRequestError, errors.ServerError) and TOO_LONG.search(detail.message):
        return errors.ContextTooLongError
    if kind in (errors.RateLimitError, errors.PermissionDeniedError) and NO_MONEY.search(detail.message):
        return errors.InsufficientCreditsError
    return kind or (errors.BadRequestError if 300 <= status < 500 else errors.ServerError)  # noqa: PLR2004


def _advice(kind: type[errors.APIError], detail: ErrorDetail, response: httpx.Response) -> str:
    """What to do next, if the class of the error does not say it."""
    words = f"{detail.code} {detail.type} {detail.param} {detail.message}".lower()
    names_model = UNKNOWN_MODEL.search(words) or (ABOUT_MODEL.search(words) and "session" not in words)
    if issubclass(kind, errors.NotFoundError) and "session" not in words:
        names_model = names_model or WITHOUT_MODEL.search(words)
    if names_model and issubclass(kind, (errors.NotFoundError, errors.BadRequestError)):
        return "Check the model id; `.models()` lists the models of this account."
    if not issubclass(kind, errors.NotFoundError):
        return ""
    if "session" in words:
        return "Check `session_id`: a session belongs to one account and one model."
    path = response.request.url.path
    if TASK_PATH.search(path):
        return "Check the task id: a task belongs to the account that created it."
    lacks_version = not VERSION.search(path)
    return "Check `base_url`" + ("; it has no `/v1`, which most APIs need." if lacks_version else ".")


def _facts(response: httpx.Response, text: str) -> dict[str, Any]:
    headers = [*kept_headers(response, NOT_KEPT), (b"content-type", _content_type(response))]
    copy = httpx.Response(
        response.status_code,
        headers=headers,
        content=text.encode("utf-8", "replace"),
        request=httpx.Request(response.request.method, _url(response)),
    )
    wait = retry_after(response.headers)
    if wait is None and response.status_code == 429:  # noqa: PLR2004 - other responses show the same headers
        wait = rate_limit_reset(response.headers)
    return {
        "status": response.status_code,
        "request_id": request_id(response),
        "body": text,
        "retry_after": wait,
        "response": copy,
    }


def _content_type(response: httpx.Response) -> bytes:
    """The media type of the response; the copy of its body is UTF-8."""
    named = without_secrets(response.headers.get("content-type", "text/plain"), response)
    kind = named.partition(";")[0].strip()
    return f"{kind if kind.isascii() and kind.isprintable() else 'text/plain'}; charset=utf-8".encode()


def _sent_to(response: httpx.Response) -> str:
    return f"{response.request.method} {_url(response)}"


def _url(response: httpx.Response) -> httpx.URL:
    return response.request.url.copy_with(query=None, userinfo=b"")
