"""Faults on a real connection."""

import re
import time

import httpx
import pytest

from rivya_sandbox import Fault, Sandbox

STREAM = "/chat/completions/stream"


def test_a_status_alone_becomes_a_plausible_error(sandbox, chat):
    """Nothing was processed; the next request is served."""
    sandbox.fault(Fault(status=503, headers={"retry-after": "7"}))

    response = chat()

    assert (response.status_code, response.headers["retry-after"]) == (503, "7")
    assert response.json()["error"]["code"] == "public_api_disabled"
    assert (sandbox.journal.turns, sandbox.journal.requests[0].fault.status) == ([], 503)
    assert chat().status_code == 200


@pytest.mark.parametrize(
    ("code", "status"), [("rate_limited", 429), ("insufficient_credits", 402), ("brand_new_code", 400)]
)
def test_a_code_alone_brings_its_usual_status(sandbox, chat, code, status):
    """Also a code that is not in the table."""
    sandbox.fault(Fault(code=code, message="Because."))

    response = chat()

    assert response.status_code == status
    assert response.json()["error"] == {
        "code": code,
        "message": "Because.",
        "requestId": response.headers["x-request-id"],
    }


def test_raw_bodies_are_sent_as_they_are(sandbox, chat):
    """HTML of a proxy, with 200 or any other status."""
    sandbox.fault(Fault(body=b"<html>", headers={"content-type": "text/html"}))
    sandbox.fault(Fault(body=b"{broken", status=524))

    first, second = chat(), chat()

    assert (first.status_code, first.text, first.headers["content-type"]) == (200, "<html>", "text/html")
    assert (second.status_code, second.text) == (524, "{broken")


def test_a_request_may_be_carried_out_and_its_answer_lost_on_the_way(sandbox, chat):
    """A charged turn behind a proxy's 502."""
    sandbox.fault(Fault(status=502, body=b"Bad gateway", processed=True))

    assert chat().status_code == 502
    assert (sandbox.journal.turns[0].charged, sandbox.journal.turns[0].delivered) == (1, False)


def test_a_dropped_connection_is_really_closed(sandbox, chat):
    """Before: nothing happened. After: done and charged, but no answer."""
    sandbox.fault(Fault(drop="before"))
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        chat()
    assert (sandbox.journal.turns, sandbox.journal.requests[0].status) == ([], 0)

    sandbox.fault(Fault(drop="after"))
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        chat()
    turn = sandbox.journal.turns[0]
    assert (turn.completed, turn.charged, turn.delivered) == (True, 1, False)


def test_a_whole_answer_is_cut_after_so_many_bytes(sandbox, chat):
    """The client gets ten bytes and then the end of the connection."""
    sandbox.fault(Fault(cut=10))
    with pytest.raises(httpx.RemoteProtocolError, match="received 10 bytes"):
        chat()

    sandbox.fault(Fault(cut=10_000))
    assert chat().status_code == 200, "an answer that is short enough is not cut"


def received(client, body=None):
    """The bytes of a stream that arrive, and the error that ends it."""
    got = b""
    try:
        with client.stream("POST", STREAM, json=body or {"model": "gpt-5-2-chat", "message": "Say a b c"}) as response:
            for piece in response.iter_raw():
                got += piece
    except httpx.TransportError as error:
        return got, error
    return got, None


@pytest.mark.parametrize("events", range(6))
def test_a_stream_is_cut_after_so_many_events(sandbox, client, events):
    """An opening, three deltas, the closing: at each place, even after the closing but before the proper end."""
    sandbox.fault(Fault(cut=events))

    got, error = received(client)

    assert got.count(b"\n\n") == events
    assert isinstance(error, httpx.RemoteProtocolError)
    assert not sandbox.journal.turns[0].delivered


def test_an_error_can_come_in_the_middle_of_a_stream(sandbox, client):
    """As an event; then the stream ends properly, and the turn has ended when the client reads that."""
    sandbox.fault(Fault(cut=2, code="internal_error"))

    got, error = received(client)

    assert error is None
    assert got.split(b"\n\n")[2].startswith(b'event: error\ndata: {"error": {"code": "internal_error"')
    turn = sandbox.journal.turns[0]
    assert (turn.completed, turn.delivered) == (True, False)


def test_garbage_can_come_in_the_middle_of_a_stream(sandbox, client):
    """Bytes as they are."""
    sandbox.fault(Fault(cut=1, body=b"data: {oops\n\n"))

    got, error = received(client)

    assert (got.endswith(b"data: {oops\n\n"), error) == (True, None)


def test_silence_lasts_until_the_client_gives_up_or_the_time_is_over(sandbox, client):
    """The request was carried out; the connection then breaks."""
    sandbox.fault(Fault(hang=60))
    with pytest.raises(httpx.ReadTimeout):
        client.post(
            "/chat/completions", json={"model": "gpt-5-2-chat", "message": "hi"}, timeout=httpx.Timeout(5, read=0.05)
        )
    assert sandbox.journal.turns[0].completed

    sandbox.fault(Fault(hang=0.01))
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/credits")


def test_a_stream_can_fall_silent_in_the_middle(sandbox, client):
    """After so many events nothing comes, and then the connection breaks."""
    sandbox.fault(Fault(cut=2, hang=0.01))

    got, error = received(client)

    assert got.count(b"\n\n") == 2
    assert isinstance(error, httpx.RemoteProtocolError)


def test_an_answer_can_be_late(sandbox, client):
    """Late, but complete."""
    sandbox.fault(Fault(delay=0.05))

    began = time.monotonic()
    assert client.get("/credits").status_code == 200
    assert time.monotonic() - began >= 0.05


def test_a_fault_can_slow_one_stream_down(sandbox, client):
    """The fault's `pace` overrides the sandbox's."""
    sandbox.pace = 3600
    sandbox.fault(Fault(pace=0.001))

    got, error = received(client)

    assert (got.count(b"event: message.delta"), error) == (3, None)


def test_times_and_after_say_which_requests_are_met(sandbox, client):
    """One request passes, two fail, then all succeed."""
    sandbox.fault(Fault(after=1, times=2, status=500))

    assert [client.get("/models").status_code for _ in range(4)] == [200, 500, 500, 200]
    assert sandbox.faults.pending == []


def test_a_fault_without_end_stays_until_the_reset(sandbox, client):
    """`times=None` meets every request."""
    sandbox.fault(Fault(times=None, status=500))

    assert [client.get("/models").status_code for _ in range(3)] == [500] * 3
    assert len(sandbox.faults.pending) == 1
    sandbox.reset()
    assert client.get("/models").status_code == 200


def test_faults_are_met_in_their_order_and_all_count_the_requests_that_pass(sandbox, client):
    """The second one lets one request pass, which is the one that the first one meets."""
    sandbox.fault(Fault(status=500))
    sandbox.fault(Fault(after=1, status=429))

    assert [client.get("/models").status_code for _ in range(3)] == [500, 429, 200]


@pytest.mark.parametrize(
    ("path", "method", "met"),
    [
        ("*", None, True),
        ("/chat", None, True),
        ("/chat/completions", None, True),
        ("/chat/completions/stream", None, False),
        ("/chat/comp", None, False),
        ("/api/v1/chat/completions", None, True),
        ("/api/v1", "post", True),
        ("*", "GET", False),
        (re.compile(r"completions$"), None, True),
        (re.compile(r"stream$"), None, False),
    ],
)
def test_paths_and_methods_choose_the_requests(path, method, met):
    """A path stands for itself and what is below it, in full or below the API's base."""
    fault = Fault(path=path, method=method)

    assert fault.matches("POST", "/api/v1/chat/completions", "/chat/completions") is met


@pytest.mark.parametrize(
    "wrong",
    [
        {"drop": "now"},
        {"task": "explode"},
        {"after": -1},
        {"times": 0},
        {"cut": -1},
        {"delay": -0.5},
        {"hang": "long"},
        {"pace": -1},
        {"status": 42},
        {"status": "429"},
        {"path": "chat/completions"},
        {"path": ""},
        {"path": 7},
        {"headers": {"retry-after": 7}},
        {"body": {"error": "x"}},
        {"body": "text"},
        {"dialect": "latin"},
    ],
    ids=str,
)
def test_a_fault_that_can_never_happen_is_refused_at_construction(wrong):
    """A mistake in a test shows at once, and the message names the argument."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Fault(**wrong)


def test_a_body_that_is_no_bytes_says_what_to_write():
    with pytest.raises(
        ValueError, match=r"body must be bytes, not dict; for JSON use body=json.dumps\(...\).encode\(\)"
    ):
        Fault(body={"error": "x"})


async def test_without_a_port_a_broken_connection_is_the_clients_own_error():
    """The ASGI application behaves like the server."""
    sandbox = Sandbox()
    sandbox.fault(Fault(drop="before"))
    sandbox.fault(Fault(cut=5))
    headers = {"authorization": f"Bearer {sandbox.api_key}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(sandbox.app), base_url=sandbox.rivya_url, headers=headers
    ) as client:
        for _ in range(2):
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get("/credits")
        assert (await client.get("/credits")).json() == {"current_credits": 1_000_000}
