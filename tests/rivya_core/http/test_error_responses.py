"""Whatever an error looks like on the wire, it is the right class, with the provider's words and no secret."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from reading import answer

from rivya_core import errors
from rivya_core.http.error_responses import error_from_response, parse_json
from rivya_core.http.headers import rate_limit_reset, retry_after

GMI_INNER = {"message": "Unsupported parameter: 'max_tokens'", "type": "invalid_request_error", "param": "max_tokens"}
GMI_INNER["code"] = "unsupported_parameter"
PAGE = "<!DOCTYPE html><html><head><title>x</title><style>b{}</style></head><body><h1>Bad gateway</h1></body></html>"


def router(raw: str) -> dict[str, Any]:
    status = 429 if "rate" in raw else 400
    return {"error": {"message": "Provider returned error", "code": status, "metadata": {"raw": raw}}}


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
    "429 about money in words alone": (
        429,
        {"error": {"message": "Insufficient balance, please recharge"}},
        errors.InsufficientCreditsError,
        None,
        "Insufficient balance",
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
    "OpenRouter, raw as text": (
        429,
        router("m is rate-limited upstream"),
        errors.RateLimitError,
        "429",
        "m is rate-limited upstream",
    ),
    "OpenRouter, raw as JSON": (
        400,
        router('{"error":{"message":"One image per prompt.","code":"too_many"}}'),
        errors.BadRequestError,
        "too_many",
        "One image per prompt.",
    ),
    "Mistral": (
        422,
        {"object": "error", "message": {"detail": [{"loc": ["body", "seed"], "msg": "not permitted"}]}},
        errors.BadRequestError,
        None,
        "body.seed: not permitted",
    ),
    "body in the message": (
        400,
        {"message": '{"error": {"message": "Bad key"}}'},
        errors.BadRequestError,
        None,
        "Bad key [",
    ),
    "words in the field": (
        400,
        {"error": {"message": "Param Incorrect", "param": "Send the reasoning back.", "code": "400"}},
        errors.BadRequestError,
        "400",
        "Param Incorrect Send the reasoning back.",
    ),
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
    assert parse_json(answer(200, b'{"a":"\\ud83d"}')) == {"a": "\ufffd"}


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


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"reset-requests": "1s"}, 1.0),
        ({"reset-requests": "6m0s"}, 360.0),
        ({"reset-tokens": "120ms"}, 0.12),
        ({"reset-tokens": "1h2m3.5s"}, 3723.5),
        ({"reset": "2.5"}, 2.5),
        ({"reset": f"{NOW.timestamp() + 9:.0f}"}, 9.0),
        ({"reset": f"{1000 * NOW.timestamp() + 9000:.0f}"}, 9.0),
        ({"reset-requests": "1s", "reset-tokens": "6m0s"}, 1.0),
        ({"reset-requests": "1s", "reset-tokens": "6m0s", "remaining-tokens": "0", "remaining-requests": "3"}, 360.0),
        ({"reset-requests": ""}, None),
        ({"reset-requests": "soon"}, None),
        ({"reset-requests": "-1s"}, None),
        ({"resetting": "1s"}, None),
        ({}, None),
    ],
)
def test_the_reset_of_a_rate_limit_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    named = httpx.Headers({f"x-ratelimit-{name}": value for name, value in headers.items()})

    assert rate_limit_reset(named, now=NOW.timestamp()) == seconds


def test_the_reset_of_a_rate_limit_counts_for_a_429_without_anything_better() -> None:
    reset = {"x_ratelimit_reset_requests": "120ms"}

    assert error_from_response(answer(429, b"", **reset)).retry_after == 0.12
    assert error_from_response(answer(429, b"", retry_after="3", **reset)).retry_after == 3.0
    assert error_from_response(answer(500, b"", **reset)).retry_after is None


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


@pytest.mark.parametrize(
    "form",
    [SECRET, "".join(f"\\u{ord(character):04x}" for character in SECRET), SECRET.replace("_", "%5F")],
    ids=["plain", "JSON escapes", "percent"],
)
@pytest.mark.parametrize(
    "inside", ['{"error":{"message":"Bad key %s"}}', '{"error":{"details":"{\\"message\\":\\"%s\\"}"}}']
)
def test_a_repeated_key_is_found_however_it_is_escaped(form: str, inside: str) -> None:
    error = error_from_response(answer(401, (inside % form).encode()))

    assert SECRET not in str(error)
    assert SECRET not in str(json.loads(json.dumps(error.body)))


def test_a_token_in_a_header_of_any_name_is_a_secret() -> None:
    request = httpx.Request("POST", "https://rivya.test/api", headers={"x-team": "blue-token-1234"})
    error = error_from_response(httpx.Response(400, text="No team blue-token-1234", request=request))

    assert "blue-token-1234" not in str(error)


ODD_HEADERS = {
    "latin-1": (b"x-note", "gr\xfc\xdfe".encode("latin-1")),
    "UTF-8": (b"x-note", "größe".encode()),
    "every byte": (b"x-note", bytes(range(1, 256))),
    "content type": (b"content-type", b"application/json; charset=\xff"),
    "request id": (b"x-request-id", b"r\xff"),
    "retry-after": (b"retry-after", b"\xff"),
    "date": (b"retry-after", b"0 0 0 0 0 0 0"),
    "location": (b"location", b"http://\xff"),
    **{
        charset: (b"content-type", b"application/json; charset=" + charset.encode())
        for charset in "utf-16 utf-32 hex zip idna undefined rot13 unicode_escape punycode base64 none \0 utf-7".split(
            " "
        )
    },
}


@pytest.mark.parametrize("status", [200, 302, 400, 429, 500])
@pytest.mark.parametrize("header", ODD_HEADERS.values(), ids=ODD_HEADERS)
def test_no_header_is_too_odd(header: tuple[bytes, bytes], status: int) -> None:
    """The outcome is one of our errors, and a 429 stays a 429, so that it is repeated."""
    request = httpx.Request("POST", "https://rivya.test/api/v1/chat")
    body = b'{"error": {"message": "Slow"}}'
    error = raised(httpx.Response(status, headers=[header], content=body, request=request))

    assert isinstance(error, errors.RateLimitError) is (status == 429)
    assert pickle.loads(pickle.dumps(error)).status == error.status
    assert str(error.response.headers)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-16-le"])
def test_a_body_in_another_encoding_is_read(encoding: str) -> None:
    body = json.dumps({"error": {"message": "Überlastet", "code": "rate_limited"}}, ensure_ascii=False)
    error = error_from_response(
        answer(429, body.encode(encoding), content_type=f"application/json; charset={encoding}")
    )

    assert "Überlastet" in str(error)
    assert "Überlastet" in error.response.text


@pytest.mark.parametrize("loc", [5, None, {}, "body", [["a"], 1]])
def test_validation_issues_of_any_shape(loc: Any) -> None:
    assert "wrong" in str(error_from_response(answer(422, {"detail": [{"loc": loc, "msg": "wrong"}]})))


ADVICE = [
    ("https://host.test/chat/completions", 404, b"404 page not found", ["POST https://host.test/chat", "no `/v1`"]),
    ("https://host.test/v1/chat/completion", 404, b"", ["POST https://host.test/v1/chat/completion", "`base_url`"]),
    ("https://host.test/v1/chat/completions", 404, {"error": {"code": "model_not_found"}}, ["`.models()`"]),
    ("https://host.test/v1/chat/completions", 400, {"error": {"code": "chat_model_not_supported"}}, ["`.models()`"]),
    ("https://host.test/v1/chat/completions", 404, {"error": "The model `x` does not exist"}, ["`.models()`"]),
    ("https://host.test/v1/chat/completions", 404, {"error": {"message": "Unknown session s_1"}}, ["`session_id`"]),
    ("https://host.test/v1/generations/t_1", 404, {"error": {"code": "not_found"}}, ["task id"]),
]


@pytest.mark.parametrize(("url", "status", "body", "words"), ADVICE)
def test_what_was_not_found_is_what_there_is_to_check(url: str, status: int, body: Any, words: list[str]) -> None:
    content = {"content": body} if isinstance(body, bytes) else {"json": body}
    error = error_from_response(httpx.Response(status, request=httpx.Request("POST", url), **content))

    assert all(word in str(error) for word in words)
    assert ("model id" in str(error)) == ("`.models()`" in words)


def test_a_code_that_is_the_status_is_shown_once() -> None:
    assert "[401]" in str(error_from_response(answer(401, {"error": {"code": 401, "message": "Bad"}})))


def test_ordinary_words_are_not_blotted_out() -> None:
    error = error_from_response(answer(401, {"error": {"message": "Bearer tokens are case sensitive"}}))

    assert "Bearer tokens are case sensitive" in str(error)
