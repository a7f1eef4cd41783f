"""Errors, usage and comments in places where the API's page has none: whole and streamed, heard in the same way."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from both_frameworks import Backend as Server
from both_frameworks import Way as Framework
from both_frameworks import every_framework, make
from openai_asking import Way, chat
from wire import body, chunk, events, reply

from rivya_core import errors

ERRORS: dict[str, tuple[Any, type[errors.APIError], str]] = {
    "an object": ({"error": {"message": "Busy here", "code": 503}}, errors.ServiceUnavailableError, "Busy here"),
    "a list": (
        [{"error": {"code": 400, "message": "Busy here", "status": "INVALID_ARGUMENT"}}],
        errors.BadRequestError,
        "Busy here",
    ),
    "text": ({"error": "Busy here"}, errors.APIError, "Busy here"),
    "several": ({"errors": [{"message": "Busy here"}]}, errors.APIError, "Busy here"),
    "base_resp": (
        {"choices": None, "base_resp": {"status_code": 1002, "status_msg": "Busy here"}},
        errors.APIError,
        "1002",
    ),
    "flat": ({"code": "InternalError", "message": "Busy here", "request_id": "r"}, errors.APIError, "Busy here"),
    "error_msg": ({"error_code": 336, "error_msg": "Busy here"}, errors.APIError, "Busy here"),
    "flat, with a type": ({"type": "server_error", "message": "Busy here", "status": 500}, errors.APIError, "Busy here"),
    "a message alone": ({"message": "Busy here"}, errors.APIError, "Busy here"),
    "details without words": (
        {"error": {"code": 429, "message": "Busy here", "details": [{"@type": "RetryInfo", "retryDelay": "34s"}]}},
        errors.RateLimitError,
        "Busy here",
    ),
    "in a message without an end": (
        {"choices": [{"index": 0, "delta": {"error": {"message": "Busy here"}}, "finish_reason": None}]},
        errors.APIError,
        "Busy here",
    ),
    "a vendor's object": ({"choices": [], "x_groq": {"id": "r", "error": "Busy here"}}, errors.APIError, "Busy here"),
    "beside choices": (
        {"error": {"message": "Busy here"}, "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]},
        errors.APIError,
        "Busy here",
    ),
    "in the choice": (
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "error", "error": {"message": "Busy here", "code": 502}}]},
        errors.ServerError,
        "Busy here",
    ),
    "in the message": (
        {"choices": [{"index": 0, "delta": {"error": {"message": "Busy here"}}, "finish_reason": "error"}]},
        errors.APIError,
        "Busy here",
    ),
    "a finish reason alone": (
        {"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error", "native_finish_reason": "MALFORMED"}]},
        errors.ServerError,
        "MALFORMED",
    ),
    "a finish reason with words": (
        {"choices": [{"index": 0, "delta": {"content": "Busy here"}, "finish_reason": "error"}]},
        errors.ServerError,
        "Busy here",
    ),
    "the network's": (
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "network_error"}]},
        errors.ServerError,
        "network_error",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("after", ["first", "after text"])
def test_errors(way: Way, kind: str, after: str) -> None:
    """As the only frame, after text, or as the whole answer: the server's words arrive in the same class."""
    value, error, words = ERRORS[kind]
    if way.streamed:
        begun = [chunk({"content": "Hel"})] if after == "after text" else []
        answer = events(*begun, value)
    else:
        answer = httpx.Response(200, json=json.loads(json.dumps(value).replace('"delta"', '"message"')))

    with pytest.raises(error, match=words) as caught:
        way.ask(chat(), answer)
    assert not isinstance(caught.value, errors.InvalidResponseError)


@pytest.mark.parametrize(
    "line", ['error: {"code": 500, "message": "Busy here"}', '{"error": {"message": "Busy here"}}']
)
def test_an_error_in_a_line_that_is_no_data(way: Way, line: str) -> None:
    """Of llama.cpp, and of servers that write an error body into the stream."""
    for begun in ([], [chunk({"content": "Hel"})]):
        with pytest.raises(errors.APIError, match="Busy here"):
            Way(way.asynchronous, streamed=True).ask(chat(), events(*begun, line))


@pytest.mark.parametrize(
    "top",
    [{"base_resp": {"status_code": 0, "status_msg": "success"}}, {"code": 200, "msg": "ok"}, {"error": None}, {"errors": []}],
    ids=str,
)  # fmt: skip
def test_a_success_that_says_so_is_none(way: Way, top: dict[str, Any]) -> None:
    frames = (chunk({"content": "hi"}, **top), {"choices": [], **top}, chunk(finish="stop", **top))

    assert way.ask(chat(), events(*frames) if way.streamed else reply(**top)).text == "hi"


USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
BILL = {
    **USAGE,
    "cost": 0.0012,
    "cost_details": {"upstream_inference_cost": 0.001},
    "is_byok": False,
    "prompt_tokens_details": {"cached_tokens": 3, "video_tokens": 4},
}
FURTHER = {key: BILL[key] for key in ("cost", "cost_details", "is_byok")} | {
    "prompt_tokens_details": {"video_tokens": 4}
}


@pytest.mark.parametrize("place", ["top", "x_groq", "metadata", "usageMetadata", "choice", "message"])
def test_usage(way: Way, place: str) -> None:
    """Counted wherever it is; what has no name of its own is in the metadata."""
    inner = {"id": "r", "usage": BILL}
    tops = {"top": {"usage": BILL}, "x_groq": {"x_groq": inner}, "metadata": {"metadata": inner}}
    top: dict[str, Any] = {**tops, "usageMetadata": {"usageMetadata": BILL}}.get(place, {})
    top["provider"] = "Azure"
    last, only = chunk(finish="stop", **top), json.loads(reply(**top).content)
    if place == "choice":
        last["choices"][0]["usage"] = only["choices"][0]["usage"] = BILL
    if place == "message":
        last["choices"][0]["delta"]["usage"] = only["choices"][0]["message"]["usage"] = BILL
    answer = events(chunk({"content": "hi"}), last) if way.streamed else body(only)

    said = way.ask(chat(), answer)

    assert said.usage is not None
    assert (said.usage.input_tokens, said.usage.total_tokens, said.usage.cached_tokens) == (5, 7, 3)
    assert said.metadata["usage"] == FURTHER
    if not way.streamed:
        assert said.metadata["provider"] == "Azure"


def test_usage_in_the_choice_of_a_chunk_with_text(way: Way) -> None:
    """Moonshot sends it with the last piece of text."""
    last = chunk({"content": "!"})
    last["choices"][0]["usage"] = USAGE

    said = way.ask(chat(), events(chunk({"content": "hi"}), last, chunk(finish="stop")))

    assert said.text == "hi!"
    assert said.usage is not None
    assert said.usage.total_tokens == 7


@every_framework
def test_the_cost_reaches_the_caller(way: Framework) -> None:
    model = make(way, "OpenAICompatible", Server(answer=lambda _: reply(usage=BILL)))
    if way.framework == "langchain":
        message = model.invoke("?")
        assert message.response_metadata["usage"]["cost"] == 0.0012
        assert message.usage_metadata["total_tokens"] == 7
    else:
        assert model.complete("?").raw["usage"]["cost"] == 0.0012


@pytest.mark.parametrize("comment", ["data: : PROCESSING", "data:: OPENROUTER PROCESSING", "data: :"])
def test_a_comment_that_is_wrapped_in_data(way: Way, comment: str) -> None:
    frames = (comment, chunk({"content": "h"}), comment, chunk({"content": "i"}), chunk(finish="stop"), comment)

    assert way.ask(chat(), events(*frames)).text == "hi"


TOO_LONG = [
    {"code": 400, "message": "the request exceeds the available context size", "type": "exceed_context_size_error"},
    {"message": "Invalid request: Your request exceeded model token limit: 8192", "type": "invalid_request_error"},
    {"code": "InvalidParameter", "message": "Range of input length should be [1, 30720]"},
    {"message": "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 98304]"},
    {"message": "prompt is too long: 210000 tokens > 200000 maximum"},
    {"message": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."},
    {"message": "This model's maximum prompt length is 131072 but the request contains 200000 tokens."},
    {"message": "Please reduce the length of the messages or completion.", "code": "context_length_exceeded"},
    {"message": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000"},
    {"message": "input length and `max_tokens` exceed context limit: 199000 + 20000 > 200000"},
    {"message": "Prompt exceeds max length", "code": "1261"},
    {"message": "Total tokens of image and text exceed max message tokens.", "code": "InvalidParameter.OversizeText"},
    {"message": "Request body too large for this model.", "code": "tokens_limit_reached"},
    {"message": "\u8d85\u51fa\u6700\u5927\u4e0a\u4e0b\u6587\u957f\u5ea6"},
    {"message": "too many tokens: total number of tokens in the prompt exceeds the limit"},
]


@pytest.mark.parametrize("error", TOO_LONG, ids=lambda error: error["message"][:30])
def test_the_input_is_too_long(way: Way, error: dict[str, Any]) -> None:
    """As an error status or inside a success, in each back end's wording."""
    for answer in (httpx.Response(400, json={"error": error}), httpx.Response(200, json={"error": error})):
        with pytest.raises(errors.ContextTooLongError):
            way.ask(chat(), answer)
    with pytest.raises(errors.ContextTooLongError):
        Way(way.asynchronous, streamed=True).ask(chat(), events({"error": error}))


def test_a_rate_limit_in_tokens_is_none(way: Way) -> None:
    limit = {"message": "Too many tokens per minute for this context size", "code": "rate_limit_exceeded"}

    with pytest.raises(errors.RateLimitError):
        way.ask(chat(), httpx.Response(429, json={"error": limit}))
