"""Whole chat turns: what is asked, what is answered, what the model saw, what it costs."""

import threading

import httpx
import pytest

from rivya_sandbox import Answer, serve
from rivya_sandbox.errors import ApiError

MODEL = "gpt-5-2-chat"


def error_of(response):
    return response.status_code, response.json()["error"]["code"]


def test_a_reply_has_the_documented_form(sandbox, chat):
    """Ids, session, message, usage and nested credits stand where the documentation shows them."""
    sandbox.answer("A concise launch plan.")

    reply = chat("Write a plan", client_request_id="chat-001").json()

    assert list(reply) == ["id", "object", "session_id", "model", "created_at", "message", "usage", "credits"]
    assert reply["object"] == "chat.completion"
    assert {"role": "assistant", "content": "A concise launch plan."}.items() <= reply["message"].items()
    assert reply["usage"] == {"input_tokens": 3, "output_tokens": 6, "total_tokens": 9}
    assert reply["credits"] == {"reserved": 3, "final": 1}
    assert reply["created_at"].endswith("Z")


def test_a_session_remembers_and_the_journal_shows_all_of_it(sandbox, chat):
    """The second turn's context is the first exchange and the new message, exactly."""
    sandbox.answer("one")
    sandbox.answer("two")
    session = chat("first").json()["session_id"]

    chat("second", session_id=session)

    turn = sandbox.journal.turns[-1]
    assert [(m.role, m.text) for m in turn.context] == [("user", "first"), ("assistant", "one"), ("user", "second")]
    assert (turn.session_id, turn.number, turn.reply, turn.completed, turn.delivered) == (
        session,
        2,
        "two",
        True,
        True,
    )


def test_without_a_session_id_every_turn_is_a_session_of_its_own(sandbox, chat):
    """Nothing is remembered between them."""
    assert chat("one").json()["session_id"] != chat("two").json()["session_id"]
    assert [len(turn.context) for turn in sandbox.journal.turns] == [1, 1]


def test_what_was_said_stays_in_the_session_list(client, chat):
    """Sessions can be listed and read, newest first."""
    first = chat("Tell me of tea").json()
    second = chat("And of coffee").json()

    listed = client.get("/chat/sessions").json()
    assert [row["id"] for row in listed["data"]] == [second["session_id"], first["session_id"]]
    assert listed["data"][1]["title"] == "Tell me of tea"

    session = client.get(f"/chat/sessions/{first['session_id']}").json()
    assert [(m["role"], m["content"]) for m in session["messages"]] == [
        ("user", "Tell me of tea"),
        ("assistant", first["message"]["content"]),
    ]
    assert session["messages"][1]["id"] == first["message"]["id"]


@pytest.mark.parametrize(
    "body",
    [
        {"message": ""},
        {"message": " \n"},
        {"message": None},
        {"message": 7},
        {"message": "x" * 20_001},
        {"model": ""},
        {"model": None},
        {"messages": [{"role": "user", "content": "hi"}]},
        {"temperature": 0.1},
        {"enable_web_search": "yes"},
        {"reasoning_effort": "extreme"},
        {"client_request_id": "x" * 129},
        {"session_id": 3},
        {"attachments": {"file_id": "file_1"}},
        {"attachments": [{"file_id": "file_1"}] * 17},
    ],
    ids=str,
)
def test_a_body_that_the_api_does_not_take_is_refused_before_anything_is_paid(sandbox, client, body):
    """`validation_failed`, no turn, no credits."""
    response = client.post("/chat/completions", json={"model": MODEL, "message": "hi", **body})

    assert error_of(response) == (400, "validation_failed")
    assert (sandbox.journal.turns, sandbox.ledger()) == ([], [])


def test_a_message_of_twenty_thousand_characters_passes(chat):
    """The limit itself is allowed."""
    assert chat("x" * 20_000).status_code == 200


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"text"', b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(client, content):
    """Whatever it is, it is `validation_failed`."""
    assert error_of(client.post("/chat/completions", content=content)) == (400, "validation_failed")


@pytest.mark.parametrize("model", ["z-image", "gpt-9"])
def test_only_chat_models_chat(chat, model):
    """Image models and unknown ones get other errors than bad bodies."""
    assert error_of(chat(model=model)) == (400, "chat_model_not_supported")


def test_a_session_is_bound_to_its_account_and_its_model(sandbox, client, chat):
    """Another account or model is a conflict, an unknown id is not found, so is a Studio session a conflict."""
    session = chat().json()["session_id"]
    sandbox.add_key("rvya_sk_b", account="b")

    other = {"authorization": "Bearer rvya_sk_b"}
    assert error_of(chat(session_id=session, headers=other)) == (409, "chat_session_conflict")
    assert error_of(chat(session_id=session, model="gemini-2-5-flash-chat")) == (409, "chat_session_conflict")
    assert error_of(chat(session_id=sandbox.add_studio_session())) == (409, "chat_session_conflict")
    assert error_of(chat(session_id="chatsess_none")) == (404, "not_found")
    assert error_of(client.get(f"/chat/sessions/{session}", headers=other)) == (404, "not_found")


def test_reasoning_comes_if_the_request_asks_for_it(chat):
    """An effort shows the reasoning; without one there is none."""
    assert "thoughts" not in chat("hi").json()["message"]
    assert chat("hi", reasoning_effort="high").json()["message"]["thoughts"]


def test_a_scripted_answer_may_depend_on_the_context(sandbox, chat):
    """A callable gets what the model sees; an `Answer` has its own reasoning."""
    sandbox.answer(lambda context: context[-1].text.upper())
    sandbox.answer(lambda _: Answer("yes", "hm"))

    assert chat("loud").json()["message"]["content"] == "LOUD"
    assert chat("loud").json()["message"]["thoughts"] == "hm"


def test_a_model_that_fails_leaves_nothing_behind(sandbox, chat):
    """500, no charge, and the session can continue."""
    session = chat("one").json()["session_id"]
    sandbox.answer(lambda _: 1 / 0)

    assert error_of(chat("two", session_id=session)) == (500, "internal_error")
    assert sandbox.ledger()[-1].final == 0
    assert (sandbox.journal.turns[-1].completed, sandbox.journal.turns[-1].charged) == (False, 0)

    assert chat("three", session_id=session).status_code == 200
    assert [m.text for m in sandbox.journal.turns[-1].context if m.role == "user"] == ["one", "three"]


def test_a_callable_may_refuse_in_the_apis_own_words(sandbox, chat):
    """A model behind a rate limit, say."""

    def refuse(_context):
        raise ApiError("rate_limited")

    sandbox.answer(refuse)

    assert error_of(chat()) == (429, "rate_limited")
    assert sandbox.ledger()[0].final == 0


def test_a_model_of_ones_own_may_answer():
    """Any callable from context to answer, asked in a thread."""
    names = []

    def model(context):
        names.append(threading.current_thread().name)
        return Answer(context[-1].text[::-1])

    with serve(model=model) as sandbox:
        reply = httpx.post(
            f"{sandbox.rivya_url}/chat/completions",
            json={"model": MODEL, "message": "abc"},
            headers={"authorization": f"Bearer {sandbox.api_key}"},
        )

    assert reply.json()["message"]["content"] == "cba"
    assert "rivya-sandbox" not in names[0]


def test_a_refused_new_session_is_not_kept(sandbox, client, chat):
    """Out of credits: no session, no ledger line."""
    sandbox.set_credits(2)

    assert error_of(chat()) == (402, "insufficient_credits")
    assert (client.get("/chat/sessions").json()["data"], sandbox.ledger(), sandbox.credits()) == ([], [], 2)


def test_a_second_turn_on_a_running_session_is_a_conflict(sandbox, chat):
    """While the turn runs, the session is in use; afterwards it is free."""
    session = chat("one").json()["session_id"]
    inner = []
    sandbox.answer(lambda _: inner.append(chat("meanwhile", session_id=session)) or "two")

    assert chat("two", session_id=session).status_code == 200
    assert error_of(inner[0]) == (409, "chat_session_conflict")
    assert chat("three", session_id=session).status_code == 200
