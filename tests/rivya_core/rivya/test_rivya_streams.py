"""Whichever way Rivya writes its stream, it is the same reply: no text is lost or doubled, and its end is seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import FACTS, REASONING, RIVYA, TEXT, USAGE, answer, decoded, frames, message, stream

from rivya_core import errors
from rivya_core.rivya.wire import read_whole

IN_PIECES = [path for path in RIVYA if path.stem not in {"closing-only", "responses-done-only", "no-pieces"}]
BY_NAME = pytest.mark.parametrize("path", RIVYA, ids=lambda path: path.stem)


def lacking(path: Path) -> list[str]:
    """What a transcript says that it does not carry."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return next((line.removeprefix(": lacks ").split() for line in lines if line.startswith(": lacks ")), [])


@BY_NAME
def test_all_dialects_are_the_same_reply(path: Path) -> None:
    """Text, reasoning, usage and all metadata, in any place."""
    reasoning = "" if "thought" in lacking(path) else REASONING

    assert message(decoded([path.read_bytes()])) == (TEXT, reasoning, USAGE, FACTS)


def test_the_family_is_large() -> None:
    """The transcripts are found at all."""
    assert len(RIVYA) > 80


@BY_NAME
def test_cut_in_two_a_transcript_decodes_alike(path: Path) -> None:
    """Wherever the cut is; `test_sse.py` cuts at every byte."""
    data = path.read_bytes()
    expected = message(decoded([data]))

    assert all(message(decoded([data[:cut], data[cut:]])) == expected for cut in range(0, len(data), 97))


@BY_NAME
def test_byte_by_byte_a_transcript_decodes_alike(path: Path) -> None:
    data = path.read_bytes()

    assert message(decoded(data[i : i + 1] for i in range(len(data)))) == message(decoded([data]))


@given(data=st.data())
def test_cut_anywhere_any_number_of_times_a_transcript_decodes_alike(data: st.DataObject) -> None:
    body = data.draw(st.sampled_from(RIVYA)).read_bytes()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(body)), max_size=20)))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]

    assert message(decoded(pieces)) == message(decoded([body]))


@pytest.mark.parametrize("path", IN_PIECES, ids=lambda path: path.stem)
def test_pieces_come_as_they_are_written(path: Path) -> None:
    """No text waits for the end if it came before it."""
    decoder = stream()
    deltas = decoder.feed(path.read_bytes())

    assert len([delta for delta in deltas if delta.text]) >= 2
    assert deltas[-1].text != TEXT


@BY_NAME
def test_a_stream_that_just_stops_is_broken(path: Path) -> None:
    """A transcript that is cut before its end event is never a whole reply; the error holds what came."""
    body = path.read_bytes()
    told = end_of(body)
    decoder = stream()
    said = "".join(delta.text for delta in decoder.feed(body[:told]))

    with pytest.raises(errors.StreamBrokenError) as caught:
        decoder.finish()

    assert caught.value.partial.startswith(said)
    assert TEXT.startswith(caught.value.partial)


def end_of(body: bytes) -> int:
    """Where the event begins that ends the reply."""
    decoder = stream()
    told = next((i for i in range(len(body)) if decoder.feed(body[i : i + 1]) is None or decoder.complete), len(body))
    begun = body[:told].rstrip()
    return max(begun.rfind(blank) + len(blank) for blank in (b"\n\n", b"\r\r", b"\r\n\r\n") if blank in begun)


ERRORS = {
    "named": (frames('{"code":"rate_limited","message":"Slow down"}', name="error"), errors.RateLimitError),
    "object": (frames('{"error":{"code":"rate_limited","message":"Slow down"}}'), errors.RateLimitError),
    "text": (frames('{"error":"Slow down"}'), errors.ServerError),
    "nested": (frames('{"data":{"error":{"code":"rate_limited","message":"Slow down"}}}'), errors.RateLimitError),
    "typed": (frames('{"type":"error","error":{"type":"rate_limited","message":"Slow down"}}'), errors.RateLimitError),
    "flat": (frames('{"type":"error","code":"rate_limited","message":"Slow down"}'), errors.RateLimitError),
    "bare": (frames("Slow down", name="error"), errors.ServerError),
    "in a choice": (frames('{"choices":[{"error":{"code":429,"message":"Slow down"}}]}'), errors.RateLimitError),
    "list": (frames('{"errors":[{"message":"Slow down"}]}'), errors.ServerError),
    "status": (frames('{"status":"failed","message":"Slow down"}'), errors.ServerError),
    "number": (frames('{"status":429,"message":"Slow down"}'), errors.RateLimitError),
    "code": (frames('{"code":429,"message":"Slow down"}'), errors.RateLimitError),
    "unlabelled": (frames('{"code":"rate_limited","message":"Slow down"}'), errors.RateLimitError),
    "success": (frames('{"success":false,"message":"Slow down"}'), errors.ServerError),
    "flag": (frames('{"error":true,"message":"Slow down","code":"rate_limited"}'), errors.RateLimitError),
    "failed": (
        frames(
            '{"response":{"status":"failed","error":{"code":"rate_limited","message":"Slow down"}}}', name="x.failed"
        ),
        errors.RateLimitError,
    ),
    "data": (frames('{"type":"error","data":{"code":"rate_limited","message":"Slow down"}}'), errors.RateLimitError),
    "detail": (frames('{"detail":"Slow down"}', name="error"), errors.ServerError),
    "finish": (frames('{"choices":[{"delta":{},"finish_reason":"error"}],"message":"Slow down"}'), errors.ServerError),
    "beside": (frames('{"error":{"code":"rate_limited","message":"Slow down"}}', name="search"), errors.RateLimitError),
    "bad request": (frames('{"error":{"code":"validation_failed","message":"Slow down"}}'), errors.BadRequestError),
    "key": (frames('{"error":{"code":"api_key_expired","message":"Slow down"}}'), errors.AuthenticationError),
    "money": (
        frames('{"error":{"code":"insufficient_credits","message":"Slow down"}}'),
        errors.InsufficientCreditsError,
    ),
}


@pytest.mark.parametrize(("body", "kind"), ERRORS.values(), ids=ERRORS)
def test_an_error_in_any_frame_is_the_typed_error_after_the_text_before_it(
    body: bytes, kind: type[errors.APIError]
) -> None:
    """The good pieces are delivered, then the error comes, with the provider's words, however the bytes were cut."""
    before = frames('{"delta":{"content":"Hel"}}')
    decoder = stream()
    deltas = decoder.feed(before + body + frames('{"delta":{"content":"lo"}}', "[DONE]"))

    with pytest.raises(kind, match="Slow down") as caught:
        decoder.finish()

    assert type(caught.value) is kind
    assert "".join(delta.text for delta in deltas) == "Hel"
    assert decoder.done


@pytest.mark.parametrize("body", [b"event: error\ndata: {}\n\n", b"event: error\n\n", b"event: failed\ndata: null\n\n"])
def test_an_error_without_words_is_an_error_all_the_same(body: bytes) -> None:
    with pytest.raises(errors.ServerError, match="without saying which"):
        decoded([body + frames("[DONE]")])


HOSTILE = [
    '{"status":{"a":1},"type":["x"],"event":{},"kind":7,"delta":[[[{"text":5}]]],"choices":[[]]}',
    '{"choices":"x","message":[],"session":[],"credits":"free","usage":[1],"role":{"role":5},"error":[]}',
    '{"credits":{"final":NaN},"usage":{"input_tokens":1e999,"output_tokens":-5,"total_tokens":"x"},"id":5}',
    '{"session_id":"\\ud800","id":{},"model":7}',
    '{"content":{"content":{"content":{"content":{"content":{"text":"x"}}}}}}',
    "[]",
    "[[[1]]]",
    "{}",
    "null",
    "7",
]


@pytest.mark.parametrize("data", HOSTILE)
def test_a_malformed_frame_is_read_or_passed_over(data: str) -> None:
    """Nothing but this package's errors and deltas comes out, and what metadata there are can be written as JSON."""
    text, _, _, facts = message(
        decoded([frames('{"delta":{"content":"a"}}', data, '{"delta":{"content":"b"}}', "[DONE]")])
    )

    assert text[0] + text[-1] == "ab"
    json.dumps(facts, allow_nan=False).encode()


KEYS = st.sampled_from(
    "type event delta content text choices message data error status code role session usage credits id done "
    "thought".split()
)
VALUES = st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.sampled_from([TEXT, "done", "error"])
PAYLOADS = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


@given(PAYLOADS, st.sampled_from(["", "message", "done", "error", "thinking"]))
def test_no_frame_whatever_is_in_it_raises_anything_else(payload: object, name: str) -> None:
    """Servers' answers are hostile: whatever JSON comes, it is text, nothing, or an error of this package."""
    try:
        text = message(decoded([frames(json.dumps(payload), name=name) + frames("[DONE]")]))[0]
    except errors.RivyaError:
        return
    assert isinstance(text, str)


@pytest.mark.parametrize("data", ['{"delta":', "{not json", '"half', "<html>502</html>", "<!DOCTYPE html>"])
def test_a_frame_that_is_not_json_breaks_the_stream(data: str) -> None:
    """It is never passed over: text would be lost."""
    with pytest.raises(errors.StreamBrokenError, match="not JSON") as caught:
        decoded([frames('{"delta":{"content":"a"}}', data, "[DONE]")])

    assert caught.value.partial == "a"


def test_bare_text_among_json_of_the_same_name_breaks_the_stream() -> None:
    with pytest.raises(errors.StreamBrokenError, match="not JSON"):
        decoded([frames('{"delta":{"content":"a"}}', "Internal Server Error", "[DONE]")])


def test_a_closing_object_that_says_something_else_marks_the_reply() -> None:
    """What was handed on stands; the metadata say that the session holds something else."""
    said = message(decoded([frames('{"delta":"Hello"}', '{"type":"completed","message":{"content":"Sorry"}}')]))

    assert said[0] == "Hello"
    assert said[3] == {"text_disagrees": True}


def test_reasoning_that_is_summarised_at_the_end_does_not_mark_the_reply() -> None:
    body = frames(
        '{"thinking":"long"}', '{"delta":"Hi"}', '{"type":"done","message":{"content":"Hi","thinking":"short"}}'
    )

    assert message(decoded([body]))[:2] == ("Hi", "long")
    assert "text_disagrees" not in message(decoded([body]))[3]


def test_half_a_character_that_stays_alone_becomes_a_replacement_character() -> None:
    assert message(decoded([frames('{"delta":"a\\ud83d"}', "[DONE]")]))[0] == "a\ufffd"


@pytest.mark.parametrize(
    "datas",
    [
        ['{"text":"ha"}', '{"text":"ha"}', '{"text":"haha"}', "[DONE]"],
        ['{"delta":"ha"}', '{"delta":"ha"}', '{"delta":"haha","finish_reason":"stop"}'],
        ['{"message":{"content":"ha"},"done":false}', '{"message":{"content":"hahaha"},"done":true}'],
    ],
)
def test_pieces_that_repeat_what_was_said_are_pieces(datas: list[str]) -> None:
    """Only a frame that ends or is labelled as a repetition is taken for one."""
    assert message(decoded([frames(*datas)]))[0] in {"hahahaha", "hahaha"}


WHOLE = {
    "documented": {"message": {"role": "assistant", "content": TEXT}},
    "parts": {"message": {"role": "assistant", "content": [{"type": "text", "text": TEXT}]}},
    "choices": {"choices": [{"message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}]},
    "nested": {"data": {"message": {"content": TEXT}}},
    "text": {"text": TEXT},
    "content": {"content": TEXT},
    "labelled": {"type": "chat.session.message", "status": "success", "message": {"content": TEXT}},
}


@pytest.mark.parametrize("body", WHOLE.values(), ids=WHOLE)
def test_a_whole_reply_is_read_by_the_same_rules(body: dict[str, object]) -> None:
    delta = read_whole(answer(200, {**FACTS, "usage": {"input_tokens": 12, "output_tokens": 9}, **body}))

    assert (delta.text, delta.usage, delta.metadata, delta.last) == (TEXT, USAGE, FACTS, True)


def test_a_stream_where_a_whole_reply_was_asked_for_is_read_as_one() -> None:
    body = next(path for path in RIVYA if path.stem == "named").read_bytes()
    delta = read_whole(answer(200, body, content_type="text/event-stream"))

    assert message([delta]) == (TEXT, REASONING, USAGE, FACTS)


def test_a_whole_reply_where_a_stream_was_asked_for_is_read_as_one() -> None:
    body = {**FACTS, "message": {"role": "assistant", "content": TEXT, "thoughts": REASONING}}
    body["usage"] = {"input_tokens": 12, "output_tokens": 9}
    plain = type(stream())(answer(content_type="application/json"))

    assert message(decoded([json.dumps(body).encode()], plain)) == (TEXT, REASONING, USAGE, FACTS)


@pytest.mark.parametrize("body", [b"<html>502</html>", b"[]", b'"hello"', b"{}", b'{"message":{}}', b"null", b""])
def test_a_success_that_is_no_reply_is_an_invalid_answer(body: bytes) -> None:
    with pytest.raises(errors.InvalidResponseError):
        read_whole(answer(200, body, content_type="application/json"))
