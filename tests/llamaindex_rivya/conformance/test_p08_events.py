"""Point 8: what is reported of a call, and that nothing is left open or given away."""

from __future__ import annotations

import pytest
from llama_backend import Raw, Reply
from llama_calls import user
from llama_candidates import KEY
from llama_events import recorded, watched


def test_a_chat_is_reported_once(llm, calls):
    """Start and end of a whole reply."""
    with recorded() as events:
        calls.run(llm, "chat", [user("Hi")])

    assert events.names() == ["LLMChatStartEvent", "LLMChatEndEvent"]


def test_a_stream_is_reported_piece_by_piece(llm, backend, calls):
    """Start, every piece, end; the end has the complete response."""
    backend.say(Reply(("a", "b")))

    with recorded() as events:
        chunks = calls.each(llm, "stream_chat", [user("Hi")])

    assert events.names() == ["LLMChatStartEvent", *["LLMChatInProgressEvent"] * len(chunks), "LLMChatEndEvent"]
    assert events.events[-1].response.message.content == "ab"


def test_completions_are_reported_as_completions(llm, calls):
    """`complete` fires completion events and no chat events."""
    with recorded() as events:
        calls.run(llm, "complete", "Hi")

    assert events.names() == ["LLMCompletionStartEvent", "LLMCompletionEndEvent"]


@pytest.mark.parametrize(("how", "name"), [("run", "chat"), ("each", "stream_chat")])
def test_a_failure_closes_what_was_opened(make, backend, calls, how, name):
    """A refused call ends its callback with the exception."""
    llm = make(max_retries=0)
    ledger = watched(llm)
    backend.say(Raw((b'{"error": {"message": "no such thing"}}',), status=400))

    with pytest.raises(Exception, match="no such thing"):
        getattr(calls, how)(llm, name, [user("Hi")])

    assert (len(ledger.starts), len(ledger.ends)) == (1, 1)
    assert "exception" in {str(getattr(key, "value", key)) for key in ledger.ends[0]}


def test_a_stream_left_early_closes_what_was_opened(llm, backend, calls):
    """Closing a stream ends its callback."""
    ledger = watched(llm)
    backend.say(Reply(("a", "b", "c")))

    calls.some(llm, "stream_chat", 2, [user("Hi")])

    assert (len(ledger.starts), len(ledger.ends)) == (1, 1)


def test_events_carry_no_secret(llm, calls):
    """Neither the payload of events nor that of callbacks holds the key."""
    ledger = watched(llm)

    with recorded() as events:
        calls.run(llm, "chat", [user("Hi")])

    assert KEY not in str(getattr(llm, "to_payload", llm.to_dict)())  # what events carry: earlier the dict
    assert KEY not in str([event.model_dump(exclude={"messages", "response"}) for event in events.events])
    assert KEY not in str(ledger.starts)
