"""Point 13: what broken servers send is a typed error with their words, never a bare one and never a message."""

from __future__ import annotations

import json

import pytest
from llama_backend import EVENTS, Raw, Reply
from llama_calls import user

BARE = (KeyError, IndexError, TypeError, AttributeError, json.JSONDecodeError)
PAGE = (("content-type", "text/html"),)

WHOLE = {
    "an error with 200": (Raw((b'{"error": {"message": "model is on fire", "code": 500}}',)), "model is on fire"),
    "an error as text": (Raw((b'{"error": "model is on fire"}',)), "model is on fire"),
    "a page": (Raw((b"<html><body>Gateway is sad</body></html>",), headers=PAGE), "Gateway is sad"),
    "a page with 502": (Raw((b"<html><h1>Bad gateway</h1></html>",), 502, PAGE), "Bad gateway"),
    "a detail": (Raw((b'{"detail": "not today"}',), 400), "not today"),
    "a list of details": (Raw((b'{"detail": [{"loc": ["body", "model"], "msg": "unknown"}]}',), 422), "unknown"),
    "nothing": (Raw((b"",)), ""),
    "half of a JSON": (Raw((b'{"choices": [{"mess',)), ""),
    "another JSON": (Raw((b'{"hello": "world"}',)), ""),
    "a JSON list": (Raw((b"[1, 2]",)), ""),
}


@pytest.mark.parametrize("case", WHOLE)
@pytest.mark.parametrize(("how", "name"), [("run", "chat"), ("each", "stream_chat")])
def test_a_bad_answer_is_a_typed_error_with_the_servers_words(make, backend, calls, case, how, name):
    """Whatever the shape, the caller gets an exception that says what the server said."""
    raw, words = WHOLE[case]
    backend.say(*[raw] * 3)

    with pytest.raises(Exception, match=words or None) as caught:
        getattr(calls, how)(make(max_retries=0), name, [user("Hi")])

    assert not isinstance(caught.value, BARE)
    assert not type(caught.value).__module__.startswith(("httpx", "pydantic", "json"))


def test_a_cut_stream_is_an_error_with_what_came(make, backend, calls):
    """A stream without its end is no message; the error has the text so far."""

    def cut(request):
        pieces = backend.wire.render(Reply(("Half an ", "answer")), request).pieces
        kept = tuple(
            piece for piece in pieces if b"stop" not in piece and b"DONE" not in piece and b"usage" not in piece
        )
        return Raw(kept, headers=EVENTS)

    backend.say(cut)

    with pytest.raises(Exception) as caught:
        calls.each(make(max_retries=0), "stream_chat", [user("Hi")])

    assert "Half an answer" in getattr(caught.value, "partial", "")


def test_an_error_in_mid_stream_is_raised(make, backend, calls):
    """Words that came before it are delivered, then the error is raised."""

    def failing(request):
        first, *_ = (p for p in backend.wire.render(Reply(("Half",)), request).pieces if b"Half" in p)
        return Raw((first, b'data: {"error": {"message": "ran out of steam"}}\n\n'), headers=EVENTS)

    backend.say(failing)

    with pytest.raises(Exception, match="ran out of steam"):
        calls.each(make(max_retries=0), "stream_chat", [user("Hi")])
