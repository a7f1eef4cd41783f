"""Streams as back ends really send them: cut anywhere, decorated, repeated, incomplete."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from openai_asking import Way, chat, joined
from wire import chunk, events, text_frames

from rivya_core import errors
from rivya_core.openai.chat.stream import CompletionsStreamDecoder, Reading
from rivya_core.types import ChatDelta, Usage

USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def decoder() -> CompletionsStreamDecoder:
    request = httpx.Request("POST", "http://backend.test/v1/chat/completions")
    return CompletionsStreamDecoder(
        httpx.Response(200, headers={"content-type": "text/event-stream"}, request=request), Reading()
    )


def decoded(*pieces: bytes) -> list[ChatDelta]:
    """What a body in these pieces says."""
    stream = decoder()
    deltas = [delta for piece in pieces for delta in stream.feed(piece)]
    return deltas + stream.finish()


LONG = events(
    ": a comment",
    chunk({"role": "assistant", "content": ""}),
    chunk({"reasoning_content": "Grüß"}),
    chunk({"content": "Héllo "}),
    "event: ping\ndata: {}",
    chunk({"content": "👋🏽 wörld"}),
    chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"ü":'}}]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": ' "ß"}'}}]}),
    chunk(finish="tool_calls"),
    {"choices": [], "usage": USAGE},
).content


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_cut_anywhere_it_says_the_same(newline: str) -> None:
    """Every position, also inside a character, a line end or an escape."""
    text = LONG.replace(b"\n", newline.encode())
    expected = joined(decoded(text))

    assert (expected.text, expected.reasoning) == ("Héllo 👋🏽 wörld", "Grüß")
    assert [(call.name, call.arguments) for call in expected.tool_calls] == [("f", '{"ü": "ß"}')]
    for cut in range(1, len(text)):
        assert joined(decoded(text[:cut], text[cut:])) == expected
    assert joined(decoded(*(text[at : at + 1] for at in range(len(text))))) == expected


def test_a_character_whose_halves_come_in_two_chunks() -> None:
    """Servers that escape everything cut a surrogate pair between two chunks."""
    whole = json.dumps(chunk({"content": "👋"}))
    first, second = whole.replace("\\udc4b", ""), whole.replace("\\ud83d", "")
    text = f"data: {first}\n\ndata: {second}\n\ndata: {json.dumps(chunk({'content': '!'}, finish='stop'))}\n\n"

    assert joined(decoded(text.encode())).text == "👋!"


def test_half_a_character_that_stays_alone_is_replaced() -> None:
    alone = json.dumps(chunk({"content": "👋"})).replace("\\udc4b", "")
    text = (
        f"data: {alone}\n\ndata: {json.dumps(chunk({'content': 'x'}))}\n\ndata: {json.dumps(chunk(finish='stop'))}\n\n"
    )

    said = joined(decoded(text.encode())).text

    said.encode()
    assert said.endswith("x")


@pytest.mark.parametrize(
    "frames",
    [
        [": keep-alive", "data: ", "data: ping", "data: null", "data: []", 'data: "x"', ":"],
        [{"choices": None}, {"choices": []}, {"object": "ping"}, {}],
        [chunk(None) | {"choices": [{"delta": None}]}, {"choices": [{}]}, {"choices": [None]}],
        [chunk({"content": None}), chunk({"content": ""}), chunk({"role": None}), chunk({"tool_calls": None})],
        [{"choices": [], "prompt_filter_results": []}, {"type": "obfuscation", "choices": []}],
    ],
    ids=["signs of life", "no choices", "no delta", "empty deltas", "foreign"],
)
def test_frames_that_say_nothing_are_passed_over(stream: Way, frames: list[Any]) -> None:
    said = stream.ask(chat(), events(*frames, *text_frames("Hi"), *frames))

    assert (said.text, said.metadata["finish_reason"]) == ("Hi", "stop")


def test_usage_that_grows_counts_once(stream: Way) -> None:
    """Some back ends send the usage so far with every chunk; the last one counts."""
    growing = [{"prompt_tokens": 3, "completion_tokens": n, "total_tokens": 3 + n} for n in (1, 2, 4)]
    frames = [chunk({"content": "x"}, usage=usage) for usage in growing]

    said = stream.ask(chat(), events(*frames, chunk(finish="stop", usage=growing[-1])))

    assert (said.text, said.usage) == ("xxx", Usage(3, 4, 7))


def test_an_empty_usage_at_the_end_does_not_count(stream: Way) -> None:
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}

    said = stream.ask(chat(), events(chunk({"content": "x"}, usage=USAGE), chunk(finish="stop", usage=nothing)))

    assert said.usage == Usage(3, 4, 7)


def test_a_finish_that_is_sent_twice_is_one(stream: Way) -> None:
    last = chunk(finish="stop", service_tier="default", system_fingerprint="fp")

    said = stream.ask(chat(), events(chunk({"content": "Hi"}), last, last))

    assert said.metadata["finish_reason"] == "stop"
    assert (said.metadata["service_tier"], said.metadata["system_fingerprint"]) == ("default", "fp")


def test_tool_calls_is_a_better_reason_than_stop(stream: Way) -> None:
    said = stream.ask(chat(), events(chunk({"content": "Hi"}), chunk(finish="stop"), chunk(finish="tool_calls")))

    assert said.metadata["finish_reason"] == "tool_calls"


def test_no_end_mark_is_needed_after_a_finish_reason(stream: Way) -> None:
    frames = [*text_frames("Hi"), {"choices": [], "usage": USAGE}]

    said = stream.ask(chat(), events(*frames, done=False))

    assert (said.text, said.usage) == ("Hi", Usage(3, 4, 7))


def test_no_finish_reason_is_needed_before_an_end_mark(stream: Way) -> None:
    said = stream.ask(chat(), events(chunk({"content": "Hi"})))

    assert said.text == "Hi"
    assert "finish_reason" not in said.metadata


def test_what_follows_the_end_mark_is_not_read(stream: Way) -> None:
    said = stream.ask(chat(), events(*text_frames("Hi"), "data: [DONE]", chunk({"content": "more"})))

    assert said.text == "Hi"


def test_a_stream_without_its_end_is_an_error_with_what_came(stream: Way) -> None:
    frames = list(text_frames("Hello you"))[:-1]

    with pytest.raises(errors.StreamBrokenError) as caught:
        stream.ask(chat(), events(*frames, done=False))

    assert caught.value.partial == "Helloyou"


@pytest.mark.parametrize("content", [b"", b"data: [DONE]\n\n", b": keep-alive\n\n"])
def test_a_stream_with_nothing_in_it_is_an_error(stream: Way, content: bytes) -> None:
    empty = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=content)

    with pytest.raises(errors.RivyaError):
        stream.ask(chat(), empty)


def test_a_connection_that_breaks_is_an_error_with_what_came(stream: Way) -> None:
    """Unless the end had been seen."""

    def invalid(frames: list[Any]) -> Any:
        class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
            def __iter__(self) -> Any:
                yield events(*frames, done=False).content
                raise httpx.ReadError("gone")

            async def __aiter__(self) -> Any:
                yield events(*frames, done=False).content
                raise httpx.ReadError("gone")

        return lambda request: httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Body())

    with pytest.raises(errors.StreamBrokenError) as caught:
        stream.ask(chat(), invalid(list(text_frames("Hi"))[:-1]))
    assert caught.value.partial == "Hi"

    assert stream.ask(chat(), invalid(list(text_frames("Hi")))).text == "Hi"


@pytest.mark.parametrize(
    ("frame", "kind", "words"),
    [
        ({"error": {"message": "Busy", "type": "server_error"}}, errors.ServerError, "Busy"),
        ({"error": {"message": "Slow", "code": 429}}, errors.RateLimitError, "Slow"),
        ({"error": "gone"}, errors.ServerError, "gone"),
        ("event: error\ndata: out of memory", errors.ServerError, "out of memory"),
        ('event: error\ndata: {"message": "bad", "code": 400}', errors.BadRequestError, "bad"),
        ({"object": "error", "message": "bad", "code": 400}, errors.BadRequestError, "bad"),
        ({"detail": "worker died"}, errors.ServerError, "worker died"),
        (chunk({"content": ""}, error={"message": "Busy", "code": 503}), errors.ServiceUnavailableError, "Busy"),
        ("data: {broken", errors.StreamBrokenError, "not JSON"),
        ("data: <html>oops</html>", errors.StreamBrokenError, "not JSON"),
    ],
    ids=str,
)
def test_an_error_in_mid_stream_comes_after_what_was_said(stream: Way, frame: Any, kind: type, words: str) -> None:
    """The good deltas are handed on first, then the error is raised, typed and in the provider's words."""
    with pytest.raises(kind, match=words):
        stream.ask(chat(), events(*list(text_frames("Hello you"))[:-1], frame))

    content = events(*list(text_frames("Hello you"))[:-1], frame).content
    invalid = decoder()
    assert "".join(delta.text for delta in invalid.feed(content)) == "Helloyou"
    with pytest.raises(kind):
        invalid.finish()


def test_cut_off_arguments_are_never_valid(stream: Way) -> None:
    """By the limit: a closing piece says that the call is broken, and the reason why."""
    head = {"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"path": "/tmp/a'}}

    said = stream.ask(chat(), events(chunk({"tool_calls": [head]}), chunk(finish="length")))

    assert [call.invalid for call in said.tool_calls] == [True]
    assert said.metadata["finish_reason"] == "length"


def test_a_whole_message_in_a_chunk_counts_only_where_nothing_came_before(stream: Way) -> None:
    """Some back ends repeat the whole message at the end."""
    whole = {"choices": [{"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}]}

    assert stream.ask(chat(), events(whole)).text == "Hello"
    assert stream.ask(chat(), events(chunk({"content": "Hel"}), chunk({"content": "lo"}), whole)).text == "Hello"


def test_the_old_completions_form_is_read_too(stream: Way) -> None:
    frames = [{"choices": [{"text": word, "finish_reason": None}]} for word in ("Hi", " you")]

    said = stream.ask(chat(), events(frames[0], {"choices": [{"text": "", "finish_reason": "stop"}]}))

    assert said.text == "Hi"


def test_plain_chunks_make_one_delta_each() -> None:
    """Neither held back nor split, and empty ones make none."""
    frames = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": c}) for c in ["a", "", "b"])]

    deltas = decoded(events(*frames, chunk(finish="stop")).content)

    assert [delta.text for delta in deltas] == ["a", "b", ""]
