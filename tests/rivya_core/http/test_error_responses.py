"""Whatever an error looks like on the wire, it is the right class, with the provider's words and no secret."""

from __future__ import annotations

import copy
import pickle
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from reading import answer

from rivya_core import errors
from rivya_core.http.error_responses import error_from_response, parse_json
from rivya_core.http.headers import retry_after

GMI_INNER = {"message": "Unsupported parameter: 'max_tokens'", "type": "invalid_request_error", "param": "max_tokens"}
GMI_INNER["code"] = "unsupported_parameter"
PAGE = "<!DOCTYPE html><html><head><title>x</title><style>b{}</style></head><body><h1>Bad gateway</h1></body></html>"


def gmi(details: Any) -> dict[str, Any]:
    outer = {"message": "Backend request failed with status 400", "type": "backend_error", "code": 400}
    return {"error": {**outer, "details": details}}


FORMS: dict[str, tuple[int, Any, type[errors.APIError], str | None, str]] = {
    "Rivya": (
        401,
        {"error": {"code": "api_key_missing", "message": "A valid key is required.", "requestId": "req_1"}},
        errors.AuthenticationError,
        "api_key_missing",
        "A valid key is required.",
    ),
    "Rivya, disabled": (
        503,
        {"error": {"code": "public_api_disabled", "message": "Off"}},
        errors.ServiceUnavailableError,
        "public_api_disabled",
        "Off",
    ),
    "Rivya, scope": (
        403,
        {"error": {"code": "api_scope_denied", "message": "No"}},
        errors.PermissionDeniedError,
        "api_scope_denied",
        "No",
    ),
    "Rivya, session": (
        409,
        {"error": {"code": "chat_session_conflict", "message": "No"}},
        errors.SessionConflictError,
        "chat_session_conflict",
        "No",
    ),
    "Rivya, idempotency": (
        409,
        {"error": {"code": "idempotency_conflict", "message": "No"}},
        errors.IdempotencyConflictError,
        "idempotency_conflict",
        "No",
    ),
    "Rivya, credits with any status": (
        400,
        {"error": {"code": "insufficient_credits", "message": "No"}},
        errors.InsufficientCreditsError,
        "insufficient_credits",
        "No",
    ),
    "OpenAI": (
        400,
        {
            "error": {
                "message": "Too many",
                "type": "invalid_request_error",
                "param": "messages",
                "code": "context_length_exceeded",
            }
        },
        errors.ContextTooLongError,
        "context_length_exceeded",
        "Too many",
    ),
    "OpenAI, too long in words only": (
        400,
        {"error": {"message": "This model's maximum context length is 8192 tokens", "code": None}},
        errors.ContextTooLongError,
        None,
        "8192",
    ),
    "OpenAI, null code": (
        401,
        {"error": {"message": "No key", "type": "invalid_request_error", "param": None, "code": None}},
        errors.AuthenticationError,
        "invalid_request_error",
        "No key",
    ),
    "OpenAI, money as 429": (
        429,
        {"error": {"message": "Quota", "type": "insufficient_quota", "code": "credit_balance_exhausted"}},
        errors.InsufficientCreditsError,
        "credit_balance_exhausted",
        "Quota",
    ),
    "OpenAI, old money": (
        429,
        {"error": {"message": "Quota", "type": "insufficient_quota", "code": None}},
        errors.InsufficientCreditsError,
        "insufficient_quota",
        "Quota",
    ),
    "OpenAI, slow down": (
        429,
        {"error": {"message": "Ramp", "type": "rate_limit_error", "code": "slow_down"}},
        errors.RateLimitError,
        "slow_down",
        "Ramp",
    ),
    "OpenAI, overloaded": (
        503,
        {"error": {"message": "Busy", "type": "service_unavailable_error", "code": "server_is_overloaded"}},
        errors.ServiceUnavailableError,
        "server_is_overloaded",
        "Busy",
    ),
    "OpenAI, model": (
        404,
        {"error": {"message": "Gone", "type": "invalid_request_error", "code": "model_not_found"}},
        errors.NotFoundError,
        "model_not_found",
        "Gone",
    ),
    "Evolink, number": (
        402,
        {
            "error": {
                "code": 402,
                "message": "Quota",
                "type": "insufficient_quota_error",
                "fallback_suggestion": "https://x",
            }
        },
        errors.InsufficientCreditsError,
        "402",
        "Quota",
    ),
    "Evolink, 403 about money": (
        403,
        {"error": {"code": "insufficient_user_quota", "message": "Quota"}},
        errors.InsufficientCreditsError,
        "insufficient_user_quota",
        "Quota",
    ),
    "Evolink, bad key": (
        401,
        {"error": {"code": "unauthorized", "message": "Bad", "type": "authentication_error"}},
        errors.AuthenticationError,
        "unauthorized",
        "Bad",
    ),
    "Evolink, paid": (
        409,
        {"error": {"code": "paid_outcome_unknown", "message": "Unknown"}},
        errors.IdempotencyConflictError,
        "paid_outcome_unknown",
        "Unknown",
    ),
    "GMI, details as object": (
        400,
        gmi({"error": GMI_INNER}),
        errors.BadRequestError,
        "unsupported_parameter",
        "Unsupported parameter: 'max_tokens'",
    ),
    "GMI, details as text": (
        400,
        gmi('{"error":{"message":"Unsupported","code":"400001","message_zh":"x","request_id":"req_1"}}'),
        errors.BadRequestError,
        "400001",
        "Unsupported",
    ),
    "GMI, details as page": (502, gmi(PAGE), errors.ServerError, "400", "Backend request failed"),
    "GMI, details without message": (400, gmi({"hint": 1}), errors.BadRequestError, "400", "Backend request failed"),
    "GMI, plain 404": (404, b"404 page not found", errors.NotFoundError, None, "404 page not found"),
    "GMI, string": (404, {"error": "model x does not exist"}, errors.NotFoundError, None, "model x does not exist"),
    "FastAPI, text": (404, {"detail": "Not Found"}, errors.NotFoundError, None, "Not Found"),
    "FastAPI, list": (
        422,
        {"detail": [{"loc": ["body", "message"], "msg": "field required", "type": "missing"}]},
        errors.BadRequestError,
        None,
        "body.message: field required",
    ),
    "word and message": (
        429,
        {"error": "rate_limited", "message": "Slow down", "statusCode": 429},
        errors.RateLimitError,
        "rate_limited",
        "Slow down",
    ),
    "flat": (400, {"code": "validation_failed", "message": "Bad"}, errors.BadRequestError, "validation_failed", "Bad"),
    "list of errors": (
        400,
        {"errors": [{"message": "Bad"}, {"message": "Worse"}]},
        errors.BadRequestError,
        None,
        "Bad; Worse",
    ),
    "HTML": (524, PAGE.encode(), errors.ServerError, None, "Bad gateway"),
    "empty": (500, b"", errors.ServerError, None, "Internal Server Error"),
    "text": (500, b"upstream exploded", errors.ServerError, None, "upstream exploded"),
    "broken JSON": (500, b'{"error": {', errors.ServerError, None, '{"error": {'),
    "not UTF-8": (500, b"\xff\xfe bad", errors.ServerError, None, "bad"),
    "JSON number": (500, b"7", errors.ServerError, None, "7"),
    "odd types": (
        400,
        {"error": {"message": {"a": 1}, "code": ["x"], "param": 5, "type": True}},
        errors.BadRequestError,
        None,
        "400",
    ),
    "payment required": (402, b"", errors.InsufficientCreditsError, None, "Payment Required"),
    "timeout at a gateway": (408, b"", errors.ServerError, None, "Request Timeout"),
    "too large": (413, b"", errors.BadRequestError, None, "Request Entity Too Large"),
    "overloaded": (
        529,
        {"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}},
        errors.ServiceUnavailableError,
        "overloaded_error",
        "Busy",
    ),
    "redirect": (307, b"", errors.BadRequestError, None, "check `base_url`"),
}


@pytest.mark.parametrize(("status", "body", "kind", "code", "words"), FORMS.values(), ids=FORMS)
def test_every_form_of_error(status: int, body: Any, kind: type[errors.APIError], code: str | None, words: str) -> None:
    """Class, code, status and the provider's own innermost words."""
    error = error_from_response(answer(status, body, location="https://elsewhere.test/"))

    assert type(error) is kind
    assert (error.code, error.status) == (code, status)
    assert words in str(error)
    assert error.response is not None
    assert error.response.status_code == status
    assert error.body == error.response.text


def test_the_request_field_and_the_request_id_are_kept() -> None:
    error = error_from_response(answer(400, gmi({"error": {**GMI_INNER, "request_id": "req_7"}})))

    assert (error.param, error.request_id) == ("max_tokens", "req_7")
    assert "req_7" in str(error)
    assert error_from_response(answer(500, b"", x_oneapi_request_id="req_8")).request_id == "req_8"


def test_words_and_codes_have_an_end() -> None:
    """A hostile answer does not fill the log."""
    error = error_from_response(answer(400, {"error": {"message": "m" * 10**6, "code": "c" * 10**6}}))

    assert len(str(error)) < 5000


def test_deeply_nested_details_end() -> None:
    body: Any = {"message": "core"}
    for _ in range(50):
        body = {"error": body}

    assert isinstance(error_from_response(answer(400, body)), errors.BadRequestError)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": {"code": "rate_limited", "message": "Slow"}}, errors.RateLimitError),
        ({"error": {"code": 503, "message": "Slow"}}, errors.ServiceUnavailableError),
        ({"error": {"message": "Slow"}, "status": 402}, errors.InsufficientCreditsError),
        ({"error": "Slow"}, errors.ServerError),
        ({"error": {"type": "invalid_request_error", "message": "Slow"}}, errors.BadRequestError),
    ],
)
def test_an_error_inside_a_success_is_an_error(body: Any, kind: type[errors.APIError]) -> None:
    with pytest.raises(kind, match="Slow"):
        parse_json(answer(200, body))


@pytest.mark.parametrize("body", [PAGE.encode(), b"", b"OK", b'{"half'])
def test_a_success_that_is_not_json_is_an_invalid_answer(body: bytes) -> None:
    with pytest.raises(errors.InvalidResponseError, match="is not JSON") as caught:
        parse_json(answer(200, body))

    assert caught.value.status == 200
    assert "base_url" in str(caught.value)


def test_json_with_half_a_character_is_read() -> None:
    """JavaScript servers write what they cut between two UTF-16 halves as an escape; the reply was paid."""
    assert parse_json(answer(200, b'{"a":"\\ud83d"}')) == {"a": "\ud83d"}


@pytest.mark.parametrize("body", [b"[" * 100_000 + rb'"\u0041"', b'{"a":"\\ud83d"'])
def test_json_that_no_reader_takes_is_an_invalid_answer(body: bytes) -> None:
    """Nested too deeply, or broken behind an escape."""
    with pytest.raises(errors.InvalidResponseError, match="is not JSON"):
        parse_json(answer(200, body))


NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=30), usegmt=True)}, 30.0),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:30 -0000"}, 30.0),
        ({"retry-after": format_datetime(NOW - timedelta(days=1), usegmt=True)}, 0.0),
        ({"retry-after": "99999999999999"}, 99999999999999.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Sat, 99 Nov 2026 12:00:30 GMT"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_retry_after_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(httpx.Headers(headers), now=NOW.timestamp()) == seconds


SECRET = "rvya_sk_secret"


def leaky() -> httpx.Response:
    """A server that repeats every credential it was sent, wherever it can."""
    request = httpx.Request(
        "POST",
        "https://rivya.test/api/v1/chat?key=q",
        headers={"authorization": f"Bearer {SECRET}", "x-api-key": "other-secret", "cookie": "sid=third-secret"},
    )
    body = {
        "error": {"message": f"Bad key {SECRET}, other-secret", "code": SECRET, "param": SECRET, "requestId": SECRET}
    }
    headers = {"x-request-id": SECRET, "x-echo": f"Bearer {SECRET} third-secret", "set-cookie": "a=b"}
    return httpx.Response(401, json=body, headers=headers, request=request)


def raised(response: httpx.Response) -> errors.RivyaError:
    try:
        parse_json(response)
    except errors.RivyaError as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("status", [401, 200])
def test_no_secret_in_anything_that_an_error_shows(status: int) -> None:
    """Message, repr, attributes, pickle, copy of the answer, and every local on the way."""
    response = leaky()
    response.status_code = status
    error = raised(response)
    shown = [str(error), repr(error), repr(vars(error)), repr(pickle.dumps(error)), repr(copy.copy(error))]
    shown += [repr(error.response.headers), error.response.text, repr(error.response.request.headers)]
    shown += [str(error.response.request.url)]
    trace = error.__traceback__
    while trace:
        names = {k: v for k, v in trace.tb_frame.f_locals.items() if trace.tb_frame.f_globals["__name__"] != __name__}
        shown += [repr(names)]
        trace = trace.tb_next

    assert all(word not in text for text in shown for word in (SECRET, "other-secret", "third-secret", "key=q"))


def test_ordinary_words_are_not_blotted_out() -> None:
    error = error_from_response(answer(401, {"error": {"message": "Bearer tokens are case sensitive"}}))

    assert "Bearer tokens are case sensitive" in str(error)
