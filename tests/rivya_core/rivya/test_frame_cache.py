"""A frame that is the one before but for its text is read by the place of the text, and never wrongly."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import frames, message, stream

from rivya_core.rivya.frame_cache import TRIES, FrameCache


def learnt(data: bytes, text: str) -> FrameCache:
    repeats = FrameCache()
    assert repeats.learn("", data, text, lambda _data, _text: True)
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
    assert learnt(HELLO, "Hello").text_of("", data) == text


def test_another_name_is_another_frame() -> None:
    repeats = learnt(HELLO, "Hello")

    assert repeats.text_of("title", HELLO) == ""
    repeats.forget()
    assert repeats.text_of("", HELLO) == ""


@pytest.mark.parametrize("data", [b'{"a":"x","b":"x"}', b'["x"]', b'"x"', b'{"a":"\\u0078"}'])
def test_a_place_that_is_not_plain_is_not_learnt(data: bytes) -> None:
    assert not FrameCache().learn("", data, "x", lambda _data, _text: True)


def test_frames_that_never_repeat_themselves_are_given_up() -> None:
    """Asking costs something each time."""
    repeats, asked = FrameCache(), []
    for number in range(3 * TRIES):
        data = b'{"n":%d,"t":"x"}' % number
        assert repeats.text_of("", data) == ""
        repeats.learn("", data, "x", lambda _data, _text: asked.append(1) is None)

    assert len(asked) == TRIES


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
