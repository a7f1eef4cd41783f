"""Streamed chat turns in every dialect, and clients that disconnect."""

import json
import re

import httpx
import pytest

from rivya_sandbox import DIALECTS, Dialect, Fault

TEXT = "Grüße aus  dem\nSandkasten, 東京 and 🙂 "
PATH = "/chat/completions/stream"


def events(raw):
    """An independent parser: (name, data) of each event, as the standard says."""
    found, name, data = [], None, []
    for line in re.split(r"\r\n|\n|\r", raw.decode("utf-8-sig")):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                found.append((name, "\n".join(data)))
            name, data = None, []
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)
    return found


def texts(value, names=("content", "text", "delta")):
    """Every string under a key for text."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in names and isinstance(inner, str):
                yield inner
            elif key not in ("thoughts", "reasoning", "thinking", "reasoning_content"):
                yield from texts(inner, names)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner, names)


def is_reasoning(name, data):
    return bool(re.search("think|thought|reason", f"{name} {data.get('type')} {data.get('delta', '')}"))


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_carries_the_whole_reply(sandbox, chat, name):
    """Text, reasoning, session, ids, usage and credits arrive in each form; the turn is the same in all of them."""
    sandbox.dialect = name
    sandbox.answer(TEXT, reasoning="let me see")

    raw = chat("hi", path=PATH)

    assert raw.headers["content-type"].startswith("text/event-stream")
    parsed = [(event, json.loads(data)) for event, data in events(raw.content) if data not in ("[DONE]", "{}")]
    messages = "".join(text for event, data in parsed if not is_reasoning(event, data) for text in texts(data))
    assert TEXT in messages
    everything = json.dumps([data for _, data in parsed], ensure_ascii=False)
    turn = sandbox.journal.turns[-1]
    for fact in (turn.session_id, turn.id, '"total_tokens"', '"final": 1'):
        assert fact in everything
    assert (turn.reply, turn.reasoning, turn.streamed, turn.completed, turn.delivered) == (
        TEXT,
        "let me see",
        True,
        True,
        True,
    )


def test_the_default_dialect_has_named_events_and_a_closing_reply(sandbox, chat):
    """An opening, deltas, and the whole reply as the non-streaming path would give it."""
    sandbox.answer("Hello there")

    parsed = [(name, json.loads(data)) for name, data in events(chat("hi", path=PATH).content)]

    assert [name for name, _ in parsed] == [
        "message.started",
        "message.delta",
        "message.delta",
        "message.completed",
    ]
    assert [data["delta"]["content"] for _, data in parsed[1:3]] == ["Hello", " there"]
    assert parsed[-1][1]["message"]["content"] == "Hello there"
    assert parsed[-1][1]["credits"] == {"reserved": 3, "final": 1}


def test_a_fault_can_change_the_dialect_of_one_request(sandbox, chat):
    """The next one is as before."""
    sandbox.fault(Fault(dialect="openai"))

    assert b"[DONE]" in chat("hi", path=PATH).content
    assert b"[DONE]" not in chat("hi", path=PATH).content


def test_a_dialect_may_be_ones_own(sandbox, chat):
    """It is data: makers of events."""
    from rivya_sandbox.rivya.dialects import cost_only, key

    sandbox.dialect = Dialect(key("w"), key("t"), cost_only("over"))
    sandbox.answer("one two")

    assert b'data: {"w": " two"}\n\n' in chat("hi", path=PATH).content


def test_an_unknown_dialect_is_refused_with_the_known_ones(sandbox):
    """Also in a fault."""
    with pytest.raises(ValueError, match="named, openai"):
        sandbox.dialect = "klingon"
    with pytest.raises(ValueError, match="klingon"):
        sandbox.fault(Fault(dialect="klingon"))


def test_an_empty_answer_still_ends_properly(sandbox, chat):
    """No deltas, but a closing event."""
    sandbox.answer("")

    assert b"message.completed" in chat("hi", path=PATH).content


def test_streams_continue_sessions_that_whole_turns_began_and_the_other_way_round(sandbox, chat):
    """Both paths share the sessions."""
    session = chat("one").json()["session_id"]
    chat("two", session_id=session, path=PATH)
    chat("three", session_id=session)

    assert [m.text for m in sandbox.journal.turns[-1].context if m.role == "user"] == ["one", "two", "three"]


def leave_after_first_event(sandbox, client, session):
    body = {"model": "gpt-5-2-chat", "message": "two", "session_id": session}
    with client.stream("POST", PATH, json=body) as response:
        next(response.iter_raw())
    # The connection is closed now. The sandbox notices before it answers the next request of the same session.
    while not sandbox.journal.requests[-1].status or sandbox.sessions.find(session, "default").running:
        client.get("/models")


@pytest.mark.parametrize(
    ("abandoned", "kept", "charged"),
    [("keep", "one two three four", 1), ("partial", None, 1), ("discard", None, 0)],
)
def test_a_reader_that_leaves_is_noticed_and_treated_as_set(sandbox, client, chat, abandoned, kept, charged):
    """Its turn is completed, stored in part or discarded; the session is free again."""
    session = chat("one").json()["session_id"]
    sandbox.abandoned = abandoned
    sandbox.pace = 30
    sandbox.answer("one two three four")

    leave_after_first_event(sandbox, client, session)

    turn = sandbox.journal.turns[-1]
    assert (turn.completed, turn.delivered, turn.charged) == (abandoned == "keep", False, charged)
    said = [messages.message.text for messages in sandbox.sessions.find(session, "default").messages][2:]
    assert said == {"keep": ["two", kept], "partial": ["two", ""], "discard": []}[abandoned]


def test_the_session_is_taken_while_a_stream_runs(sandbox, client, chat):
    """A second turn meanwhile is a conflict."""
    session = chat("one").json()["session_id"]
    sandbox.pace = 30

    body = {"model": "gpt-5-2-chat", "message": "two", "session_id": session}
    with client.stream("POST", PATH, json=body) as response:
        pieces = response.iter_raw()
        next(pieces)
        assert chat("meanwhile", session_id=session).json()["error"]["code"] == "chat_session_conflict"


def test_a_stopped_server_ends_its_streams():
    """Nothing waits for a stream that would take hours."""
    from rivya_sandbox import serve

    served = serve(pace=3600)
    sandbox = served.start()
    with (
        httpx.Client(headers={"authorization": f"Bearer {sandbox.api_key}"}) as client,
        client.stream(
            "POST", f"{sandbox.rivya_url}{PATH}", json={"model": "gpt-5-2-chat", "message": "hi"}
        ) as response,
    ):
        next(response.iter_raw())
        served.stop()

    assert sandbox.journal.turns[0].completed
