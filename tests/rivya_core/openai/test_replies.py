"""Replies as back ends really send them: whole and streamed, read alike, or a typed error."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from openai_asking import Way, chat
from wire import body, chunk, events, reply, text_frames

from rivya_core import errors
from rivya_core.types import Usage

USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
CITED = {
    "type": "url_citation",
    "url_citation": {"url": "https://a.test", "title": "A", "start_index": 0, "end_index": 2},
}
FLAT = {"type": "url_citation", "url": "https://a.test", "title": "A", "start_index": 0, "end_index": 2}


def answer(way: Way, message: dict[str, Any], finish: str | None = "stop", **top: Any) -> httpx.Response:
    """*message* as a whole reply or as the only delta of a stream."""
    return events(chunk(message), chunk(finish=finish, **top)) if way.streamed else reply(message, finish=finish, **top)


def test_text_usage_and_metadata(way: Way) -> None:
    """Everything that adapters need, and the facts about the reply once."""
    top = {"usage": USAGE, "system_fingerprint": "fp", "service_tier": "default"}

    said = way.ask(chat(), answer(way, {"role": "assistant", "content": "Hi"}, **top))

    assert (said.text, said.usage) == ("Hi", Usage(3, 4, 7))
    assert said.metadata | {"id": "x"} == {
        "id": "x",
        "model": "m",
        "created": 1,
        "finish_reason": "stop",
        "system_fingerprint": "fp",
        "service_tier": "default",
    }


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "thinking"])
def test_reasoning_under_any_name(way: Way, key: str) -> None:
    said = way.ask(chat(), answer(way, {"content": "4", key: "2+2"}))

    assert (said.text, said.reasoning) == ("4", "2+2")


def test_reasoning_under_two_names_is_said_once(way: Way) -> None:
    message = {"content": "4", "reasoning": "2+2", "reasoning_content": "2+2"}

    assert way.ask(chat(), answer(way, message)).reasoning == "2+2"


def test_reasoning_details_where_nothing_else_says_it(way: Way) -> None:
    details = [{"type": "reasoning.summary", "summary": "a"}, {"type": "reasoning.text", "text": "b"}]

    assert way.ask(chat(), answer(way, {"content": "4", "reasoning_details": details})).reasoning == "ab"


def test_content_as_a_list_of_parts(way: Way) -> None:
    """Text is text, thinking is reasoning, anything else is a block."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}}
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "Hi"},
        image,
    ]

    said = way.ask(chat(), answer(way, {"content": parts}))

    assert (said.text, said.reasoning, said.blocks) == ("Hi", "hm", (image,))


@pytest.mark.parametrize("role", [None, "model", "assistant", ""])
def test_any_role_is_the_assistant(way: Way, role: str | None) -> None:
    assert way.ask(chat(), answer(way, {"role": role, "content": "Hi"})).text == "Hi"


def test_refusal(way: Way) -> None:
    said = way.ask(chat(), answer(way, {"content": None, "refusal": "No."}))

    assert (said.text, said.metadata["refusal"]) == ("", "No.")


def test_citations_images_and_sound_are_blocks(way: Way) -> None:
    """Each once, however often they are repeated."""
    message = {
        "content": "Hi",
        "annotations": [CITED, CITED],
        "images": [{"type": "image_url", "image_url": {"url": "https://i.test"}}],
        "audio": {"id": "audio_1", "data": "AA", "transcript": "Hi"},
    }

    said = way.ask(chat(), answer(way, message))

    assert said.blocks == (
        FLAT,
        {"type": "image_url", "image_url": {"url": "https://i.test"}},
        {"type": "audio", "id": "audio_1", "data": "AA", "transcript": "Hi"},
    )


@pytest.mark.parametrize(
    ("sources", "blocks"),
    [
        ({"citations": ["https://a.test"]}, [{"type": "url_citation", "url": "https://a.test"}]),
        (
            {"citations": ["https://a.test"], "search_results": [{"title": "A", "url": "https://a.test", "date": "d"}]},
            [{"type": "url_citation", "url": "https://a.test", "title": "A", "date": "d"}],
        ),
        (
            {"web_search": [{"title": "A", "link": "https://a.test"}]},
            [{"type": "url_citation", "url": "https://a.test", "title": "A", "link": "https://a.test"}],
        ),
    ],
    ids=["citations", "search results", "web search"],
)
def test_sources_beside_the_choices(way: Way, sources: dict[str, Any], blocks: list[dict[str, Any]]) -> None:
    """Also where every chunk repeats them."""
    frames = [chunk({"content": "H"}, **sources), chunk({"content": "i"}, **sources), chunk(finish="stop", **sources)]
    whole = reply({"content": "Hi"}, **sources)

    said = way.ask(chat(), events(*frames) if way.streamed else whole)

    assert (said.text, list(said.blocks)) == ("Hi", blocks)


def test_log_probabilities_are_gathered(way: Way) -> None:
    def probability(token: str) -> dict[str, Any]:
        return {"content": [{"token": token, "logprob": -0.1, "bytes": None, "top_logprobs": []}], "refusal": None}

    frames = [chunk({"content": token}) for token in ("H", "i")]
    for frame, token in zip(frames, ("H", "i"), strict=True):
        frame["choices"][0]["logprobs"] = probability(token)
    both = {"content": [*probability("H")["content"], *probability("i")["content"]], "refusal": None}
    whole = body({"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop", "logprobs": both}]})

    said = way.ask(chat(logprobs=True), events(*frames, chunk(finish="stop")) if way.streamed else whole)

    assert [item["token"] for item in said.metadata["logprobs"]["content"]] == ["H", "i"]


def test_stop_reason_is_kept(way: Way) -> None:
    """The stop text that ended the reply, as vLLM names it."""
    last = chunk(finish="stop")
    last["choices"][0]["stop_reason"] = "END"
    whole = body({"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop", "stop_reason": "END"}]})

    said = way.ask(chat(), events(chunk({"content": "Hi"}), last) if way.streamed else whole)

    assert said.metadata["stop_reason"] == "END"


def test_headers_on_request(way: Way) -> None:
    sent = answer(way, {"content": "Hi"})
    sent.headers.update({"x-request-id": "req_1", "set-cookie": "secret=1"})

    said = way.ask(chat(include_response_headers=True), sent)

    assert said.metadata["headers"]["x-request-id"] == "req_1"
    assert "set-cookie" not in said.metadata["headers"]
    assert "headers" not in way.ask(chat(), sent).metadata


def test_evolinks_empty_names_do_not_hide_the_tokens(way: Way) -> None:
    """`input_tokens: 0` and `input_tokens_details: null` come together with the real counts."""
    usage = {
        **USAGE,
        "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 1, "audio_tokens": 0},
        "input_tokens": 0,
        "output_tokens": 0,
        "input_tokens_details": None,
    }

    said = way.ask(chat(), answer(way, {"content": "Hi"}, usage=usage))

    assert said.usage == Usage(
        3, 4, 7, cached_tokens=2, reasoning_tokens=1, audio_output_tokens=0, cache_write_tokens=1
    )


def test_a_stream_in_answer_to_a_whole_request(whole: Way) -> None:
    """Whatever its type says."""
    for kind in ("text/event-stream", "application/json", "text/plain"):
        streamed = events(*text_frames("Hello you"), chunk(usage=USAGE))
        streamed.headers["content-type"] = kind

        said = whole.ask(chat(), streamed)

        assert (said.text, said.usage, said.metadata["finish_reason"]) == ("Helloyou", Usage(3, 4, 7), "stop")


def test_a_whole_answer_to_a_stream_request(stream: Way) -> None:
    """Whatever its type says."""
    for kind in ("application/json", "text/event-stream", "text/plain", ""):
        sent = reply({"content": "Hi", "reasoning_content": "hm"}, usage=USAGE)
        sent.headers["content-type"] = kind

        said = stream.ask(chat(), sent)

        assert (said.text, said.reasoning, said.usage) == ("Hi", "hm", Usage(3, 4, 7))


@pytest.mark.parametrize("message", [None, {}, {"content": None}, {"content": ""}], ids=str)
def test_an_empty_message_with_a_reason_is_an_empty_reply(way: Way, message: Any) -> None:
    """A content filter ends so; the reason says it."""
    whole = body({"choices": [{"index": 0, "message": message, "finish_reason": "content_filter"}]})

    said = way.ask(chat(), events(chunk(message, finish="content_filter")) if way.streamed else whole)

    assert (said.text, said.metadata["finish_reason"]) == ("", "content_filter")


@pytest.mark.parametrize(
    "value",
    [{"choices": None}, {"choices": []}, {}, {"choices": [None]}, {"choices": [{"message": None}]}, [], "hi", None, 7],
    ids=str,
)
def test_an_answer_that_is_no_reply_says_so(whole: Way, value: Any) -> None:
    with pytest.raises(errors.InvalidResponseError, match=r"POST http://backend\.test/v1/chat/completions"):
        whole.ask(chat(), body(value))


ERRORS: dict[str, tuple[int, Any, type[errors.RivyaError], str]] = {
    "an error object with 200": (
        200,
        {"error": {"message": "No such model", "type": "invalid_request_error", "code": 404}},
        errors.NotFoundError,
        "No such model",
    ),
    "error as a string": (200, {"error": "model does not exist"}, errors.ServerError, "model does not exist"),
    "vLLM's flat error": (
        200,
        {"object": "error", "message": "too long", "type": "BadRequestError", "param": None, "code": 400},
        errors.BadRequestError,
        "too long",
    ),
    "FastAPI's detail with 200": (200, {"detail": "Not Found"}, errors.RivyaError, "Not Found"),
    "FastAPI's issues": (
        422,
        {"detail": [{"loc": ["body", "model"], "msg": "field required", "type": "missing"}]},
        errors.BadRequestError,
        "body.model: field required",
    ),
    "GMI's details as an object": (
        400,
        {
            "error": {
                "message": "Backend request failed with status 400",
                "type": "backend_error",
                "code": 400,
                "details": {
                    "error": {"message": "Unsupported value", "param": "temperature", "code": "unsupported_value"}
                },
            }
        },
        errors.BadRequestError,
        "Unsupported value",
    ),
    "GMI's details as text": (
        400,
        {
            "error": {
                "message": "Backend request failed",
                "details": json.dumps(
                    {"error": {"message": "Unsupported value", "param": "temperature", "code": "unsupported_value"}}
                ),
            }
        },
        errors.BadRequestError,
        "Unsupported value",
    ),
    "an integer code": (402, {"error": {"code": 402, "message": "Pay"}}, errors.InsufficientCreditsError, "Pay"),
    "403 about money": (
        403,
        {"error": {"code": "insufficient_user_quota", "message": "Pay"}},
        errors.InsufficientCreditsError,
        "Pay",
    ),
    "context": (
        400,
        {"error": {"message": "This model's maximum context length is 8 tokens", "code": "context_length_exceeded"}},
        errors.ContextTooLongError,
        "maximum context length",
    ),
    "plain text": (404, "No matching target server found for model x", errors.NotFoundError, "No matching target"),
    "a page": (502, "<html><h1>Bad gateway</h1></html>", errors.ServerError, "Bad gateway"),
    "a page with 200": (200, "<!doctype html><h1>Just a moment</h1>", errors.InvalidResponseError, "Just a moment"),
    "words with 200": (200, "upstream connect error", errors.InvalidResponseError, "upstream connect error"),
    "nothing": (200, "", errors.RivyaError, "."),
}


@pytest.mark.parametrize("case", ERRORS.values(), ids=ERRORS)
def test_errors_keep_the_providers_words_and_say_what_to_do(way: Way, case: tuple[int, Any, type, str]) -> None:
    """Whole and streamed alike."""
    status, said, kind, words = case
    sent = httpx.Response(status, text=said) if isinstance(said, str) else httpx.Response(status, json=said)

    with pytest.raises(kind, match=words) as caught:
        way.ask(chat(), sent)

    assert type(caught.value) is kind or kind is errors.RivyaError
    if "Unsupported value" in words:
        assert (caught.value.param, caught.value.code) == ("temperature", "unsupported_value")


def test_an_empty_account_is_not_asked_again(way: Way) -> None:
    """A 429 about money is no rate limit."""
    quota = {
        "error": {"message": "You exceeded your quota", "type": "insufficient_quota", "code": "insufficient_quota"}
    }
    asked: list[httpx.Request] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(429, json=quota, headers={"retry-after": "1"})

    with pytest.raises(errors.InsufficientCreditsError):
        way.ask(chat(retries=3), refuse)

    assert (len(asked), way.slept) == (1, [])


def test_a_rate_limit_is_waited_for(way: Way) -> None:
    limited = httpx.Response(
        429, json={"error": {"message": "slow", "code": "rate_limit_exceeded"}}, headers={"retry-after": "3"}
    )

    said = way.ask(chat(retries=1), [limited, answer(way, {"content": "Hi"})])

    assert (said.text, way.slept) == ("Hi", [3.0])


def test_reasoning_in_tags(way: Way) -> None:
    """Only on request, and only at the beginning."""
    text = "<think>\nhm</think>\n\nUse <think> tags."
    frames = [chunk({"content": letter}) for letter in text]
    sent = events(*frames, chunk(finish="stop")) if way.streamed else reply({"content": text})

    split = way.ask(chat(think_tags=True), sent)

    assert (split.text, split.reasoning) == ("Use <think> tags.", "\nhm")
    assert way.ask(chat(), sent).text == text
