"""Streams and what LlamaIndex reports of them: all pieces to those who listen, the ending in any case."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from llama_backend import Reply
from llama_calls import user
from llama_events import recorded, watched
from llama_index.core.callbacks import EventPayload
from llama_index.core.llms import callbacks

from llamaindex_rivya.llms.streaming import has_listeners
from rivya_core.errors import StreamBrokenError
from rivya_sandbox import Fault


@pytest.fixture(params=[recorded, nullcontext], ids=["heard", "unheard"])
def audience(request):
    """With a listener for LlamaIndex's events, and without one."""
    with request.param() as listener:
        yield listener


@pytest.mark.parametrize(("method", "asked"), [("stream_chat", [user("Hi")]), ("stream_complete", "Hi")])
def test_the_end_is_reported_with_the_whole_reply(llm, backend, calls, audience, method, asked):
    """Callbacks get the last response, with and without another listener."""
    ledger = watched(llm)
    backend.say(Reply(("a", "b")))

    chunks = calls.each(llm, method, asked)

    assert [chunk.delta for chunk in chunks if chunk.delta] == ["a", "b"]
    assert [end.get(EventPayload.RESPONSE, end.get(EventPayload.COMPLETION)) for end in ledger.ends] == [chunks[-1]]


def test_a_stream_that_breaks_off_is_reported(rivya, sandbox, calls, audience):
    """The callback ends with the very error that the caller gets, after the pieces before it."""
    ledger = watched(rivya)
    sandbox.answer("one two three four five six")
    sandbox.fault(Fault("/chat/completions/stream", cut=4))
    pieces = []

    with pytest.raises(StreamBrokenError) as caught:
        pieces += calls.each(rivya, "stream_chat", [user("Hi")])

    assert [end[EventPayload.EXCEPTION] for end in ledger.ends] == [caught.value]
    assert caught.value.partial


def test_a_stream_that_is_left_is_reported(llm, backend, calls, audience):
    """A counter of open calls is not left with one."""
    ledger = watched(llm)
    backend.say(Reply(("a", "b", "c")))

    calls.some(llm, "stream_chat", 1, [user("Hi")])

    assert [type(end[EventPayload.EXCEPTION]) for end in ledger.ends] == [GeneratorExit]


def test_nothing_is_made_for_nobody(llm, backend, calls, monkeypatch):
    """Without listeners no piece becomes an event, which would cost as much as the piece itself."""
    made = []
    monkeypatch.setattr(callbacks, "LLMChatInProgressEvent", lambda **facts: made.append(facts) or Silent())
    backend.say(Reply(tuple("abcdefgh")))

    chunks = calls.each(llm, "stream_chat", [user("Hi")])

    assert [facts["response"] for facts in made] == chunks[-1:]


class Silent:
    """An event that says nothing."""

    tags: dict[str, str] = {}


def test_who_listens_is_seen_wherever_they_stand():
    """At the root, at the framework's own dispatcher, or nowhere."""
    assert not has_listeners()
    with recorded():
        assert has_listeners()
    callbacks.dispatcher.add_event_handler(object())
    try:
        assert has_listeners()
    finally:
        callbacks.dispatcher.event_handlers.pop()
    assert not has_listeners()
