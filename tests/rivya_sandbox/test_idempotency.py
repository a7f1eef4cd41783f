"""`Idempotency-Key`: charged once, answered every time."""

import httpx
import pytest

from rivya_sandbox import Fault

KEY = {"idempotency-key": "k-1"}
STREAM = "/chat/completions/stream"


def code(response):
    return response.json()["error"]["code"]


def test_the_same_request_gets_the_stored_answer(sandbox, chat):
    """No second turn, no second charge; the journal knows the key."""
    first, second = chat(headers=KEY), chat(headers=KEY)

    assert first.json() == second.json()
    assert [(turn.idempotency_key, turn.charged) for turn in sandbox.journal.turns] == [("k-1", 1)]


def test_another_request_under_the_same_key_is_a_conflict(sandbox, chat):
    """Another body, another path; but another account may use the same key."""
    sandbox.stream_idempotency = True
    sandbox.add_key("rvya_sk_b", account="b")
    chat(headers=KEY)

    assert code(chat("other", headers=KEY)) == "idempotency_conflict"
    assert code(chat(headers=KEY, path=STREAM)) == "idempotency_conflict"
    assert chat("other", headers={**KEY, "authorization": "Bearer rvya_sk_b"}).status_code == 200


def test_a_request_that_still_runs_is_a_conflict(sandbox, chat):
    """There is no response yet."""
    inner = []
    sandbox.answer(lambda _: inner.append(chat(headers=KEY)) or "done")

    assert chat(headers=KEY).json()["message"]["content"] == "done"
    assert (inner[0].status_code, code(inner[0])) == (409, "idempotency_conflict")
    assert chat(headers=KEY).json()["message"]["content"] == "done"


def test_a_lost_answer_is_asked_for_again_and_paid_once(sandbox, chat):
    """What `Idempotency-Key` is for."""
    sandbox.fault(Fault(drop="after"))
    with pytest.raises(httpx.RemoteProtocolError):
        chat(headers=KEY)

    assert chat(headers=KEY).json()["id"] == sandbox.journal.turns[0].id
    assert len(sandbox.journal.turns) == len(sandbox.ledger()) == 1


def test_a_refused_request_leaves_its_key_free(sandbox, chat):
    """After more credits the same request succeeds."""
    sandbox.set_credits(0)
    assert code(chat(headers=KEY)) == "insufficient_credits"

    sandbox.set_credits(10)
    assert chat(headers=KEY).status_code == 200


def test_the_stream_path_ignores_the_key_unless_told_otherwise(sandbox, chat):
    """Two turns are two charges."""
    chat(path=STREAM, headers=KEY)
    chat(path=STREAM, headers=KEY)

    assert len(sandbox.ledger()) == 2


def test_a_stream_that_honours_the_key_is_played_again(sandbox, chat):
    """The same reply as a stream, without a second turn."""
    sandbox.stream_idempotency = True

    assert chat(path=STREAM, headers=KEY).content == chat(path=STREAM, headers=KEY).content
    assert len(sandbox.journal.turns) == len(sandbox.ledger()) == 1


def test_a_stream_that_was_broken_and_forgotten_leaves_its_key_free(sandbox, chat):
    """Nothing was stored, so nothing is repeated: the next request is a new turn."""
    sandbox.stream_idempotency, sandbox.abandoned = True, "discard"
    sandbox.fault(Fault(cut=2))
    with pytest.raises(httpx.RemoteProtocolError):
        chat(path=STREAM, headers=KEY)

    assert chat(path=STREAM, headers=KEY).status_code == 200
    assert [(turn.completed, turn.charged) for turn in sandbox.journal.turns] == [(False, 0), (True, 1)]


def test_a_broken_stream_is_played_again_and_paid_once(sandbox, chat):
    """With the default, the turn was completed although its client disconnected."""
    sandbox.stream_idempotency = True
    sandbox.fault(Fault(cut=2))
    with pytest.raises(httpx.RemoteProtocolError):
        chat(path=STREAM, headers=KEY)

    assert sandbox.journal.turns[0].id in chat(path=STREAM, headers=KEY).text
    assert len(sandbox.ledger()) == 1


def test_generations_honour_the_key_too(sandbox, client):
    """One task, one reservation; another body is a conflict."""
    order = {"model": "z-image", "prompt": "a hill"}

    first, second = (client.post("/generations", json=order, headers=KEY).json() for _ in range(2))

    assert first == second
    assert len(sandbox.tasks.all) == len(sandbox.ledger()) == 1
    assert code(client.post("/generations", json={**order, "prompt": "a sea"}, headers=KEY)) == "idempotency_conflict"
