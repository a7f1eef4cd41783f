"""A frame that is the one before but for its text is read by the place of the text, and never wrongly."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import frames, message, stream

from rivya_core import errors
from rivya_core.http.frame_cache import PROBE, TRIES, FrameCache, values_of
from rivya_core.openai.chat.stream import CompletionsStreamDecoder, Reading
from rivya_core.openai.responses.stream import ResponseReading, ResponsesStreamDecoder
from rivya_core.rivya.wire import RivyaStreamDecoder
from rivya_core.sessions.pointers import Origin


def learnt(data: bytes, text: str) -> FrameCache:
    repeats = FrameCache()
    assert repeats.learn(data, lambda read: (None, text if read == data else PROBE))
    return repeats


HELLO = b'{"delta":{"content":"Hello"},"n":1}'


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'{"delta":{"content":" there"},"n":1}', " there"),
        (b'{"delta":{"content":"\\u00e9\\n\\"x\\""},"n":1}', 'é\n"x"'),
        (b'{"delta":{"content":""},"n":1}', ""),
        (b'{"delta":{"content":"a","more":"b"},"n":1}', ""),
        (b'{"delta":{"content":"a"},"n":2}', ""),
        (b'{"delta":{"content":"a","content":"b"},"n":1}', ""),
        (b'{"delta":{"content":"a\\"},"n":1}', ""),
        (b'{"delta":{"content":"\xff"},"n":1}', ""),
        (b'{"delta":{"content":"},"n":1}', ""),
        (b'{"delta":{"content":null},"n":1}', ""),
        (b'{"delta":{"content":"', ""),
        (b"", ""),
    ],
)
def test_only_the_same_bytes_around_one_sound_string_are_the_same_frame(data: bytes, text: str) -> None:
    assert learnt(HELLO, "Hello").text_of(data) == text


def test_a_forgotten_frame_is_read_in_the_ordinary_way() -> None:
    repeats = learnt(HELLO, "Hello")
    repeats.forget()

    assert repeats.text_of(HELLO) == ""


NUMBERED = b'{"t":1,"n":3, "delta":"Hello", "pad" : "aZ-9"}'


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'{"t":1,"n":41, "delta":" there", "pad" : ""}', " there"),
        (b'{"t":1,"n":0, "delta":"a,\\"n\\":3", "pad" : "x"}', 'a,"n":3'),
        (b'{"t":1, "delta":"a"}', ""),
        (b'{"t":1,"n":4, "delta":"a", "pad" : 5}', "a"),
        (b'{"t":1,"n":-4, "delta":"a", "pad" : "x"}', ""),
        (b'{"t":1,"n":4.5, "delta":"a", "pad" : "x"}', ""),
        (b'{"t":1,"n":[4], "delta":"a", "pad" : "x"}', ""),
        (b'{"t":1,"n":4, "delta":"a", "pad" : "x\\""}', ""),
        (b'{"t":1,"n":4, "delta":"a", "pad" : null}', ""),
        (b'{"t":2,"n":4, "delta":"a", "pad" : "x"}', ""),
        (b'{"n":4,"t":1, "delta":"a", "pad" : "x"}', ""),
    ],
)
def test_values_without_a_meaning_may_differ(data: bytes, text: str) -> None:
    probes: list[Any] = []
    repeats = FrameCache(values_of("n", "pad", "missing"))

    def read(block: bytes) -> tuple[None, str]:
        probes.append(json.loads(block))
        return None, probes[-1]["delta"]

    assert repeats.learn(NUMBERED, read)
    assert repeats.text_of(data) == text
    assert probes[1:] == [{"t": 1, "n": 0, "delta": PROBE, "pad": 0}]


@pytest.mark.parametrize("data", [b'{"a":"x","b":"x"}', b'{"a":"\\u0078"}'])
def test_a_place_that_is_not_plain_is_not_learnt(data: bytes) -> None:
    assert not FrameCache().learn(data, lambda read: (None, "x" if read == data else PROBE))


def test_frames_that_never_repeat_themselves_are_given_up() -> None:
    """Asking costs something each time."""
    repeats, asked = FrameCache(), []
    for number in range(3 * TRIES):
        data = b'{"n":%d,"t":"x"}' % number
        assert repeats.text_of(data) == ""
        repeats.learn(data, lambda block: (asked.append(block) is None, "x"))  # type: ignore[func-returns-value]

    assert len(asked) == 2 * TRIES


TEXTS = st.lists(
    st.text(min_size=1, max_size=6) | st.sampled_from(["ha", '"', "\\", "}", '"}}', "error", "\ud83d"]), max_size=8
)
SHAPES: list[Any] = [
    lambda t: {"delta": {"content": t}},
    lambda t: {"choices": [{"delta": {"content": t}}], "id": "c"},
    lambda t: {"text": t, "session_id": "s"},
    lambda t: {"message": {"role": "assistant", "content": [{"type": "text", "text": t}]}, "done": False},
    lambda t: {"type": "delta", "delta": t, "seq": len(t)},
]


@given(TEXTS, st.sampled_from(SHAPES), st.booleans())
def test_the_short_way_reads_what_the_long_way_reads(texts: list[str], shape: Any, ascii_only: bool) -> None:
    """Whatever the texts are: together they are what was written."""
    pieces = [text.encode("utf-8", "replace").decode() for text in texts]
    datas = [json.dumps(shape(piece), ensure_ascii=ascii_only) for piece in pieces]
    body = frames(*datas, "[DONE]")
    decoder = stream()

    assert message(decoder.feed(body) + decoder.finish())[0] == "".join(pieces)


def test_facts_in_between_are_not_undone() -> None:
    """A frame that repeats an older fact would undo a newer one if it were not read in the ordinary way once more."""
    old, new = '{"text":"a","model":"old"}', '{"text":"b","model":"new"}'
    decoder = stream()

    assert message(decoder.feed(frames(old, old, new, old, "[DONE]")) + decoder.finish())[3] == {"model": "old"}


def chunk(delta: Any, **more: Any) -> dict[str, Any]:
    return {"id": "c", "created": 1, "choices": [{"index": 0, "delta": delta, "finish_reason": None}], **more}


def event(kind: str, text: str, number: int, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}.delta", "sequence_number": number, "output_index": 0, "delta": text, **more}


def call(text: str, **more: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, "function": {"arguments": text}, **more}]}


CHAT: list[Any] = [
    lambda t, _n: chunk({"content": t}),
    lambda t, _n: chunk({"content": t}),
    lambda t, _n: chunk({"role": "assistant", "content": t, "reasoning_content": None}, usage=None),
    lambda t, _n: chunk({"content": "", "reasoning_content": t}),
    lambda t, _n: chunk({"reasoning": t}, vendor={"a": 1}),
    lambda t, n: chunk({"reasoning": t, "reasoning_details": [{"type": "reasoning.text", "text": t, "index": n}]}),
    lambda t, _n: chunk({"refusal": t}),
    lambda t, n: chunk({"content": t}, obfuscation="x" * n),
    lambda t, n: chunk({"content": t, "p": "x" * n}),
    lambda t, n: chunk({"content": t}, usage={"total_tokens": n, "prompt_tokens": 1}),
    lambda t, _n: chunk(call(t)),
    lambda t, n: chunk(call(t, id=f"call_{n}", extra_content={"a": n})),
    lambda t, _n: chunk({"content": [{"type": "text", "text": t}]}),
    lambda t, _n: {"error": {"message": t}},
]
RESPONSES: list[Any] = [
    lambda t, n: event("output_text", t, n, logprobs=[]),
    lambda t, n: event("output_text", t, n, obfuscation="x" * n),
    lambda t, n: event("output_text", t, n, content_index=1),
    lambda t, n: event("reasoning_summary_text", t, n, summary_index=n // 4),
    lambda t, n: event("function_call_arguments", t, n),
    lambda t, n: event("refusal", t, n),
    lambda t, n: event("other", t, n),
]
RIVYA: list[Any] = [
    *(lambda t, _n, shape=shape: shape(t) for shape in SHAPES),
    lambda t, _n: {"thoughts": t},
    lambda t, n: {"text": t, "usage": {"input_tokens": n, "output_tokens": 1}},
]
RESPONSE = httpx.Response(
    200, headers={"content-type": "text/event-stream"}, request=httpx.Request("POST", "http://127.0.0.1/v1")
)
WIRES: dict[str, tuple[Any, list[Any]]] = {
    "chat completions": (lambda: CompletionsStreamDecoder(RESPONSE, Reading(origin=Origin("a", b"secret"))), CHAT),
    "think tags": (lambda: CompletionsStreamDecoder(RESPONSE, Reading(think_tags=True)), CHAT),
    "responses": (lambda: ResponsesStreamDecoder(RESPONSE, ResponseReading(Origin("a", b"secret"))), RESPONSES),
    "rivya": (lambda: RivyaStreamDecoder(RESPONSE), RIVYA),
}


def outcome(decoder: Any, body: bytes, size: int) -> Any:
    """What a body gives that arrives in pieces of this size."""
    try:
        deltas = [delta for at in range(0, len(body), size) for delta in decoder.feed(body[at : at + size])]
        return re.sub(r"call_[0-9a-f]{20,}", "new id", repr((deltas, decoder.finish()))), decoder.partial
    except errors.RivyaError as error:
        return type(error), str(error), decoder.partial


@pytest.mark.parametrize("wire", WIRES)
@given(data=st.data(), size=st.sampled_from([7, 300, 10_000]), ascii_only=st.booleans())
def test_each_wire_reads_the_same_without_the_cache(wire: str, data: Any, size: int, ascii_only: bool) -> None:
    make, shapes = WIRES[wire]
    texts = st.text(max_size=4) | st.sampled_from(["ha", "{", '"a": 1', "<think>", "</think>", "\ud83d", "\ude00"])
    runs = data.draw(st.lists(st.tuples(st.sampled_from(shapes), st.lists(texts, min_size=1, max_size=5)), max_size=6))
    told = [shape(text, n) for shape, words in runs for n, text in enumerate(words)]
    lines = [json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "replace") for value in told]
    body = b"".join(b"data: %s\n\n" % line for line in [*lines, b"[DONE]"])
    plain = make()
    plain._repeats.learn = lambda *_: False

    assert outcome(make(), body, size) == outcome(plain, body, size)


@pytest.mark.parametrize(
    ("wire", "shape"), [("chat completions", CHAT[0]), ("responses", RESPONSES[1]), ("rivya", RIVYA[0])]
)
def test_each_wire_uses_the_cache(wire: str, shape: Any) -> None:
    """After two frames, the others are not read as JSON."""
    decoder, read = WIRES[wire][0](), []
    decoder.read = lambda event, read_event=decoder.read: (read.append(event) is None) and read_event(event)  # type: ignore[func-returns-value]
    for n in range(10):
        decoder.feed(b"data: %s\n\n" % json.dumps(shape("Hello ", n)).encode())

    assert decoder.partial == "Hello " * 10
    assert len(read) == 2
