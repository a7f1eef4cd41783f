"""Point 14: what a model object remembers between calls, which is nothing of anybody's conversation.

Server-held sessions of `Rivya` have tests of their own (`test_rivya_sessions.py`); what stands here holds for all.
"""

from __future__ import annotations

import json
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
from llama_backend import Raw, Reply
from llama_calls import user


def sent(request) -> str:
    return json.dumps(request.body)


def test_a_one_shot_prompt_continues_nothing(llm, backend, calls):
    """A completion after a conversation is a prompt of its own."""
    calls.run(llm, "chat", [user("I am Ann.")])

    calls.run(llm, "complete", "One shot.")

    assert "Ann" not in sent(backend.requests[1])
    assert "session_id" not in backend.requests[1].body
    assert "previous_response_id" not in backend.requests[1].body


def test_conversations_on_one_model_do_not_meet(llm, backend):
    """Two conversations at once, turn by turn, in threads: no request holds words or sessions of both."""

    def converse(name: str) -> None:
        history = [user(f"I am {name}.")]
        for turn in range(4):
            backend_reply = llm.chat(history).message
            history += [backend_reply, user(f"{name}, turn {turn}.")]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(converse, ["Ann", "Bob", "Cleo", "Dan"]))

    owners: dict[str, set[str]] = {}
    for request in backend.requests:
        names = {name for name in ("Ann", "Bob", "Cleo", "Dan") if name in sent(request)}
        assert len(names) == 1
        owners.setdefault(request.body.get("session_id") or "", set()).update(names)
    assert all(len(names) == 1 for session, names in owners.items() if session)


def test_a_failed_turn_leaves_nothing_behind(make, backend, calls):
    """After a refusal the same history can be sent again and is sent whole."""
    llm = make(max_retries=0)
    backend.say(Reply("Hello Ann."), Raw((b'{"error": {"message": "no"}}',), status=400), Reply("fine"))
    first = calls.run(llm, "chat", [user("I am Ann.")]).message
    history = [user("I am Ann."), first, user("Who am I?")]

    with pytest.raises(Exception, match="no"):
        calls.run(llm, "chat", history)

    assert calls.run(llm, "chat", history).message.content == "fine"
    assert backend.requests[1].body == backend.requests[2].body


def test_a_pickled_model_goes_on_with_any_history(llm, backend, calls):
    """The history is in the messages, not in the object."""
    first = calls.run(llm, "chat", [user("I am Ann.")]).message
    history = [user("I am Ann."), first, user("Who am I?")]

    calls.run(pickle.loads(pickle.dumps(llm)), "chat", history)

    assert "Who am I?" in sent(backend.requests[1])


def test_messages_hold_only_json(llm, backend, calls):
    """What a reply's message carries survives any store that speaks JSON."""
    message = calls.run(llm, "chat", [user("Hi")]).message

    assert json.loads(json.dumps(message.additional_kwargs)) == message.additional_kwargs
    assert type(message).model_validate_json(message.model_dump_json()) == message
